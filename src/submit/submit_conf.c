#include "submit/submit_conf.h"
#include "base/err.h"
#include "keys/keystore.h"
#include "wire/http_url.h"

bool submit_conf_is_origin(struct slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == '+')
            return false;
    return name.n > 0 && name.n <= SUBMIT_ORIGIN_MAX;
}

static int bad(const struct conf_section *s, const char *key, struct diag *d, const char *what,
               struct slice value)
{
    diag_set(d, ERR_SYNTAX, "[ledger] %s: %s: %.*s", key, what, SLICE_ARG(value));
    diag_where(d, "line %u", complaints_line(s, key));
    return ERR_SYNTAX;
}

int submit_conf_read(const struct conf *k, struct slice fallback, struct submit_conf *out,
                     struct diag *d)
{
    const struct conf_section *s = conf_find(k, "ledger", "");
    struct http_url u;
    out->url = conf_text(k, s, "url");
    out->origin = conf_text(k, s, "journal");
    out->policy = conf_text(k, s, "policy");
    out->interval_ms = conf_number(k, s, "interval");
    if (out->origin.n == 0)
        out->origin = fallback;
    if (out->url.n == 0)
        return 0;
    if (http_url_parse(out->url, &u) != 0 || slice_find(out->url, '?') != SIZE_MAX)
        return bad(s, "url", d, "not an http or https URL without a query", out->url);
    if (out->origin.n == 0)
        return bad(s, "journal", d, "a name is wanted, such as",
                   SLICE_LIT("INSTANCE/SERVER/JOURNAL"));
    if (!submit_conf_is_origin(out->origin))
        return bad(s, "journal", d,
                   "a name has 1 to 255 printable ASCII characters, no blank and no \"+\"",
                   out->origin);
    if (out->interval_ms < 100)
        return bad(s, "interval", d, "heads go out at most every", SLICE_LIT("100ms"));
    return 0;
}

void submit_conf_check(const struct conf *k, const struct submit_conf *s, const char *dir,
                       struct complaints *c)
{
    const struct conf_section *at = conf_find(k, "ledger", "");
    EVP_PKEY *key = NULL;
    if (s->url.n == 0)
        return;
    complaints_url(c, complaints_line(at, "url"), s->url);
    if (keystore_public(dir, SUBMIT_KEY, &key, NULL) != 0)
        complaints_add(
            c, false, complaints_line(at, "url"),
            "there is no key " SUBMIT_KEY " in %s: make it with sild journal vkey --make", dir);
    EVP_PKEY_free(key);
}
