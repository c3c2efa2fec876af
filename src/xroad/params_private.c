#include "xroad/params_walk.h"

#include "base/err.h"
#include "base/timeval.h"

#define FETCH_DEFAULT 1200
#define FETCH_MIN 60
#define SECONDS_MAX 1000000000

static void read_source(struct params_walk *w, const struct xml_node *e, struct params_source *s)
{
    struct params_at at = params_walk_enter(w, e);
    s->address = slice_trim(params_walk_filled(w, params_walk_must(w, &at, "downloadURL")));
    if (params_walk_count(&at, "verificationCert") == 0)
        params_walk_must(w, &at, "verificationCert");
    params_walk_certs(w, &at, "verificationCert", &s->internal_certs);
    params_walk_close(w, &at);
}

static void read_anchor(struct params_walk *w, const struct xml_node *e, struct params_anchor *out)
{
    struct params_at at = params_walk_enter(w, e);
    const struct xml_node *when = params_walk_may(w, &at, "generatedAt");
    struct slice time = slice_trim(params_walk_text(w, when));
    if (when != NULL && w->err == 0 && !timeval_parse_iso(time, &out->generated_ms))
        params_walk_fail(w, when, "the element is no time");
    out->instance = params_walk_filled(w, params_walk_must(w, &at, "instanceIdentifier"));
    out->n_sources = params_walk_count(&at, "source");
    if (out->n_sources == 0)
        params_walk_must(w, &at, "source");
    out->sources = params_walk_array(w, out->n_sources, sizeof *out->sources);
    for (size_t i = 0; i < out->n_sources && w->err == 0; i++)
        read_source(w, params_walk_must(w, &at, "source"), &out->sources[i]);
    params_walk_close(w, &at);
}

int params_anchor_parse(struct arena *a, struct slice xml, struct params_anchor *out,
                        struct diag *d)
{
    struct params_walk w = {.a = a, .d = d, .code = ERR_MALFORMED_ANCHOR};
    *out = (struct params_anchor){0};
    if (xml.n > PARAMS_BYTES_MAX)
        return diag_set(d, ERR_TOO_LARGE, "an anchor of more than %u bytes", PARAMS_BYTES_MAX);
    const struct xml_node *root = params_walk_root(&w, xml, "configurationAnchor");
    if (root != NULL)
        read_anchor(&w, root, out);
    return w.err;
}

static void read_management(struct params_walk *w, const struct xml_node *e,
                            struct params_private *out)
{
    struct params_at at = params_walk_enter(w, e);
    out->reg_address = params_walk_text(w, params_walk_must(w, &at, "authCertRegServiceAddress"));
    out->reg_cert = params_walk_cert(w, params_walk_may(w, &at, "authCertRegServiceCert"));
    params_walk_client(w, params_walk_must(w, &at, "managementRequestServiceProviderId"),
                       &out->management);
    params_walk_close(w, &at);
}

int params_private_parse(struct arena *a, struct slice xml, int version, struct params_private *out,
                         struct diag *d)
{
    struct params_walk w = {.a = a, .d = d, .code = ERR_MALFORMED_GLOBAL_CONF};
    *out = (struct params_private){0};
    if (version < PARAMS_VERSION_MIN || version > PARAMS_VERSION_MAX)
        return diag_set(d, ERR_MALFORMED_GLOBAL_CONF,
                        "version %d of the global configuration is not one of %d to %d", version,
                        PARAMS_VERSION_MIN, PARAMS_VERSION_MAX);
    if (xml.n > PARAMS_BYTES_MAX)
        return diag_set(d, ERR_TOO_LARGE, "private parameters of more than %u bytes",
                        PARAMS_BYTES_MAX);
    const struct xml_node *root = params_walk_root(&w, xml, "conf");
    if (root == NULL)
        return w.err;
    struct params_at at = params_walk_enter(&w, root);
    out->instance = params_walk_filled(&w, params_walk_must(&w, &at, "instanceIdentifier"));
    out->n_anchors = params_walk_count(&at, "configurationAnchor");
    out->anchors = params_walk_array(&w, out->n_anchors, sizeof *out->anchors);
    for (size_t i = 0; i < out->n_anchors && w.err == 0; i++)
        read_anchor(&w, params_walk_must(&w, &at, "configurationAnchor"), &out->anchors[i]);
    read_management(&w, params_walk_must(&w, &at, "managementService"), out);
    out->timestamping_s = params_walk_int(
        &w, params_walk_must(&w, &at, "timeStampingIntervalSeconds"), 0, SECONDS_MAX);
    if (version < 3)
        params_walk_close(&w, &at);
    return w.err;
}

/* --- optional parts: an unreadable one counts as absent --- */

bool params_next_update(struct arena *a, struct slice xml)
{
    struct params_walk w = {.a = a, .code = ERR_MALFORMED_GLOBAL_CONF};
    struct params_at at = params_walk_enter(&w, params_walk_root(&w, xml, "conf"));
    bool verify = params_walk_bool(&w, params_walk_must(&w, &at, "verifyNextUpdate"));
    params_walk_close(&w, &at);
    return w.err == 0 ? verify : true;
}

int64_t params_fetch_interval(struct arena *a, struct slice xml)
{
    struct params_walk w = {.a = a, .code = ERR_MALFORMED_GLOBAL_CONF};
    struct params_at at = params_walk_enter(&w, params_walk_root(&w, xml, "conf"));
    int64_t seconds =
        params_walk_int(&w, params_walk_must(&w, &at, "ocspFetchInterval"), FETCH_MIN, SECONDS_MAX);
    params_walk_close(&w, &at);
    return w.err == 0 ? seconds : FETCH_DEFAULT;
}
