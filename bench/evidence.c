/*
 * How many containers and live signatures one core verifies a second:
 *
 *     bench-evidence VECTORS [SECONDS [NAME]]
 *
 * Containers and messages are those of the worked example. "new" has no cache; "known" remembers
 * verdicts on certificates, OCSP responses, time-stamps and batches, as a gateway does.
 */
#include "base/err.h"
#include "evidence/asic.h"
#include "proc/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define JUDGED_AT 1767607500000 /* 2026-01-05T10:05:00Z */

static const char *vectors;
static double seconds = 1;
static const char *only; /* the one line wanted, "single-ec known"; NULL: all */
static struct globalconf *conf;
static struct arena *arena;

static void fail(const char *what, const struct diag *d)
{
    fprintf(stderr, "bench-evidence: %s: %s\n", what, d->text);
    exit(3);
}

static struct slice file(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/xroad/worked/%s", vectors, name);
    struct buf b;
    struct diag d = {0};
    buf_init(&b, 1u << 20);
    if (fs_read(path, &b, &d) != 0)
        fail(path, &d);
    return buf_view(&b);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void open_conf(void)
{
    static struct buf image;
    struct globalconf_file f[] = {
        {"instance-identifier", file("globalconf/instance-identifier")},
        {"ZZ/shared-params.xml", file("globalconf/ZZ/shared-params.xml")},
        {"ZZ/shared-params.xml.metadata", file("globalconf/ZZ/shared-params.xml.metadata")},
    };
    struct diag d = {0};
    buf_init(&image, 1u << 24);
    if (globalconf_from_files(f, 3, &image, &d) != 0 ||
        globalconf_open(buf_view(&image), &conf, &d) != 0)
        fail("configuration", &d);
}

static void report(const char *name, const char *how, size_t n, double s)
{
    printf("%-28s %-6s %9.0f /s  %7.1f us\n", name, how, (double)n / s, s * 1e6 / (double)n);
}

static bool wanted(const char *name, const struct xades_cache *cache)
{
    char line[64];
    snprintf(line, sizeof line, "%s %s", name, cache == NULL ? "new" : "known");
    return only == NULL || strcmp(only, line) == 0;
}

static void containers(const char *name, struct xades_cache *cache)
{
    if (!wanted(name, cache))
        return;
    char path[256];
    snprintf(path, sizeof path, "asic/%s.asice", name);
    struct slice bytes = file(path);
    double begin = now(), s = 0;
    size_t n = 0;
    for (; (s = now() - begin) < seconds; n++) {
        struct asic_report r;
        struct diag d = {0};
        arena_reset(arena);
        if (asic_verify_cached(conf, cache, arena, bytes, &r, &d) != 0)
            fail(name, &d);
        asic_report_free(&r);
    }
    report(name, cache == NULL ? "new" : "known", n, s);
}

static void live(const char *name, struct xades_live *m, struct xades_cache *cache)
{
    if (!wanted(name, cache))
        return;
    struct id_client sender = {SLICE_LIT("ZZ"), SLICE_LIT("GOV"), SLICE_LIT("100"),
                               SLICE_LIT("registry")};
    m->sender = &sender;
    double begin = now(), s = 0;
    size_t n = 0;
    for (; (s = now() - begin) < seconds; n++) {
        struct diag d = {0};
        arena_reset(arena);
        if (xades_verify_live(conf, cache, arena, m, JUDGED_AT, &d) != 0)
            fail(name, &d);
    }
    report(name, cache == NULL ? "new" : "known", n, s);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench-evidence VECTORS [SECONDS [NAME]]\n");
        return 2;
    }
    vectors = argv[1];
    if (argc > 2)
        seconds = atof(argv[2]);
    if (argc > 3)
        only = argv[3];
    open_conf();
    arena = arena_new(32u << 20);
    struct xades_cache *caches[] = {NULL, xades_cache_new(1024)};
    struct xades_live single = {.parts = 1, .signature = file("single-ec/signatures.xml")};
    struct xades_live batch = {.parts = 2,
                               .signature = file("batch-ec/signatures.xml"),
                               .result = file("batch-ec/sig-hashchainresult.xml"),
                               .chain = file("batch-ec/message2.sig-hashchain.xml")};
    digest_of(DIGEST_SHA512, file("message1.xml"), &single.part[0]);
    digest_of(DIGEST_SHA512, file("message2.txt"), &batch.part[0]);
    digest_of(DIGEST_SHA512, file("message2.attachment1"), &batch.part[1]);
    for (size_t i = 0; i < 2; i++) {
        containers("single-rsa", caches[i]);
        containers("single-ec", caches[i]);
        containers("batch-ec-message2", caches[i]);
        live("live, single-ec", &single, caches[i]);
        live("live, batch-ec", &batch, caches[i]);
    }
    xades_cache_free(caches[1]);
    arena_free(arena);
    globalconf_close(conf);
    return 0;
}
