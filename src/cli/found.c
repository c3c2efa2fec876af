#include "cli/found.h"
#include "authority/authority.h"
#include "base/base64.h"
#include "base/err.h"
#include "cli/country.h"
#include "cli/found_ledger.h"
#include "crypto/cert.h"
#include "keys/keystore.h"
#include "proc/fs.h"
#include "proc/group.h"
#include "trust/trust.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define PATH_CAP 1400
#define CALL_MS 10000
#define ANSWER_MAX (1u << 20)

static int write_configs(const char *dir, struct diag *d)
{
    char path[PATH_CAP];
    int rc = 0;
    for (int i = 0; rc == 0 && i < COUNTRY_ROLES; i++) {
        const struct country_role *r = &country_roles[i];
        snprintf(path, sizeof path, "%s/%s/certs", dir, r->name);
        rc = fs_mkdirs(path, 0755, d);
        snprintf(path, sizeof path, "%s/%s/%s.conf", dir, r->name, r->name);
        rc = rc != 0 ? rc : fs_write(path, slice_str(r->config), 0644, d);
    }
    return rc;
}

/* A key in the gateway's store, and a request for its certificate beside it. */
static int make_key(const char *dir, const struct country_key *k, const char *kind, struct diag *d)
{
    const struct cert_rdn rdns[] = {{"2.5.4.3", k->member}};
    char path[PATH_CAP];
    struct keystore *store = NULL;
    EVP_PKEY *key = NULL;
    struct buf csr;
    buf_init(&csr, 65536);
    snprintf(path, sizeof path, "%s/%s", dir, country_roles[k->role].name);
    int rc = keystore_open(path, true, &store, d);
    rc = rc != 0 ? rc : keystore_generate(store, k->name, kind, &key, d);
    rc = rc != 0 ? rc : csr_make(key, rdns, 1, &csr, d);
    snprintf(path, sizeof path, "%s/%s/certs/%s.csr", dir, country_roles[k->role].name, k->name);
    rc = rc != 0 ? rc : fs_write(path, buf_view(&csr), 0644, d);
    EVP_PKEY_free(key);
    keystore_close(store);
    buf_free(&csr);
    return rc;
}

int found_files(const char *dir, const char *key_kind, struct diag *d)
{
    char path[PATH_CAP];
    int rc = write_configs(dir, d);
    snprintf(path, sizeof path, "%s/trust/trust.conf", dir);
    rc = rc != 0 ? rc : trust_init(path, d);
    snprintf(path, sizeof path, "%s/authority/authority.conf", dir);
    rc = rc != 0 ? rc : authority_init(path, d);
    for (size_t i = 0; rc == 0 && i < country_key_count; i++)
        rc = make_key(dir, &country_keys[i], key_kind, d);
    return rc != 0 ? rc : found_ledger(dir, d);
}

/* One command to a role; its text as the error when it says no. */
static int call(const char *dir, int role, struct slice command, struct buf *answer, struct diag *d)
{
    char path[PATH_CAP];
    int code = 0;
    snprintf(path, sizeof path, "%s/%s/control.sock", dir, country_roles[role].name);
    int rc = control_call(path, command, CALL_MS, &code, answer, d);
    if (rc != 0)
        return rc;
    return code == 0 ? 0
                     : diag_set(d, ERR_INVALID_REQUEST, "%s: %s", country_roles[role].name,
                                buf_cstr(answer));
}

static int issue(const char *dir, const struct country_key *k, struct diag *d)
{
    char path[PATH_CAP];
    struct buf csr, text, command, pem;
    struct json_out j;
    buf_init(&csr, 65536);
    buf_init(&text, 131072);
    buf_init(&command, 262144);
    buf_init(&pem, ANSWER_MAX);
    snprintf(path, sizeof path, "%s/%s/certs/%s.csr", dir, country_roles[k->role].name, k->name);
    int rc = fs_read(path, &csr, d);
    base64_append(&text, buf_view(&csr));
    buf_str(&command, "log ");
    json_begin(&j, &command);
    json_open(&j, '{');
    json_kstr(&j, "do", "issue");
    json_kstr(&j, "kind", k->kind);
    json_kslice(&j, "csr", buf_view(&text));
    json_kstr(&j, "instance", COUNTRY_INSTANCE);
    json_kstr(&j, "class", "GOV");
    json_kstr(&j, "code", k->code);
    json_kstr(&j, "name", k->member);
    json_kstr(&j, "server", k->server);
    json_close(&j, '}');
    rc = rc != 0 ? rc : call(dir, COUNTRY_TRUST, buf_view(&command), &pem, d);
    struct cert *c = rc == 0 ? cert_parse(buf_view(&pem), d) : NULL;
    if (rc == 0 && c == NULL)
        rc = ERR_INCORRECT_CERTIFICATE;
    snprintf(path, sizeof path, "%s/%s/certs/%s.der", dir, country_roles[k->role].name, k->name);
    rc = rc != 0 ? rc : fs_write(path, c->der, 0644, d);
    cert_free(c);
    buf_free(&csr);
    buf_free(&text);
    buf_free(&command);
    buf_free(&pem);
    return rc;
}

int found_certificates(const char *dir, struct diag *d)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < country_key_count; i++)
        rc = issue(dir, &country_keys[i], d);
    return rc;
}

/* A word, or with "@" the certificate of that file as base64. */
static int put_word(struct json_out *j, const char *dir, struct slice word, struct diag *d)
{
    char path[PATH_CAP];
    struct buf der, text;
    if (word.n == 0 || word.p[0] != '@') {
        json_str(j, word);
        return 0;
    }
    buf_init(&der, 65536);
    buf_init(&text, 131072);
    snprintf(path, sizeof path, "%s/%.*s", dir, (int)word.n - 1, (const char *)word.p + 1);
    int rc = fs_read(path, &der, d);
    base64_append(&text, buf_view(&der));
    json_str(j, buf_view(&text));
    buf_free(&der);
    buf_free(&text);
    return rc;
}

static int change(const char *dir, const char *words, struct diag *d)
{
    struct slice rest = slice_str(words), word;
    struct buf command, answer;
    struct json_out j;
    int rc = 0;
    buf_init(&command, 262144);
    buf_init(&answer, ANSWER_MAX);
    buf_str(&command, "log ");
    json_begin(&j, &command);
    json_open(&j, '[');
    while (rc == 0 && slice_next(&rest, '|', &word))
        rc = put_word(&j, dir, word, d);
    json_close(&j, ']');
    rc = rc != 0 ? rc : call(dir, COUNTRY_AUTHORITY, buf_view(&command), &answer, d);
    buf_free(&command);
    buf_free(&answer);
    return rc;
}

int found_members(const char *dir, struct diag *d)
{
    char path[PATH_CAP];
    struct buf anchor;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < country_word_count; i++)
        rc = change(dir, country_words[i], d);
    buf_init(&anchor, ANSWER_MAX);
    rc = rc != 0 ? rc : call(dir, COUNTRY_AUTHORITY, SLICE_LIT("log anchor"), &anchor, d);
    snprintf(path, sizeof path, "%s/anchor.xml", dir);
    rc = rc != 0 ? rc : fs_write(path, buf_view(&anchor), 0644, d);
    buf_free(&anchor);
    return rc;
}
