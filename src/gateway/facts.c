#include "gateway/facts.h"
#include "crypto/ocsp.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

/* Milliseconds; the last word of the histogram is for what is beyond. */
static const int64_t bounds_ms[FACTS_BOUNDS] = {2,   5,   10,   20,   50,   100,
                                                200, 500, 1000, 2500, 5000, 10000};

/* --- a worker --- */

void facts_worker_begin(void)
{
    for (unsigned side = 0; side < FACTS_SIDES; side++)
        tally_set(FACTS_IN_FLIGHT + side, 0);
    tally_set(FACTS_SNAPSHOT, 0);
    for (unsigned i = 0; i < 2; i++) {
        tally_set(FACTS_FAR + i, 0);
        tally_set(FACTS_NEAR + i, 0);
    }
}

void facts_began(enum facts_side side)
{
    tally_add(FACTS_IN_FLIGHT + side, 1);
}

void facts_ended(enum facts_side side, int64_t ms, bool well, bool aborted)
{
    unsigned i = 0;
    tally_sub(FACTS_IN_FLIGHT + side, 1);
    if (aborted)
        tally_add(FACTS_ABORTED + side, 1);
    if (aborted || !well)
        return;
    while (i < FACTS_BOUNDS && ms > bounds_ms[i])
        i++;
    tally_add(FACTS_OK + side, 1);
    tally_add(FACTS_MS + side, (uint64_t)ms);
    tally_add(FACTS_LATENCY + side * (FACTS_BOUNDS + 1) + i, 1);
}

void facts_fault(bool provider, int code)
{
    if (code > 0 && code < ERR_COUNT)
        tally_add(FACTS_FAULT + (provider ? ERR_COUNT : 0) + (unsigned)code, 1);
}

/* The base code stands behind the prefixes, but may itself have a dot: the longest name wins. */
void facts_peer_fault(const char *code)
{
    int best = ERR_INTERNAL;
    size_t length = 0;
    for (int i = 1; i < ERR_COUNT; i++) {
        size_t n = strlen(err_name(i));
        if (n > length && slice_ends(slice_str(code), err_name(i))) {
            best = i;
            length = n;
        }
    }
    tally_add(FACTS_PEER_FAULT + (unsigned)best, 1);
}

/* --- the agent --- */

/* Keeps the beginning of a state that goes on. */
static void since(unsigned word, bool fails, int64_t now_ms)
{
    if (!fails)
        tally_set(word, 0);
    else if (tally_own(word) == 0)
        tally_set(word, (uint64_t)now_ms);
}

static void say(unsigned slot, const struct diag *why)
{
    char text[TALLY_TEXT_MAX];
    diag_print(why, text, sizeof text);
    tally_text(slot, slice_str(text));
}

void facts_conf_round(bool well, int64_t now_ms, const struct diag *why)
{
    tally_add(FACTS_CONF_ROUNDS, 1);
    since(FACTS_CONF_FAILING, !well, now_ms);
    if (well) {
        tally_set(FACTS_CONF_FETCHED, (uint64_t)now_ms);
    } else {
        tally_add(FACTS_CONF_FAILURES, 1);
        say(FACTS_TEXT_CONF, why);
    }
}

void facts_conf_loaded(const struct globalconf *g)
{
    tally_set(FACTS_CONF_LOADED, 1);
    tally_set(FACTS_CONF_EXPIRES, (uint64_t)globalconf_expires(g));
}

static uint64_t flags_of(const struct serverconf_key *k, const struct id_server *server,
                         const struct cert *cert, const struct globalconf *g)
{
    struct globalconf_server at;
    uint64_t flags = FACTS_KEY_THERE | (k->signing ? FACTS_KEY_SIGNS | FACTS_KEY_REGISTERED : 0);
    if (cert == NULL)
        return flags;
    flags |= FACTS_KEY_CERTIFIED;
    if (g == NULL)
        return flags | FACTS_KEY_APPROVED | FACTS_KEY_REGISTERED; /* nobody can know yet */
    if (globalconf_ca(g, globalconf_instance(g), cert->issuer) != NULL)
        flags |= FACTS_KEY_APPROVED;
    if (!k->signing && globalconf_server_of_cert(g, cert, &at) && id_server_eq(&at.id, server))
        flags |= FACTS_KEY_REGISTERED;
    return flags;
}

/* Judges the response; true when it is a good one. */
static bool take_ocsp(unsigned at, const struct cert *cert, struct slice der,
                      const struct globalconf *g, int64_t now_ms, uint64_t *flags)
{
    const struct globalconf_ca *ca = globalconf_ca(g, globalconf_instance(g), cert->issuer);
    struct ocsp_trust trust;
    struct ocsp_info info;
    int64_t until = 0;
    if (der.n == 0 || ca == NULL || ocsp_parse(der, &info, NULL) != 0)
        return false;
    if (info.response_status == 0 && info.status == OCSP_REVOKED)
        *flags |= FACTS_KEY_REVOKED;
    tally_set(at + FACTS_KEY_OCSP, (uint64_t)info.this_update_ms);
    globalconf_ocsp_trust(g, ca, &trust);
    if (ocsp_verify(der, cert, ca->cert, now_ms, &trust, &until, NULL, NULL) != 0)
        return false;
    tally_set(at + FACTS_KEY_OCSP_UNTIL, (uint64_t)until);
    return true;
}

void facts_key(size_t i, const struct serverconf *c, const struct cert *cert, struct slice ocsp,
               const struct globalconf *g, int64_t now_ms, const struct diag *why)
{
    unsigned at = FACTS_KEY + (unsigned)i * FACTS_KEY_WORDS;
    uint64_t flags = flags_of(&c->keys[i], &c->server, cert, g);
    uint64_t before = tally_own(at + FACTS_KEY_OCSP);
    if (cert != NULL) {
        tally_set(at + FACTS_KEY_NOT_BEFORE, (uint64_t)cert->not_before_ms);
        tally_set(at + FACTS_KEY_NOT_AFTER, (uint64_t)cert->not_after_ms);
    }
    bool good = cert != NULL && g != NULL && take_ocsp(at, cert, ocsp, g, now_ms, &flags);
    if (why->code != 0) {
        since(at + FACTS_KEY_FAILING, true, now_ms);
        say(FACTS_TEXT_OCSP, why);
    } else if (good && tally_own(at + FACTS_KEY_OCSP) != before) {
        since(at + FACTS_KEY_FAILING, false, now_ms);
    }
    if (tally_own(at + FACTS_KEY_FLAGS) != flags)
        tally_set(at + FACTS_KEY_SINCE, (uint64_t)now_ms);
    tally_set(at + FACTS_KEY_FLAGS, flags);
}

void facts_keys(const struct serverconf *c)
{
    static char known[TALLY_TEXT_MAX];
    struct buf names;
    buf_init(&names, TALLY_TEXT_MAX - 1);
    for (size_t i = 0; i < c->n_keys && !names.failed; i++)
        buf_printf(&names, "%.*s\n", SLICE_ARG(c->keys[i].name));
    struct slice now = names.failed ? SLICE_NONE : buf_view(&names);
    if (!slice_eq_str(now, known))
        for (unsigned w = 0; w < SERVERCONF_KEYS_MAX * FACTS_KEY_WORDS; w++)
            tally_set(FACTS_KEY + w, 0);
    if (!slice_cstr(now, known, sizeof known))
        known[0] = 0;
    tally_text(FACTS_TEXT_KEYS, now);
    buf_free(&names);
}

void facts_clients(const struct serverconf *c, const struct globalconf *g, int64_t now_ms)
{
    const struct serverconf_key *k = serverconf_auth_key(c);
    struct cert *cert = k == NULL ? NULL : cert_parse(k->cert, NULL);
    struct buf names;
    uint64_t n = 0;
    buf_init(&names, TALLY_TEXT_MAX);
    for (size_t i = 0; cert != NULL && i < c->n_clients; i++) {
        const struct serverconf_client *cl = &c->clients[i];
        if (!cl->registered || globalconf_auth_cert_serves(g, cert, &cl->id))
            continue;
        if (n++ < 3) {
            buf_str(&names, n > 1 ? ", " : "");
            id_client_short(&names, &cl->id);
        }
    }
    cert_free(cert);
    tally_set(FACTS_UNREGISTERED, n);
    since(FACTS_UNREGISTERED_SINCE, n > 0, now_ms);
    tally_text(FACTS_TEXT_CLIENTS, names.failed ? SLICE_NONE : buf_view(&names));
    buf_free(&names);
}

/* --- the log --- */

void facts_log(bool well, int64_t now_ms, const struct diag *why)
{
    since(FACTS_LOG_FAILING, !well, now_ms);
    if (!well)
        say(FACTS_TEXT_LOG, why);
}

uint64_t facts_disk(const char *dir, uint64_t least, int64_t now_ms)
{
    struct statvfs v;
    if (statvfs(dir, &v) != 0)
        return UINT64_MAX;
    uint64_t left = (uint64_t)v.f_bavail * v.f_frsize;
    tally_set(FACTS_DISK_FREE, left);
    tally_set(FACTS_DISK_SIZE, (uint64_t)v.f_blocks * v.f_frsize);
    tally_set(FACTS_DISK_LEAST, least);
    since(FACTS_DISK_LOW, left < least, now_ms);
    return left;
}
