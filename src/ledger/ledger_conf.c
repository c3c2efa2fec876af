#include "ledger/ledger_conf.h"
#include "base/err.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "tlog/checkpoint.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS ((int64_t)86400000)
#define WORKERS_MAX 16
#define PEM_MAX 8192

#define S(key, kind, fallback, help)                                                               \
    {                                                                                              \
        "ledger", key, kind, false, fallback, help                                                 \
    }

const struct conf_rule ledger_conf_rules[] = {
    S("dir", CONF_TEXT, ".", "folder of the ledger: key, public files, staging, evidence"),
    S("user", CONF_TEXT, NULL,
      "the user that all processes but the parent run as when started as root; else unchanged"),
    S("origin", CONF_TEXT, NULL, "the ledger's name in its checkpoints, and its key's"),
    S("lock", CONF_TEXT, "lock",
      "folder with the last committed checkpoint, below dir when relative; better on other storage "
      "than dir"),
    S("listen", CONF_TEXT, "127.0.0.1:2025", "where the ledger listens"),
    S("health", CONF_TEXT, NULL,
      "where /healthz and /metrics are served, or off; port 4006 of listen's loopback address, or "
      "of 127.0.0.1, unless told"),
    S("journals", CONF_TEXT, "journals",
      "file with the keys (vkeys, one a line) of the journals and aggregators that may hand in "
      "heads"),
    S("policy", CONF_TEXT, "policy",
      "file with the ledger's key, its witnesses and how many of them must sign (tlog-policy)"),
    S("interval_ms", CONF_NUMBER, "1000", "from one round to the next, in milliseconds"),
    S("keep_rounds_days", CONF_NUMBER, "90", "how long the heads of a round are kept"),
    S("partial_keep_s", CONF_NUMBER, "600", "how long partial tiles are kept beside a full one"),
    S("witness_timeout_ms", CONF_NUMBER, "1000", "how long a witness may take to answer"),
    S("workers", CONF_NUMBER, "1", "processes that serve HTTP, 1 to 16"),
};
const size_t ledger_conf_rule_count = ARRAY_LEN(ledger_conf_rules);

/* A path of the configuration: below the role's folder when relative. */
static const char *below(struct ledger_conf *c, const struct conf *k, const char *key)
{
    const char *p = command_text(c->a, k, "ledger", key);
    return p == NULL || p[0] == '/' ? p : arena_printf(c->a, "%s/%s", c->dir, p);
}

static int check(const struct ledger_conf *c, struct diag *d)
{
    if (c->origin == NULL || !checkpoint_is_origin(slice_str(c->origin)))
        return diag_set(
            d, ERR_SYNTAX,
            "[ledger] origin: the ledger's name is wanted, as ledger.example: printable "
            "ASCII without spaces and '+'");
    if (c->workers < 1 || c->workers > WORKERS_MAX)
        return diag_set(d, ERR_SYNTAX, "[ledger] workers: 1 to %d", WORKERS_MAX);
    if (c->interval_ms < 10 || c->interval_ms > DAY_MS)
        return diag_set(d, ERR_SYNTAX, "[ledger] interval_ms: 10 ms to a day");
    if (c->witness_timeout_ms < 1 || c->witness_timeout_ms > 60000)
        return diag_set(d, ERR_SYNTAX, "[ledger] witness_timeout_ms: 1 to 60000");
    if (c->keep_rounds_ms < 0 || c->partial_keep_ms < 0)
        return diag_set(d, ERR_SYNTAX, "[ledger] a time to keep something is too long");
    return 0;
}

static int64_t times(int64_t n, int64_t unit)
{
    return n > INT64_MAX / unit / 2 ? -1 : n * unit;
}

int ledger_conf_read(const char *path, struct ledger_conf *out, struct diag *d)
{
    struct conf k;
    memset(out, 0, sizeof *out);
    out->a = arena_new(4u << 20);
    if (out->a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the configuration");
    int rc = command_config(path, "ledger", ledger_conf_rules, ledger_conf_rule_count, out->a, &k,
                            out->dir, sizeof out->dir, d);
    if (rc != 0)
        return rc;
    const struct conf_section *s = conf_find(&k, "ledger", "");
    out->user = command_text(out->a, &k, "ledger", "user");
    out->origin = command_text(out->a, &k, "ledger", "origin");
    out->lock = below(out, &k, "lock");
    out->journals = below(out, &k, "journals");
    out->policy = below(out, &k, "policy");
    out->listen = command_text(out->a, &k, "ledger", "listen");
    out->health = command_text(out->a, &k, "ledger", "health");
    int64_t workers = conf_number(&k, s, "workers");
    out->workers = workers > WORKERS_MAX ? WORKERS_MAX + 1 : (int)workers;
    out->interval_ms = conf_number(&k, s, "interval_ms");
    out->keep_rounds_ms = times(conf_number(&k, s, "keep_rounds_days"), DAY_MS);
    out->partial_keep_ms = times(conf_number(&k, s, "partial_keep_s"), 1000);
    out->witness_timeout_ms = conf_number(&k, s, "witness_timeout_ms");
    rc = check(out, d);
    if (rc != 0)
        diag_where(d, "%s", path);
    return rc;
}

void ledger_conf_free(struct ledger_conf *c)
{
    arena_free(c->a);
    c->a = NULL;
}

int ledger_conf_key(const char *dir, const char *key, const char *name, struct note_key *out,
                    struct diag *d)
{
    char path[1400];
    struct buf pem;
    uint8_t public[32];
    size_t n = sizeof public;
    snprintf(path, sizeof path, "%s/keys/%s.pub", dir, key);
    buf_init(&pem, PEM_MAX);
    int rc = fs_read(path, &pem, d);
    BIO *bio = rc == 0 ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    EVP_PKEY *pkey = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    if (rc == 0 && (pkey == NULL || !EVP_PKEY_is_a(pkey, "ED25519") ||
                    EVP_PKEY_get_raw_public_key(pkey, public, &n) != 1 || n != sizeof public))
        rc = diag_set(d, ERR_CORRUPT, "%s is no public Ed25519 key", path);
    rc = rc != 0 ? rc : note_key_make(slice_str(name), NOTE_ED25519, public, out, d);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    buf_free(&pem);
    return rc;
}
