#include "gateway/gateway_check.h"
#include "base/err.h"
#include "crypto/cert.h"
#include "gateway/conffile.h"
#include "keys/keystore.h"
#include "net/net.h"
#include "proc/fs.h"
#include "xroad/params.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#define DAY_MS ((int64_t)86400000)
#define SOON_MS (14 * DAY_MS)
#define ANCHOR_MAX (1u << 20)

struct check {
    struct complaints *c;
    struct conffile file;
    struct conf conf;
    int64_t now_ms;
};

static void ignore(void *ctx, const struct diag *d)
{
    (void)ctx;
    (void)d;
}

/* --- [gateway] --- */

static void check_addresses(struct check *k, const struct conf_section *s)
{
    const struct serverconf *v = &k->file.conf;
    const struct {
        const char *key;
        struct slice text;
    } all[] = {{"http", v->http},
               {"https", v->https},
               {"peer", v->peer},
               {"ocsp", v->ocsp},
               {"health", slice_eq_str(v->health, "off") ? SLICE_NONE : v->health}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i].text.n == 0)
            continue;
        complaints_address(k->c, complaints_line(s, all[i].key), all[i].key, all[i].text);
        for (size_t j = 0; j < i; j++)
            if (slice_eq(all[i].text, all[j].text))
                complaints_add(k->c, false, complaints_line(s, all[i].key),
                               "%s and %s cannot both be %.*s", all[j].key, all[i].key,
                               SLICE_ARG(all[i].text));
    }
}

static void check_anchor(struct check *k, unsigned line)
{
    struct params_anchor anchor;
    struct buf xml;
    struct diag d = {0};
    char path[2048];
    snprintf(path, sizeof path, "%.*s", SLICE_ARG(k->file.conf.anchor));
    buf_init(&xml, ANCHOR_MAX);
    if (fs_read(path, &xml, &d) != 0)
        complaints_add(k->c, false, line, "anchor: %s", d.text);
    else if (params_anchor_parse(k->file.a, buf_view(&xml), &anchor, &d) != 0)
        complaints_add(k->c, false, line, "anchor: %s is no configuration anchor: %s", path,
                       d.text);
    else if (!slice_eq(anchor.instance, k->file.conf.server.instance))
        complaints_add(k->c, false, line, "anchor: it is of the instance %.*s, the server of %.*s",
                       SLICE_ARG(anchor.instance), SLICE_ARG(k->file.conf.server.instance));
    buf_free(&xml);
}

/* --- [key] --- */

static void check_certificate(struct check *k, const struct serverconf_key *key, const char *name,
                              const char *dir, unsigned line)
{
    struct diag d = {0};
    bool fits = false;
    struct cert *cert = cert_parse(key->cert, &d);
    if (cert == NULL) {
        complaints_add(k->c, false, line, "certificate: %s", d.text);
        return;
    }
    int rc =
        key->signing ? cert_is_signing(cert, &fits, &d) : cert_is_authentication(cert, &fits, &d);
    if (rc != 0 || !fits)
        complaints_add(k->c, false, line, "certificate: it is no certificate for %s",
                       key->signing ? "signing" : "authentication");
    if (cert->not_after_ms <= k->now_ms)
        complaints_add(k->c, false, line, "certificate: it has expired");
    else if (cert->not_before_ms > k->now_ms)
        complaints_add(k->c, false, line, "certificate: it is not valid yet");
    else if (cert->not_after_ms - k->now_ms < SOON_MS)
        complaints_add(k->c, true, line, "certificate: it expires in %lld days",
                       (long long)((cert->not_after_ms - k->now_ms) / DAY_MS));
    if (keystore_check(dir, name, cert->key, &d) != 0)
        complaints_add(k->c, false, line, "certificate: %s", d.text);
    cert_free(cert);
}

static void check_keys(struct check *k)
{
    const struct serverconf *v = &k->file.conf;
    bool signs = false, authenticates = false;
    char dir[2048], name[128], path[2300];
    snprintf(dir, sizeof dir, "%.*s", SLICE_ARG(v->dir));
    for (size_t i = 0; i < v->n_keys; i++) {
        if (!slice_cstr(v->keys[i].name, name, sizeof name))
            continue;
        const struct conf_section *s = conf_find(&k->conf, "key", name);
        unsigned line = complaints_line(s, "certificate");
        signs |= v->keys[i].signing;
        authenticates |= !v->keys[i].signing;
        snprintf(path, sizeof path, "%s/keys/%s.key", dir, name);
        if (!fs_exists(path))
            complaints_add(k->c, false, s == NULL ? 0 : s->line,
                           "there is no key %s in %s/keys: make it with sild gateway key new", name,
                           dir);
        else if (v->keys[i].cert.n == 0)
            complaints_add(k->c, true, line, "the key %s waits for its certificate", name);
        else
            check_certificate(k, &v->keys[i], name, dir, line);
    }
    if (!signs || !authenticates)
        complaints_add(k->c, false, 0, "there is no [key] with use = %s",
                       authenticates ? "signing" : "authentication");
}

/* --- clients and services --- */

static bool has_signing_key(const struct serverconf *v, const struct id_client *id)
{
    for (size_t i = 0; i < v->n_keys; i++)
        if (v->keys[i].signing && id_member_eq(&v->keys[i].member, id))
            return true;
    return false;
}

static void check_client(struct check *k, const struct conf_section *s)
{
    struct id_client id;
    if (id_client_from_short(s->name, &id) != 0)
        return;
    if (!has_signing_key(&k->file.conf, &id))
        complaints_add(k->c, true, s->line,
                       "its member has no [key] with use = signing here: it cannot exchange");
    if (slice_eq_str(conf_text(&k->conf, s, "connection"), "https-certificate") &&
        conf_each(s, "certificate", NULL) == NULL)
        complaints_add(k->c, true, complaints_line(s, "connection"),
                       "connection is https-certificate, but there is no certificate: nobody can "
                       "connect");
}

static void check_local_group(struct check *k, const struct serverconf_service *v,
                              const struct conf_entry *e)
{
    struct slice group = slice_from(e->value, 6);
    size_t blank = slice_find(group, ' ');
    group = slice_sub(group, 0, blank == SIZE_MAX ? group.n : blank);
    for (size_t i = 0; v->provider != NULL && i < v->provider->n_groups; i++)
        if (slice_eq(v->provider->groups[i].code, group))
            return;
    complaints_add(k->c, true, e->line,
                   "the provider has no [group … %.*s]: nobody is allowed by it", SLICE_ARG(group));
}

static void check_service(struct check *k, const struct conf_section *s)
{
    const struct serverconf_service *v = NULL;
    struct id_service id;
    if (id_service_from_short(s->name, &id) == 0)
        v = serverconf_service(&k->file.conf, &id);
    if (v == NULL)
        return;
    if (v->n_urls == 0)
        complaints_add(k->c, false, s->line, "the service has no url");
    for (const struct conf_entry *e = NULL; (e = conf_each(s, "url", e)) != NULL;) {
        complaints_url(k->c, e->line, e->value);
        if (slice_istarts(e->value, "https:") && v->verify_tls && v->n_tls_certs == 0)
            complaints_add(k->c, false, e->line,
                           "an https url wants tls_certificate, or verify_tls = no");
    }
    if (v->keep_bodies && k->file.conf.log_owner.n == 0)
        complaints_add(k->c, false, complaints_line(s, "keep_bodies"),
                       "keep_bodies wants [log] owner_key, to which bodies are sealed");
    if (v->n_rights == 0)
        complaints_add(k->c, true, s->line, "nobody is allowed to use the service");
    for (const struct conf_entry *e = NULL; (e = conf_each(s, "allow", e)) != NULL;)
        if (slice_starts(e->value, "local:"))
            check_local_group(k, v, e);
}

/* With less free than is wanted nothing is exchanged. */
static void check_room(struct check *k, const struct conf_section *log, const char *dir)
{
    struct statvfs v;
    if (statvfs(dir, &v) != 0)
        return; /* the folder has its own complaint */
    uint64_t room = (uint64_t)v.f_bavail * v.f_frsize;
    if (room < k->file.conf.min_free)
        complaints_add(k->c, false, complaints_line(log, "min_free"),
                       "min_free: the disk of %s has only %llu MiB left", dir,
                       (unsigned long long)(room >> 20));
}

static void look(struct check *k)
{
    const struct conf_section *s = conf_find(&k->conf, "gateway", "");
    const struct conf_section *log = conf_find(&k->conf, "log", "");
    char dir[2048];
    check_addresses(k, s);
    snprintf(dir, sizeof dir, "%.*s", SLICE_ARG(k->file.conf.dir));
    complaints_folder(k->c, complaints_line(s, "dir"), dir);
    check_room(k, log, dir);
    check_anchor(k, complaints_line(s, "anchor"));
    check_keys(k);
    submit_conf_check(&k->conf, &k->file.conf.ledger, dir, k->c);
    for (const struct conf_entry *e = NULL; (e = conf_each(log, "time_stamping", e)) != NULL;)
        complaints_url(k->c, e->line, e->value);
    if (k->file.conf.n_tsas == 0)
        complaints_add(k->c, false, log == NULL ? 0 : log->line,
                       "there is no [log] time_stamping: nothing can be exchanged");
    for (s = k->conf.sections; s != NULL; s = s->next) {
        if (slice_eq_str(s->kind, "client"))
            check_client(k, s);
        else if (slice_eq_str(s->kind, "service"))
            check_service(k, s);
    }
}

int gateway_check(const char *path, int64_t now_ms, struct complaints *c, struct diag *d)
{
    struct check k = {.c = c, .now_ms = now_ms};
    int rc = conffile_check(path, &k.file, complaints_diag, c, d);
    if (rc == 0)
        rc = conf_parse_all(k.file.a, buf_view(&k.file.text), serverconf_rules,
                            serverconf_rule_count, &k.conf, ignore, NULL);
    if ((rc == 0 || rc == ERR_SYNTAX) && conf_find(&k.conf, "gateway", "") != NULL)
        look(&k);
    conffile_free(&k.file);
    return rc == ERR_SYNTAX ? 0 : rc;
}
