#include "cli/proof_policy.h"
#include "base/err.h"
#include "proc/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The folder of pinned policies; false when there is no home. */
static bool pins(char *out, size_t cap)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n = -1;
    if (config != NULL && config[0] == '/')
        n = snprintf(out, cap, "%s/sild/ledgers", config);
    else if (home != NULL && home[0] == '/')
        n = snprintf(out, cap, "%s/.config/sild/ledgers", home);
    return n > 0 && (size_t)n < cap;
}

/* The file for an origin. Only what a file's name may hold stays of it, so that no origin leads out
 * of the folder. */
static bool pin_of(struct slice origin, char path[PROOF_POLICY_PATH])
{
    char dir[PROOF_POLICY_PATH - NOTE_NAME_MAX - 16], name[NOTE_NAME_MAX + 1];
    if (!pins(dir, sizeof dir) || origin.n == 0 || !slice_cstr(origin, name, sizeof name))
        return false;
    for (char *p = name; *p != '\0'; p++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_", *p) == NULL)
            *p = '_';
    snprintf(path, PROOF_POLICY_PATH, "%s/%s.policy", dir, name);
    return true;
}

static int read_policy(const char *path, struct buf *text, struct policy **out, struct diag *d)
{
    buf_init(text, POLICY_MAX);
    int rc = fs_read(path, text, d);
    rc = rc != 0 ? rc : policy_parse(buf_view(text), out, d);
    if (rc != 0 && d->where[0] == '\0')
        diag_where(d, "%s", path);
    return rc;
}

/* A policy that does not speak of this ledger is none for it. */
static bool is_about(const struct policy *p, struct slice origin)
{
    for (size_t i = 0; i < p->n_logs; i++)
        if (slice_eq(note_key_name(&p->log[i].key), origin))
            return true;
    return false;
}

static int load(const char *path, struct policy **out, struct diag *d)
{
    struct buf text;
    int rc = read_policy(path, &text, out, d);
    buf_free(&text);
    return rc;
}

int proof_policy_find(const char *named, const char *dir, struct slice origin, struct policy **out,
                      char path[PROOF_POLICY_PATH], struct diag *d)
{
    *out = NULL;
    if (named != NULL) {
        snprintf(path, PROOF_POLICY_PATH, "%s", named);
        return load(path, out, d);
    }
    snprintf(path, PROOF_POLICY_PATH, "%s/ledger/policy", dir);
    if (fs_exists(path)) {
        int rc = load(path, out, d);
        if (rc != 0 || is_about(*out, origin))
            return rc;
        policy_free(*out);
        *out = NULL;
    }
    if (pin_of(origin, path) && fs_exists(path))
        return load(path, out, d);
    return diag_set(d, ERR_NOT_FOUND,
                    "no policy says whom to believe about the ledger %.*s: there is none in "
                    "%s/ledger/policy, and none was pinned; name one by --policy FILE",
                    SLICE_ARG(origin), dir);
}

/* The folder is made on the way. */
static int write_pin(const char *path, struct slice text, struct diag *d)
{
    char dir[PROOF_POLICY_PATH];
    if (!pins(dir, sizeof dir))
        return diag_set(d, ERR_NOT_FOUND, "there is no home folder");
    int rc = fs_mkdirs(dir, 0755, d);
    return rc != 0 ? rc : fs_write(path, text, 0644, d);
}

int proof_policy_pin(struct slice origin, const char *file, char path[PROOF_POLICY_PATH],
                     bool *pinned, struct diag *d)
{
    struct policy *ours = NULL;
    struct buf text, old;
    *pinned = false;
    if (!pin_of(origin, path))
        return diag_set(d, ERR_NOT_FOUND, "there is no home folder to keep its policy in");
    buf_init(&old, POLICY_MAX);
    int rc = read_policy(file, &text, &ours, d);
    if (rc == 0 && fs_exists(path)) {
        rc = fs_read(path, &old, d);
        if (rc == 0 && !slice_eq(buf_view(&old), buf_view(&text)))
            rc = diag_set(d, ERR_EXISTS,
                          "another policy is pinned for the ledger %.*s: %s stays as it is; delete "
                          "it when the change is a right one",
                          SLICE_ARG(origin), path);
    } else if (rc == 0) {
        rc = write_pin(path, buf_view(&text), d);
        *pinned = rc == 0;
    }
    policy_free(ours);
    buf_free(&text);
    buf_free(&old);
    return rc;
}
