/*
 * A file's layout: text.
 *
 *   sild/refused@v1
 *   time <POSIX seconds>
 *   why <sentence>
 *
 *   held <bytes>
 *   <the signed checkpoint held>
 *   request <bytes>
 *   <the request>
 */
#include "witness/witness_refused.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "proc/fs.h"
#include "proc/report.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX (512u << 10)
#define NAME_BYTES 16 /* of the digest */

int witness_refused_open(struct witness_refused *r, const char *dir, struct diag *d)
{
    struct dirent *e;
    *r = (struct witness_refused){0};
    snprintf(r->dir, sizeof r->dir, "%s", dir);
    DIR *at = opendir(dir);
    if (at == NULL)
        return diag_set(d, err_from_errno(errno), "cannot read the folder %s: %s", dir,
                        strerror(errno));
    while ((e = readdir(at)) != NULL) {
        r->forks += strncmp(e->d_name, "fork-", 5) == 0;
        r->proofs += strncmp(e->d_name, "proof-", 6) == 0;
    }
    closedir(at);
    return 0;
}

static int write_file(const char *path, int64_t time_s, const char *why, struct slice held,
                      struct slice request, struct diag *d)
{
    struct buf b;
    buf_init(&b, FILE_MAX);
    buf_printf(&b, "sild/refused@v1\ntime %lld\nwhy %s\n\nheld %zu\n", (long long)time_s, why,
               held.n);
    buf_slice(&b, held);
    buf_printf(&b, "request %zu\n", request.n);
    buf_slice(&b, request);
    int rc = b.failed ? diag_set(d, ERR_TOO_LARGE, "a refused request is too large to be kept")
                      : fs_write(path, buf_view(&b), 0600, d);
    buf_free(&b);
    return rc;
}

void witness_refused_keep(struct witness_refused *r, bool fork, int64_t time_s, const char *why,
                          struct slice text, struct slice held, struct slice request)
{
    char path[1400], name[2 * NAME_BYTES + 1];
    struct digest of;
    struct diag d = {0};
    unsigned *count = fork ? &r->forks : &r->proofs;
    digest_of(DIGEST_SHA256, text, &of);
    hex_print(slice_of(of.b, NAME_BYTES), name);
    snprintf(path, sizeof path, "%s/%s-%s", r->dir, fork ? "fork" : "proof", name);
    if (fs_exists(path))
        return;
    if (*count >= WITNESS_REFUSED_MAX) {
        if (!r->told)
            report(REPORT_WARN, "evidence_full",
                   "%s holds %u refused requests of a kind: no more are kept", r->dir, *count);
        r->told = true;
        return;
    }
    if (write_file(path, time_s, why, held, request, &d) != 0) {
        report_diag(REPORT_ERROR, "evidence", NULL, &d);
        return;
    }
    ++*count;
    report(fork ? REPORT_ERROR : REPORT_WARN, fork ? "fork" : "refused", "%s: kept in %s", why,
           path);
}
