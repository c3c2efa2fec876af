/*
 * Grows the authority of a country that is not running to so many servers and subsystems, as its
 * own words would ("member add", "subsystem add", "server add", "cert add", "client add"), in its
 * own journal; then makes, signs and verifies the configuration that follows, and says how long
 * that took. What a gateway needs for it is seen by starting the country again.
 *
 *     bench-scale FOLDER SERVERS SUBSYSTEMS
 *
 * FOLDER is the authority's. Lines: name value unit.
 */
#include "authority/publish.h"
#include "base/base64.h"
#include "base/err.h"
#include "base/opt.h"
#include "crypto/cert_issue.h"
#include "journal/journal.h"
#include "keys/keystore.h"
#include "proc/certfile.h"
#include "proc/fs.h"
#include "wire/json.h"
#include "xroad/directory.h"
#include "xroad/globalconf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GENERATION_MAX (256u << 20)
#define BATCH 1000 /* records to a sync */

struct scale {
    struct authority_conf conf;
    struct journal *journal;
    struct state *state;
    struct publish_keys keys;
    struct cert *issuer;
    EVP_PKEY *key;
    struct buf words;
    uint64_t changes;
    struct diag d;
};

static void check(int rc, const struct diag *d)
{
    if (rc == 0)
        return;
    fprintf(stderr, "bench-scale: %s: %s\n", d->where, d->text);
    exit(EXIT_COULD_NOT);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void say(const char *name, double value, const char *unit)
{
    printf("%s %.3f %s\n", name, value, unit);
}

/* --- growing --- */

static int replay(void *ctx, const struct journal_record *rec)
{
    struct scale *s = ctx;
    return rec->type == STATE_CHANGE ? state_apply(s->state, rec->payload, &s->d) : 0;
}

static void open_authority(struct scale *s, const char *folder)
{
    char path[2048];
    struct keystore *store = NULL;
    snprintf(path, sizeof path, "%s/authority.conf", folder);
    check(authority_conf_read(path, &s->conf, &s->d), &s->d);
    s->keys.internal_cert = certfile_read(s->conf.dir, "internal", &s->d);
    s->keys.external_cert = certfile_read(s->conf.dir, "external", &s->d);
    check(s->keys.internal_cert == NULL || s->keys.external_cert == NULL, &s->d);
    check(keystore_open(s->conf.dir, false, &store, &s->d), &s->d);
    check(keystore_load(store, "internal", &s->keys.internal, &s->d), &s->d);
    check(keystore_load(store, "external", &s->keys.external, &s->d), &s->d);
    keystore_close(store);
    s->state = state_new(s->conf.instance);
    snprintf(path, sizeof path, "%s/journal", s->conf.dir);
    check(journal_open(path, NULL, &s->journal, &s->d), &s->d);
    check(journal_scan(s->journal, 0, replay, s, &s->d), &s->d);
}

/* One change: words, applied and recorded. */
static void change(struct scale *s, const char *const *words)
{
    struct json_out j;
    uint64_t seq;
    buf_reset(&s->words);
    json_begin(&j, &s->words);
    json_open(&j, '[');
    for (; *words != NULL; words++)
        json_str(&j, slice_str(*words));
    json_close(&j, ']');
    struct slice text = buf_view(&s->words);
    check(state_apply(s->state, text, &s->d), &s->d);
    check(journal_append(s->journal, STATE_CHANGE, 0, wall_ms(), SLICE_NONE, text, &seq, &s->d),
          &s->d);
    if (++s->changes % BATCH == 0)
        check(journal_sync(s->journal, &s->d), &s->d);
}

/* A certificate of its own for a server, by a CA that exists for this only. */
static void make_cert(struct scale *s, size_t i, struct buf *base64)
{
    char name[32];
    const struct cert_rdn rdns[] = {{"2.5.4.3", name}};
    struct cert_spec spec = {.purpose = CERT_AUTH,
                             .rdns = rdns,
                             .rdn_count = 1,
                             .serial = {0x40},
                             .not_after_ms = 2145916800000};
    struct buf der;
    snprintf(name, sizeof name, "ss%zu", i);
    for (int k = 0; k < 8; k++)
        spec.serial[15 - k] = (uint8_t)((uint64_t)i >> 8 * k);
    buf_init(&der, 65536);
    check(cert_issue(&spec, s->key, s->issuer, s->key, &der, &s->d), &s->d);
    buf_reset(base64);
    base64_append(base64, buf_view(&der));
    buf_free(&der);
}

static void make_issuer(struct scale *s)
{
    const struct cert_rdn rdns[] = {{"2.5.4.3", "Scale"}};
    struct cert_spec spec = {.purpose = CERT_CA,
                             .rdns = rdns,
                             .rdn_count = 1,
                             .serial = {1},
                             .not_after_ms = 2145916800000};
    struct buf der;
    buf_init(&der, 65536);
    s->key = key_generate("p256", &s->d);
    check(s->key == NULL, &s->d);
    check(cert_issue(&spec, s->key, NULL, s->key, &der, &s->d), &s->d);
    s->issuer = cert_parse(buf_view(&der), &s->d);
    check(s->issuer == NULL, &s->d);
    buf_free(&der);
}

static void add_server(struct scale *s, size_t i, struct buf *cert)
{
    char code[24], owner[40], id[80], name[64], host[64];
    snprintf(code, sizeof code, "%08zu", 80000000 + i);
    snprintf(owner, sizeof owner, "COM/%s", code);
    snprintf(id, sizeof id, "%s/ss%zu", owner, i);
    snprintf(name, sizeof name, "Company number %zu", i);
    snprintf(host, sizeof host, "10.%zu.%zu.%zu", i >> 16 & 255, i >> 8 & 255, i & 255);
    make_cert(s, i, cert);
    change(s, (const char *[]){"member", "add", "COM", code, name, NULL});
    change(s, (const char *[]){"server", "add", owner, strrchr(id, '/') + 1, host, NULL});
    change(s, (const char *[]){"cert", "add", id, buf_cstr(cert), NULL});
    change(s, (const char *[]){"group", "join", "security-server-owners", owner, NULL});
}

static void add_subsystem(struct scale *s, size_t k, size_t servers)
{
    size_t i = k % servers;
    char owner[40], id[80], client[80], sub[32], name[64];
    snprintf(owner, sizeof owner, "COM/%08zu", 80000000 + i);
    snprintf(id, sizeof id, "%s/ss%zu", owner, i);
    snprintf(sub, sizeof sub, "system%zu", k / servers);
    snprintf(client, sizeof client, "%s/%s", owner, sub);
    snprintf(name, sizeof name, "Information system number %zu", k);
    change(s, (const char *[]){"subsystem", "add", owner, sub, name, NULL});
    change(s, (const char *[]){"client", "add", id, client, NULL});
}

/* --- the configuration that follows --- */

static struct slice find(const struct publish_set *set, const char *end)
{
    for (size_t i = 0; i < set->n; i++) {
        struct slice path = slice_str(set->f[i].path);
        if (slice_starts(path, "V6/") && slice_ends(path, end))
            return set->f[i].bytes;
    }
    return SLICE_NONE;
}

static void verify(struct scale *s, const struct publish_set *set)
{
    struct arena *a = arena_new(GENERATION_MAX);
    struct directory *dir = arena_zalloc(a, sizeof *dir);
    struct slice shared = find(set, "/shared-params.xml"), cert = s->keys.internal_cert->der;
    struct globalconf *g;
    struct buf image;
    double begin = now_ms();
    check(directory_verify(a, find(set, "internalconf"), &cert, 1, slice_str(s->conf.instance),
                           wall_ms(), dir, &s->d),
          &s->d);
    for (size_t i = 0; i < dir->n; i++)
        if (slice_eq_str(dir->part[i].identifier, "SHARED-PARAMETERS"))
            check(directory_check_part(&dir->part[i], shared, &s->d), &s->d);
    struct globalconf_file f[] = {
        {"instance-identifier", slice_str(s->conf.instance)},
        {arena_printf(a, "%s/shared-params.xml", s->conf.instance), shared},
        {arena_printf(a, "%s/shared-params.xml.metadata", s->conf.instance),
         SLICE_LIT("{\"configurationVersion\":\"6\"}")},
    };
    buf_init(&image, GENERATION_MAX);
    check(globalconf_from_files(f, ARRAY_LEN(f), &image, &s->d), &s->d);
    check(globalconf_open(buf_view(&image), &g, &s->d), &s->d);
    say("verify", now_ms() - begin, "ms");
    say("parameters", (double)shared.n / 1e6, "MB");
    say("image", (double)image.n / 1e6, "MB");
    globalconf_close(g);
    buf_free(&image);
    arena_free(a);
}

static void publish(struct scale *s)
{
    struct arena *a = arena_new(GENERATION_MAX);
    struct publish_set *set = arena_zalloc(a, sizeof *set);
    double begin = now_ms();
    check(publish_make(&s->conf, s->state, &s->keys, wall_ms(), a, set, &s->d), &s->d);
    say("publish", now_ms() - begin, "ms");
    verify(s, set);
    arena_free(a);
}

static void release(struct scale *s)
{
    journal_close(s->journal);
    state_free(s->state);
    EVP_PKEY_free(s->keys.internal);
    EVP_PKEY_free(s->keys.external);
    cert_free(s->keys.internal_cert);
    cert_free(s->keys.external_cert);
    cert_free(s->issuer);
    EVP_PKEY_free(s->key);
    buf_free(&s->words);
    authority_conf_free(&s->conf);
}

int main(int argc, char **argv)
{
    static struct scale s;
    uint64_t servers, subsystems;
    struct buf cert;
    if (argc != 4 || !slice_u64(slice_str(argv[2]), &servers) || servers == 0 ||
        !slice_u64(slice_str(argv[3]), &subsystems)) {
        fprintf(stderr, "usage: bench-scale FOLDER SERVERS SUBSYSTEMS\n");
        return EXIT_USE;
    }
    buf_init(&s.words, 1u << 20);
    buf_init(&cert, 1u << 17);
    open_authority(&s, argv[1]);
    make_issuer(&s);
    double begin = now_ms();
    for (size_t i = 0; i < servers; i++)
        add_server(&s, i, &cert);
    for (size_t k = 0; k < subsystems; k++)
        add_subsystem(&s, k, servers);
    check(journal_sync(s.journal, &s.d), &s.d);
    say("changes", (double)s.changes, "records");
    say("growing", now_ms() - begin, "ms");
    publish(&s);
    buf_free(&cert);
    release(&s);
    return EXIT_DONE;
}
