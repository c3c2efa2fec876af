#include "cli/found_ledger.h"
#include "base/err.h"
#include "cli/country.h"
#include "keys/keystore.h"
#include "ledger/ledger.h"
#include "proc/fs.h"
#include "submit/submit_key.h"
#include "tlog/policy.h"
#include "witness/witness.h"
#include "witness/witness_conf.h"

#include <stdio.h>

#define PATH_CAP 1400

static void folder_of(const char *dir, int role, char out[PATH_CAP])
{
    snprintf(out, PATH_CAP, "%s/%s", dir, country_roles[role].name);
}

static int write_into(const char *dir, int role, const char *name, const struct buf *text,
                      struct diag *d)
{
    char path[PATH_CAP + 64];
    snprintf(path, sizeof path, "%s/%s/%s", dir, country_roles[role].name, name);
    return text->failed ? diag_set(d, ERR_TOO_LARGE, "%s is too large", path)
                        : fs_write(path, buf_view(text), 0644, d);
}

/* The journal's key, where its role's founding has made none. */
static int add_journal(const char *dir, const struct country_journal *j, struct buf *list,
                       struct diag *d)
{
    char folder[PATH_CAP];
    struct keystore *store = NULL;
    struct note_key key;
    folder_of(dir, j->role, folder);
    int rc = keystore_open(folder, true, &store, d);
    rc = rc != 0 ? rc : submit_key_make(store, d);
    keystore_close(store);
    rc = rc != 0 ? rc : submit_key_read(folder, slice_str(j->origin), &key, d);
    if (rc != 0)
        return rc;
    note_key_print(&key, list);
    buf_byte(list, '\n');
    note_key_free(&key);
    return 0;
}

static int make_journals(const char *dir, struct diag *d)
{
    struct buf list;
    int rc = 0;
    buf_init(&list, POLICY_MAX);
    for (size_t i = 0; rc == 0 && i < country_journal_count; i++)
        rc = add_journal(dir, &country_journals[i], &list, d);
    rc = rc != 0 ? rc : write_into(dir, COUNTRY_LEDGER, "journals", &list, d);
    buf_free(&list);
    return rc;
}

/* The witness, which is told the ledger's key (log), and its line of the policy. */
static int make_witness(const char *dir, const struct country_witness *w, const struct buf *log,
                        struct buf *policy, struct diag *d)
{
    char folder[PATH_CAP], path[PATH_CAP + 64];
    struct buf vkey;
    buf_init(&vkey, 4096);
    folder_of(dir, w->role, folder);
    int rc = witness_init(folder, w->name, NULL, d);
    snprintf(path, sizeof path, "%s/" WITNESS_VKEY, folder);
    rc = rc != 0 ? rc : fs_read(path, &vkey, d);
    rc = rc != 0 ? rc : write_into(dir, w->role, "logs", log, d);
    struct slice text = slice_trim(buf_view(&vkey));
    buf_printf(policy, "witness %s %.*s %s\n", w->label, SLICE_ARG(text), w->url);
    buf_free(&vkey);
    return rc;
}

static int make_policy(const char *dir, struct diag *d)
{
    char folder[PATH_CAP], vkey[NOTE_VKEY_MAX + 1] = "";
    struct buf log, policy;
    buf_init(&log, NOTE_VKEY_MAX + 1);
    buf_init(&policy, POLICY_MAX);
    folder_of(dir, COUNTRY_LEDGER, folder);
    int rc = ledger_init(folder, NULL, COUNTRY_LEDGER_ORIGIN, COUNTRY_LEDGER_URL, vkey, d);
    buf_printf(&log, "%s\n", vkey);
    buf_printf(&policy, "log %s " COUNTRY_LEDGER_URL "\n", vkey);
    for (size_t i = 0; rc == 0 && i < country_witness_count; i++)
        rc = make_witness(dir, &country_witnesses[i], &log, &policy, d);
    buf_printf(&policy, "group witnesses %d", COUNTRY_QUORUM);
    for (size_t i = 0; i < country_witness_count; i++)
        buf_printf(&policy, " %s", country_witnesses[i].label);
    buf_str(&policy, "\nquorum witnesses\n");
    rc = rc != 0 ? rc : write_into(dir, COUNTRY_LEDGER, "policy", &policy, d);
    buf_free(&log);
    buf_free(&policy);
    return rc;
}

int found_ledger(const char *dir, struct diag *d)
{
    int rc = make_journals(dir, d);
    return rc != 0 ? rc : make_policy(dir, d);
}
