#include "trust/ca.h"
#include "base/base64.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/map.h"
#include "base/opt.h"
#include "crypto/cert.h"
#include "journal/journal.h"
#include "keys/remote.h"
#include "proc/certfile.h"
#include "proc/fs.h"
#include "proc/report.h"
#include "proc/sandbox.h"
#include "submit/submitter.h"
#include "trust/trust_conf.h"
#include "trust/trust_facts.h"
#include "wire/json.h"
#include "xroad/trust.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_SYNC_MS 1000 /* so often a full disk is tried again */
#define CERTS_MAX (1u << 22)

struct issued {
    uint8_t serial[CA_SERIAL_MAX];
    uint8_t n;
    bool revoked;
    uint8_t reason;
    int64_t revoked_ms;
};

struct ca {
    struct group_self *self;
    struct loop *loop;
    struct trust_conf conf;
    struct journal *journal;
    struct map *by_serial;
    struct ipc *worker;
    struct submitter *submitter; /* NULL: no ledger is configured */
    int key_line;
    EVP_PKEY *key;
    struct cert *cert;
    uint64_t seen;            /* records of the journal that the view has */
    struct loop_timer *again; /* a record is not on the disk yet */
};

static void tell(struct ca *c, const struct issued *i);

static struct slice serial_of(const struct issued *i)
{
    return slice_of(i->serial, i->n);
}

/* --- the view --- */

static struct issued *note_issued(struct ca *c, struct slice serial)
{
    struct issued *i = calloc(1, sizeof *i);
    if (i == NULL || serial.n > CA_SERIAL_MAX) {
        free(i);
        return NULL;
    }
    memcpy(i->serial, serial.p, serial.n);
    i->n = (uint8_t)serial.n;
    if (map_put(c->by_serial, serial_of(i), i) != 0) {
        free(i);
        return NULL;
    }
    return i;
}

/* The serial number's bytes, big-endian without leading zeros. */
static size_t cert_serial(const struct cert *cert, uint8_t out[CA_SERIAL_MAX + 1])
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert->x509), NULL);
    int len = n == NULL || BN_num_bytes(n) > CA_SERIAL_MAX ? 0 : BN_bn2bin(n, out);
    BN_free(n);
    return len < 0 ? 0 : (size_t)len;
}

static int replay(void *ctx, const struct journal_record *r)
{
    struct ca *c = ctx;
    if (r->type == CA_ISSUED) {
        uint8_t serial[CA_SERIAL_MAX + 1];
        struct cert *cert = cert_parse(r->payload, NULL);
        size_t n = cert == NULL ? 0 : cert_serial(cert, serial);
        cert_free(cert);
        struct issued *made = n == 0 ? NULL : note_issued(c, slice_of(serial, n));
        if (made != NULL)
            tell(c, made);
        return made == NULL ? ERR_CORRUPT : 0;
    }
    if (r->type != CA_REVOKED)
        return 0;
    struct rd rd = rd_of(r->payload);
    int64_t when = (int64_t)rd_u64(&rd);
    uint8_t reason = rd_u8(&rd);
    struct issued *i = map_get(c->by_serial, rd_bytes(&rd, rd_left(&rd)));
    if (i == NULL)
        return ERR_CORRUPT;
    i->revoked = true;
    i->revoked_ms = when;
    i->reason = reason;
    tell(c, i);
    return 0;
}

/* Brings the view, and the responder's, up to what is durable. */
static int follow(struct ca *c, struct diag *d)
{
    uint64_t until = journal_durable(c->journal);
    int rc = journal_scan(c->journal, c->seen, replay, c, d);
    if (rc == 0)
        c->seen = until;
    return rc;
}

/* --- the responder's copy --- */

static void tell(struct ca *c, const struct issued *i)
{
    struct buf b;
    if (c->worker == NULL)
        return;
    buf_init(&b, 64);
    wr_var(&b, serial_of(i));
    if (i->revoked) {
        wr_u64(&b, (uint64_t)i->revoked_ms);
        wr_u8(&b, i->reason);
    }
    if (ipc_send(c->worker, i->revoked ? CA_FRAME_REVOKED : CA_FRAME_ISSUED, 0, 0, buf_view(&b), -1,
                 false) != 0)
        report(REPORT_ERROR, "ca", "the responder could not be told of a certificate");
    buf_free(&b);
}

static void tell_all(struct ca *c)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(c->by_serial, &at, &key, &value);) {
        tell(c, value);
        ipc_flush(c->worker);
    }
    if (ipc_send(c->worker, CA_FRAME_ALL_SENT, 0, 0, SLICE_NONE, -1, false) != 0)
        report(REPORT_ERROR, "ca", "the responder could not be told that all was sent");
}

/* --- issuing --- */

static const char *field(json_t *j, const char *name)
{
    return json_string_value(json_object_get(j, name));
}

static int settle(struct ca *c, struct diag *d);

static void settle_again(void *ctx)
{
    struct ca *c = ctx;
    struct diag d = {0};
    c->again = NULL;
    if (settle(c, &d) == 0)
        report(REPORT_INFO, "journal", "the journal is written again");
}

/* What was appended is on the disk and in the view; or it will be, later, unless this process ends
 * before. Whoever asked is told that it failed, and what comes meanwhile is refused. */
static int settle(struct ca *c, struct diag *d)
{
    int rc = journal_sync(c->journal, d);
    if (rc == 0 && (rc = follow(c, d)) == 0)
        return 0;
    if (rc != ERR_DISK_FULL || journal_is_broken(c->journal)) {
        report_diag(REPORT_ERROR, "journal", NULL, d);
        exit(EXIT_COULD_NOT); /* only a new start puts that right */
    }
    if (c->again == NULL) {
        report_diag(REPORT_ERROR, "journal", NULL, d);
        c->again = loop_timer_start(c->loop, RETRY_SYNC_MS, settle_again, c);
    }
    return rc;
}

/* Succeeds only when the record is on the disk. */
static int append(struct ca *c, enum ca_record type, struct slice serial, struct slice payload,
                  struct diag *d)
{
    char hex[2 * CA_SERIAL_MAX + 3];
    uint64_t seq;
    hex_print(serial, hex);
    struct diag own;
    int rc = c->again == NULL ? 0 : settle(c, d);
    if (rc != 0)
        return rc;
    rc = journal_append(c->journal, (uint16_t)type, 0, loop_wall_ms(c->loop), slice_str(hex),
                        payload, &seq, d);
    if (rc == 0) {
        tally_add(type == CA_REVOKED ? TRUST_FACTS_REVOKED : TRUST_FACTS_ISSUED, 1);
        return settle(c, d);
    }
    int settled = settle(c, &own); /* the journal takes nothing more until it is */
    return settled != 0 ? settled : rc;
}

/* Keys that X-Road signs and verifies with (signature.md 2). */
static int check_key(EVP_PKEY *key, struct diag *d)
{
    int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_is_a(key, "RSA") && bits >= 2048 && bits <= 8192)
        return 0;
    char group[32] = "";
    if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
        (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0))
        return 0;
    return diag_set(d, ERR_UNSUPPORTED_ALGORITHM,
                    "certificates are issued for RSA keys of 2048 to 8192 bits and for EC keys on "
                    "P-256 and P-384");
}

/* The DNS name as an alternative name: one, so nothing that would separate several. */
static int alt_name(const char *dns, struct arena *a, const char **out, struct diag *d)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    *out = NULL;
    if (dns == NULL)
        return 0;
    if (strspn(dns, allowed) != strlen(dns) || dns[0] == 0 || strlen(dns) > 253)
        return diag_set(d, ERR_USAGE, "\"%.100s\" is no DNS name", dns);
    *out = arena_printf(a, "DNS:%s", dns);
    return *out == NULL ? diag_set(d, ERR_NOMEM, "no memory for a certificate") : 0;
}

/* Subject by profile, key from the CSR; the CSR's own subject says nothing here. */
static int make_cert(struct ca *c, json_t *j, EVP_PKEY *key, struct buf *der, struct diag *d)
{
    struct cert_rdn rdns[8];
    struct arena *a = arena_new(65536);
    const char *kind = field(j, "kind");
    bool auth = kind != NULL && strcmp(kind, "auth") == 0;
    const char *profile =
        trust_profile_class(field(j, "profile") != NULL ? field(j, "profile") : c->conf.profile);
    struct trust_subject s = {.instance = field(j, "instance"),
                              .member_class = field(j, "class"),
                              .member_code = field(j, "code"),
                              .member_name = field(j, "name"),
                              .server_code = field(j, "server"),
                              .dns = field(j, "dns"),
                              .country = field(j, "country")};
    struct cert_spec spec = {.purpose = auth ? CERT_AUTH : CERT_SIGN,
                             .rdns = rdns,
                             .not_before_ms = loop_wall_ms(c->loop) - 60000,
                             .not_after_ms = loop_wall_ms(c->loop) + c->conf.leaf_ms,
                             .ocsp_url = c->conf.ocsp_url};
    int rc = a == NULL ? ERR_NOMEM : 0;
    if (rc == 0 && (kind == NULL || (!auth && strcmp(kind, "sign") != 0)))
        rc = diag_set(d, ERR_USAGE, "kind is auth or sign");
    if (rc == 0 && profile == NULL)
        rc = diag_set(d, ERR_USAGE, "unknown certificate profile");
    if (rc == 0 && RAND_bytes(spec.serial, sizeof spec.serial) != 1)
        rc = diag_set(d, ERR_INTERNAL, "no random bytes");
    spec.serial[0] = (uint8_t)((spec.serial[0] & 0x3F) | 0x40); /* positive, full length */
    rc = rc != 0 ? rc
                 : trust_profile_subject(slice_str(profile), auth ? TRUST_AUTH : TRUST_SIGN, &s, a,
                                         rdns, ARRAY_LEN(rdns), &spec.rdn_count, d);
    if (rc == 0 && spec.rdn_count == 0)
        rc = diag_set(d, ERR_USAGE, "this profile names no subject: nothing can be issued");
    rc = rc != 0 ? rc : alt_name(s.dns, a, &spec.alt_name, d);
    rc = rc != 0 ? rc : cert_issue(&spec, key, c->cert, c->key, der, d);
    arena_free(a);
    return rc;
}

static int issue(struct ca *c, json_t *j, struct buf *answer, struct diag *d)
{
    const char *csr = field(j, "csr");
    struct buf der, cert_der;
    EVP_PKEY *key = NULL;
    X509_NAME *subject = NULL;
    uint8_t serial[CA_SERIAL_MAX + 1];
    buf_init(&der, 65536);
    buf_init(&cert_der, 65536);
    int rc = 0;
    if (csr == NULL || base64_decode(&der, slice_str(csr), true) != 0)
        rc = diag_set(d, ERR_USAGE, "csr, a certificate request in base64, is missing");
    rc = rc != 0 ? rc : csr_parse(buf_view(&der), &key, &subject, d);
    rc = rc != 0 ? rc : check_key(key, d);
    rc = rc != 0 ? rc : make_cert(c, j, key, &cert_der, d);
    struct cert *cert = rc == 0 ? cert_parse(buf_view(&cert_der), d) : NULL;
    if (rc == 0 && cert == NULL)
        rc = ERR_INTERNAL;
    size_t n = cert == NULL ? 0 : cert_serial(cert, serial);
    rc = rc != 0 ? rc : append(c, CA_ISSUED, slice_of(serial, n), cert->der, d);
    if (rc == 0)
        cert_der_to_pem(buf_view(&cert_der), answer);
    cert_free(cert);
    X509_NAME_free(subject);
    EVP_PKEY_free(key);
    buf_free(&der);
    buf_free(&cert_der);
    return rc;
}

/* --- revoking --- */

static int reason_of(const char *name)
{
    static const char *const names[] = {"unspecified",  "keyCompromise",
                                        "cACompromise", "affiliationChanged",
                                        "superseded",   "cessationOfOperation"};
    for (size_t i = 0; name != NULL && i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return name == NULL ? 0 : -1;
}

static int revoke_cert(struct ca *c, json_t *j, struct buf *answer, struct diag *d)
{
    const char *hex = field(j, "serial");
    int reason = reason_of(field(j, "reason"));
    uint8_t serial[CA_SERIAL_MAX];
    size_t n = hex == NULL ? 0 : strlen(hex) / 2;
    if (n == 0 || n > CA_SERIAL_MAX || !hex_parse(slice_str(hex), serial, n))
        return diag_set(d, ERR_USAGE, "a serial number is wanted in hexadecimal");
    if (reason < 0)
        return diag_set(d, ERR_USAGE, "unknown reason; try keyCompromise or superseded");
    struct issued *i = map_get(c->by_serial, slice_of(serial, n));
    if (i == NULL)
        return diag_set(d, ERR_NOT_FOUND, "no certificate with serial %s was issued here", hex);
    if (i->revoked)
        return diag_set(d, ERR_EXISTS, "certificate %s is revoked already", hex);
    struct buf b;
    int64_t now = loop_wall_ms(c->loop);
    buf_init(&b, 64);
    wr_u64(&b, (uint64_t)now);
    wr_u8(&b, (uint8_t)reason);
    buf_add(&b, serial, n);
    int rc = append(c, CA_REVOKED, slice_of(serial, n), buf_view(&b), d);
    buf_free(&b);
    if (rc == 0)
        buf_printf(answer, "revoked %s\n", hex);
    return rc;
}

static void list(struct ca *c, struct buf *answer)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(c->by_serial, &at, &key, &value);) {
        const struct issued *i = value;
        hex_append(answer, serial_of(i));
        buf_str(answer, i->revoked ? " revoked\n" : " good\n");
    }
}

static int exit_code(int rc)
{
    switch (rc) {
    case 0:
        return EXIT_DONE;
    case ERR_USAGE:
        return EXIT_USE;
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_BAD_REQUEST:
    case ERR_UNSUPPORTED_ALGORITHM:
        return EXIT_NO;
    default:
        return EXIT_COULD_NOT;
    }
}

/* Commands are one JSON object: {"do":"issue"|"revoke"|"list", …}. */
static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct ca *c = ctx;
    struct diag d = {0};
    struct buf answer;
    buf_init(&answer, 16u << 20);
    json_t *j = json_parse(command, 65536, &d);
    const char *what = j == NULL ? NULL : field(j, "do");
    int rc = ERR_USAGE;
    if (what != NULL && strcmp(what, "issue") == 0) {
        rc = issue(c, j, &answer, &d);
    } else if (what != NULL && strcmp(what, "revoke") == 0) {
        rc = revoke_cert(c, j, &answer, &d);
    } else if (what != NULL && strcmp(what, "list") == 0) {
        list(c, &answer);
        rc = 0;
    } else {
        diag_set(&d, ERR_USAGE, "unknown command");
    }
    json_decref(j);
    if (rc != 0) {
        buf_reset(&answer);
        buf_printf(&answer, "%s\n", d.text);
    }
    group_answer(c->self, id, exit_code(rc), buf_view(&answer));
    buf_free(&answer);
}

/* --- life --- */

static void on_worker_closed(void *ctx, struct ipc *line)
{
    struct ca *c = ctx;
    if (c->worker == line)
        c->worker = NULL;
    ipc_free(line);
}

static void on_worker_frame(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    (void)ctx;
    (void)line;
    if (f->fd >= 0)
        close(f->fd);
}

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_worker_frame, .on_close = on_worker_closed};
    struct ca *c = ctx;
    struct diag d = {0};
    if (strchr(name, '!') != NULL) {
        EVP_PKEY_free(c->key);
        if (c->key_line >= 0)
            close(c->key_line);
        c->key_line = fd;
        c->key = remote_key_new(fd, SIGNER_CERT, "ca", c->cert->key, &d);
        if (c->key == NULL)
            report_diag(REPORT_ERROR, "ca", NULL, &d);
        else
            group_ready(c->self);
    } else if (strncmp(name, "worker", 6) == 0) {
        ipc_free(c->worker);
        c->worker = ipc_new(c->loop, fd, 64u << 20, &ev, c);
        if (c->worker != NULL)
            tell_all(c);
    } else if (strncmp(name, "key", 3) == 0) {
        submitter_key(c->submitter, fd);
    } else if (strncmp(name, "agent", 5) == 0) {
        submitter_connect(c->submitter, fd);
    } else {
        close(fd);
    }
}

static void on_stop(void *ctx)
{
    struct ca *c = ctx;
    loop_stop(c->loop);
}

/* The CA's own services have certificates of it since init; the responder must know them too. */
static int adopt(struct ca *c, const char *name, struct diag *d)
{
    uint8_t serial[CA_SERIAL_MAX + 1];
    struct cert *cert = certfile_read(c->conf.dir, name, d);
    int rc = 0;
    if (cert == NULL)
        return ERR_CERT_NOT_FOUND;
    size_t n = cert_serial(cert, serial);
    if (n > 0 && cert_issued_by(cert, c->cert) &&
        map_get(c->by_serial, slice_of(serial, n)) == NULL)
        rc = append(c, CA_ISSUED, slice_of(serial, n), cert->der, d);
    cert_free(cert);
    return rc;
}

static int open_ca(struct ca *c, const char *config_path, struct diag *d)
{
    char path[1200], heads[1200];
    const char *dirs[] = {path, heads, NULL};
    int rc = trust_conf_read(config_path, &c->conf, d);
    if (rc == 0 && (c->cert = certfile_read(c->conf.dir, "ca", d)) == NULL)
        rc = ERR_CERT_NOT_FOUND;
    snprintf(path, sizeof path, "%s/journal", c->conf.dir);
    while (rc == 0 && (rc = journal_open(path, NULL, &c->journal, d)) == ERR_DISK_FULL) {
        fs_wait_for_space(d);
        rc = 0;
    }
    c->by_serial = map_new(CERTS_MAX, 0);
    if (rc == 0 && c->by_serial == NULL)
        rc = diag_set(d, ERR_NOMEM, "no memory for the CA");
    rc = rc != 0 ? rc : follow(c, d);
    rc = rc != 0 ? rc : adopt(c, "ocsp", d);
    rc = rc != 0 ? rc : adopt(c, "tsa", d);
    rc = rc != 0 ? rc : submitter_folder(c->conf.dir, heads, sizeof heads, d);
    rc = rc != 0
             ? rc
             : submitter_new(c->loop, c->journal, c->conf.dir, &c->conf.ledger, &c->submitter, d);
    /* Here the process narrows itself: from now on only the journal's folders, no network. */
    return rc != 0 ? rc : sandbox_enter(SANDBOX_LOG, dirs, d);
}

int ca_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct ca c = {.self = self, .loop = group_loop(self), .key_line = -1};
    struct diag d = {0};
    if (open_ca(&c, config_path, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        return EXIT_COULD_NOT;
    }
    group_begin(self, &events, &c);
    loop_run(c.loop);
    loop_timer_cancel(c.again);
    ipc_free(c.worker);
    submitter_free(c.submitter);
    EVP_PKEY_free(c.key);
    cert_free(c.cert);
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(c.by_serial, &at, &key, &value);)
        free(value);
    map_free(c.by_serial);
    journal_close(c.journal);
    trust_conf_free(&c.conf);
    return EXIT_DONE;
}
