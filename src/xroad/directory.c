/*
 * The document is small, and its signed octets must be taken as they came: so it is cut by position
 * in one buffer, not by the streaming reader of messages.
 */
#include "xroad/directory.h"

#include "base/base64.h"
#include "base/err.h"
#include "base/timeval.h"
#include "crypto/cert.h"
#include "wire/mime.h"
#include "xroad/params.h"

#include <string.h>

#define OCTETS "application/octet-stream"

/* --- cutting --- */

/* The line at s without its end; *used: with it. */
static struct slice line_at(struct slice s, size_t *used)
{
    size_t end = slice_find(s, '\n');
    *used = end == SIZE_MAX ? s.n : end + 1;
    struct slice line = slice_sub(s, 0, end == SIZE_MAX ? s.n : end);
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

struct part {
    struct slice head, body;
};

static bool has_control(struct slice line)
{
    for (size_t i = 0; i < line.n; i++)
        if ((line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7F)
            return true;
    return false;
}

/* Head: lines up to the first empty one. */
static int split_head(struct slice s, struct part *out, struct diag *d)
{
    size_t at = 0, used;
    while (at < s.n) {
        struct slice line = line_at(slice_from(s, at), &used);
        if (line.n == 0) {
            out->head = slice_sub(s, 0, at);
            out->body = slice_from(s, at + used);
            return 0;
        }
        if (has_control(line))
            return diag_set(d, ERR_GC_PARSE, "a control character in a head");
        at += used;
    }
    return diag_set(d, ERR_GC_PARSE, "a head does not end with an empty line");
}

/* Is this line the delimiter of the boundary, or the closing one? */
static bool is_delimiter(struct slice line, struct slice boundary, bool *closing)
{
    if (!slice_starts(line, "--") || !slice_eq(slice_sub(line, 2, boundary.n), boundary))
        return false;
    struct slice rest = slice_from(line, 2 + boundary.n);
    *closing = slice_starts(rest, "--");
    return slice_trim(*closing ? slice_from(rest, 2) : rest).n == 0;
}

/* Without the line break that belongs to the delimiter behind it. */
static struct slice without_break(struct slice s)
{
    if (s.n > 0 && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n > 0 && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

/*
 * Cuts a multipart body into its parts, at most max. A head-only part may end at the delimiter that
 * follows its empty line directly.
 */
static int cut_parts(struct slice body, struct slice boundary, struct part *out, size_t max,
                     size_t *n, struct diag *d)
{
    size_t at = 0, begin = SIZE_MAX, used;
    *n = 0;
    while (at < body.n) {
        bool closing = false;
        struct slice line = line_at(slice_from(body, at), &used);
        if (!is_delimiter(line, boundary, &closing)) {
            at += used;
            continue;
        }
        if (begin != SIZE_MAX) {
            if (*n == max)
                return diag_set(d, ERR_GC_PARSE, "there are more than %zu parts", max);
            struct part *p = &out[(*n)++];
            int err = split_head(slice_sub(body, begin, at - begin), p, d);
            if (err != 0)
                return err;
            p->body = without_break(p->body);
        }
        at += used;
        begin = at;
        if (closing)
            return 0;
    }
    return diag_set(d, ERR_GC_PARSE, "the closing delimiter is missing");
}

/* Appends a header line's value and the lines folded under it; *at moves behind them. */
static void unfold(struct slice head, size_t *at, struct slice first, struct buf *out)
{
    size_t used;
    buf_reset(out);
    buf_slice(out, first);
    while (*at < head.n && (head.p[*at] == ' ' || head.p[*at] == '\t')) {
        struct slice line = line_at(slice_from(head, *at), &used);
        buf_slice(out, line);
        *at += used;
    }
}

/* The last header of that name, unfolded, in the arena; p is NULL when absent. */
static struct slice header(struct arena *a, const struct part *p, const char *name)
{
    struct slice found = SLICE_NONE;
    struct buf value;
    size_t at = 0, used;
    buf_init(&value, p->head.n);
    while (at < p->head.n) {
        struct slice line = line_at(slice_from(p->head, at), &used);
        at += used;
        size_t colon = slice_find(line, ':');
        struct slice got = colon == SIZE_MAX ? SLICE_NONE : slice_sub(line, 0, colon);
        unfold(p->head, &at, colon == SIZE_MAX ? line : slice_from(line, colon + 1), &value);
        if (slice_ieq_str(slice_trim(got), name))
            found = arena_dup(a, slice_trim(buf_view(&value)));
    }
    buf_free(&value);
    return found;
}

static int must_header(struct arena *a, const struct part *p, const char *name, struct slice *out,
                       struct diag *d)
{
    *out = header(a, p, name);
    if (out->p == NULL)
        return diag_set(d, ERR_GC_HEADER_MISSING, "header %s is missing", name);
    return 0;
}

/* A header whose value must be exactly this. */
static int fixed_header(struct arena *a, const struct part *p, const char *name, const char *want,
                        struct diag *d)
{
    struct slice got;
    int err = must_header(a, p, name, &got, d);
    if (err == 0 && !slice_eq_str(got, want))
        err = diag_set(d, ERR_GC_HEADER_VALUE, "header %s is \"%.*s\", not \"%s\"", name,
                       SLICE_ARG(slice_sub(got, 0, 60)), want);
    return err;
}

static int boundary_of(struct arena *a, const struct part *p, const char *base, struct slice *out,
                       struct diag *d)
{
    struct slice value;
    struct mime_type type;
    int err = must_header(a, p, "Content-Type", &value, d);
    if (err != 0)
        return err;
    if (mime_type_parse(value, &type) != 0 || !slice_ieq_str(type.base, base))
        return diag_set(d, ERR_GC_PARSE, "Content-Type is not %s", base);
    if (type.boundary.n == 0)
        return diag_set(d, ERR_GC_PARSE, "Content-Type has no boundary");
    *out = type.boundary;
    return 0;
}

/* --- signature --- */

/* The value before the parameters. */
static struct slice base_value(struct slice value)
{
    size_t end = slice_find(value, ';');
    return slice_trim(end == SIZE_MAX ? value : slice_sub(value, 0, end));
}

/* Base64 of a digest of alg. */
static bool parse_hash(struct slice text, enum digest_alg alg, struct digest *out)
{
    struct buf b;
    buf_init(&b, text.n + 1);
    bool good = base64_decode(&b, text, true) == 0 && b.n == digest_len(alg) && b.n <= DIGEST_MAX;
    *out = (struct digest){.alg = alg};
    if (good) {
        out->n = (uint8_t)b.n;
        memcpy(out->b, b.p, b.n);
    }
    buf_free(&b);
    return good;
}

/* Which certificate has the hash that the signature part names? */
static int find_signer(struct arena *a, const struct part *p, const struct slice *certs, size_t n,
                       size_t *signer, struct diag *d)
{
    struct slice value, uri;
    struct digest want, got;
    int err = must_header(a, p, "Verification-certificate-hash", &value, d);
    if (err != 0)
        return err;
    if (!mime_param(value, "hash-algorithm-id", &uri))
        return diag_set(d, ERR_GC_HEADER_PARAM,
                        "header Verification-certificate-hash has no hash-algorithm-id");
    enum digest_alg alg = digest_from_uri(uri);
    if (alg == DIGEST_NONE || !parse_hash(base_value(value), alg, &want))
        return diag_set(d, ERR_GC_HEADER_VALUE,
                        "header Verification-certificate-hash has no hash of a known algorithm");
    for (size_t i = 0; i < n; i++) {
        digest_of(alg, certs[i], &got);
        if (digest_eq(&want, &got)) {
            *signer = i;
            return 0;
        }
    }
    return diag_set(d, ERR_GC_NO_CERT,
                    "the directory is signed with a certificate that is not among the %zu allowed",
                    n);
}

/* Its validity, issuer and usage do not count: it is a container of a key. */
static int verify_signature(struct slice cert_der, const struct sign_alg *alg, struct slice data,
                            struct slice base64, struct diag *d)
{
    struct diag why = {0};
    struct cert *cert = cert_parse(cert_der, &why);
    if (cert == NULL)
        return diag_set(d, ERR_GC_SIGNATURE, "the certificate of the directory cannot be read: %s",
                        why.text);
    struct buf value;
    buf_init(&value, base64.n + 1);
    int err = base64_decode(&value, base64, true);
    if (err == 0)
        err = verify_data(cert->key, alg, data, buf_view(&value));
    buf_free(&value);
    cert_free(cert);
    return err == 0 ? 0
                    : diag_set(d, ERR_GC_SIGNATURE, "the directory's signature does not verify");
}

static int check_signature_part(struct arena *a, const struct part *p, struct slice data,
                                const struct slice *certs, size_t n, size_t *signer, struct diag *d)
{
    struct slice uri;
    int err = fixed_header(a, p, "Content-Type", OCTETS, d);
    if (err == 0)
        err = fixed_header(a, p, "Content-Transfer-Encoding", "base64", d);
    if (err == 0)
        err = must_header(a, p, "Signature-Algorithm-Id", &uri, d);
    if (err != 0)
        return err;
    const struct sign_alg *alg = sign_alg_from_uri(uri);
    if (alg == NULL)
        return diag_set(d, ERR_GC_HEADER_VALUE, "signature algorithm \"%.*s\" is not known",
                        SLICE_ARG(slice_sub(uri, 0, 80)));
    err = find_signer(a, p, certs, n, signer, d);
    return err == 0 ? verify_signature(certs[*signer], alg, data, p->body, d) : err;
}

/* --- entries --- */

static int read_front(struct arena *a, const struct part *p, int64_t now_ms, struct directory *out,
                      struct diag *d)
{
    struct slice value;
    uint64_t version = PARAMS_VERSION_MIN;
    int err = must_header(a, p, "Expire-date", &value, d);
    if (err != 0)
        return err;
    if (!timeval_parse_iso(value, &out->expires_ms))
        return diag_set(d, ERR_GC_HEADER_VALUE, "Expire-date \"%.*s\" is no time",
                        SLICE_ARG(slice_sub(value, 0, 40)));
    if (now_ms != 0 && out->expires_ms < now_ms)
        return diag_set(d, ERR_GC_OUTDATED, "the directory has expired at %.*s",
                        SLICE_ARG(slice_sub(value, 0, 40)));
    value = header(a, p, "Version");
    if (value.p != NULL && (!slice_u64(value, &version) || version < PARAMS_VERSION_MIN ||
                            version > PARAMS_VERSION_MAX))
        return diag_set(d, ERR_INTERNAL, "Unsupported version \"%.*s\" of the global configuration",
                        SLICE_ARG(slice_sub(value, 0, 20)));
    out->version = (int)version;
    return 0;
}

static struct slice last_segment(struct slice path)
{
    for (size_t i = path.n; i-- > 0;)
        if (path.p[i] == '/')
            return slice_from(path, i + 1);
    return path;
}

/* Where the part is kept: no name may lead out of its folder. */
static int file_name_of(struct arena *a, const struct part *p, struct directory_part *out,
                        struct diag *d)
{
    struct slice name = header(a, p, "Content-file-name");
    if (slice_eq_str(out->identifier, "PRIVATE-PARAMETERS"))
        name = SLICE_LIT("private-params.xml");
    else if (slice_eq_str(out->identifier, "SHARED-PARAMETERS"))
        name = SLICE_LIT("shared-params.xml");
    else
        name = last_segment(name.p != NULL ? name : base_value(out->location));
    bool good = name.n > 0 && name.n < 200 && slice_is_utf8(name) && name.p[0] != '.';
    for (size_t i = 0; good && i < name.n; i++)
        good = name.p[i] >= 0x20 && name.p[i] != 0x7F && name.p[i] != '\\';
    if (!good)
        return diag_set(d, ERR_GC_HEADER_VALUE, "a part has no usable file name");
    out->file_name = arena_dup(a, name);
    return 0;
}

static int read_identifier(struct arena *a, const struct part *p, struct slice anchor_instance,
                           struct directory_part *out, struct diag *d)
{
    struct slice value = header(a, p, "Content-identifier");
    out->identifier = base_value(value);
    if (value.p == NULL || !mime_param(value, "instance", &out->instance))
        out->instance = SLICE_NONE;
    bool standard = slice_eq_str(out->identifier, "PRIVATE-PARAMETERS") ||
                    slice_eq_str(out->identifier, "SHARED-PARAMETERS");
    if (standard && id_part_is_blank(out->instance))
        return diag_set(d, ERR_GC_HEADER_PARAM, "header Content-identifier names no instance");
    if (anchor_instance.n > 0 && out->instance.n > 0 && !slice_eq(out->instance, anchor_instance))
        return diag_set(d, ERR_GC_INSTANCE,
                        "a part is of instance \"%.*s\", the anchor of \"%.*s\"",
                        SLICE_ARG(slice_sub(out->instance, 0, 60)),
                        SLICE_ARG(slice_sub(anchor_instance, 0, 60)));
    return 0;
}

static int read_entry(struct arena *a, const struct part *p, struct slice anchor_instance,
                      struct directory_part *out, struct diag *d)
{
    struct slice uri;
    int err = fixed_header(a, p, "Content-type", OCTETS, d);
    if (err == 0)
        err = fixed_header(a, p, "Content-transfer-encoding", "base64", d);
    if (err == 0)
        err = must_header(a, p, "Content-location", &out->location, d);
    if (err == 0)
        err = must_header(a, p, "Hash-algorithm-id", &uri, d);
    if (err == 0)
        err = read_identifier(a, p, anchor_instance, out, d);
    if (err == 0)
        err = file_name_of(a, p, out, d);
    if (err != 0)
        return err;
    out->alg = digest_from_uri(uri);
    if (out->alg == DIGEST_NONE)
        return diag_set(d, ERR_GC_HEADER_VALUE, "hash algorithm \"%.*s\" is not known",
                        SLICE_ARG(slice_sub(uri, 0, 80)));
    if (!parse_hash(p->body, out->alg, &out->hash))
        return diag_set(d, ERR_GC_PARSE, "a part has no hash of its algorithm");
    return 0;
}

static bool is_doubled(const struct directory *dir, const struct directory_part *p)
{
    for (size_t i = 0; i < dir->n; i++)
        if (slice_eq(dir->part[i].instance, p->instance) &&
            slice_eq(dir->part[i].file_name, p->file_name))
            return true;
    return false;
}

static int read_directory(struct arena *a, struct slice data, struct slice boundary,
                          struct slice instance, int64_t now_ms, struct directory *out,
                          struct diag *d)
{
    static const size_t max = DIRECTORY_PARTS_MAX + 1;
    struct part *parts = arena_alloc(a, max * sizeof *parts);
    size_t n = 0;
    if (parts == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a directory");
    int err = cut_parts(data, boundary, parts, max, &n, d);
    if (err != 0)
        return err;
    if (n == 0)
        return diag_set(d, ERR_GC_PARSE, "the directory is empty");
    err = read_front(a, &parts[0], now_ms, out, d);
    for (size_t i = 1; err == 0 && i < n; i++) {
        struct directory_part entry = {0};
        err = read_entry(a, &parts[i], instance, &entry, d);
        if (err == 0 && is_doubled(out, &entry))
            err = diag_set(d, ERR_GC_PARSE, "file \"%.*s\" is named twice",
                           SLICE_ARG(entry.file_name));
        out->part[out->n] = entry;
        out->n += err == 0;
        if (err != 0)
            diag_where(d, "part %zu", i);
    }
    return err;
}

int directory_verify(struct arena *a, struct slice body, const struct slice *certs, size_t n,
                     struct slice instance, int64_t now_ms, struct directory *out, struct diag *d)
{
    struct part whole, outer[2];
    struct slice boundary, inner;
    size_t parts = 0;
    *out = (struct directory){0};
    if (body.n > DIRECTORY_MAX)
        return diag_set(d, ERR_GC_PARSE, "the directory has more than %u bytes", DIRECTORY_MAX);
    int err = split_head(body, &whole, d);
    if (err == 0)
        err = boundary_of(a, &whole, "multipart/related", &boundary, d);
    if (err == 0)
        err = cut_parts(whole.body, boundary, outer, ARRAY_LEN(outer), &parts, d);
    if (err != 0)
        return err;
    if (parts != 2)
        return diag_set(d, ERR_GC_NO_SIGNED_DATA,
                        "there are not both a directory and its signature");
    err = boundary_of(a, &outer[0], "multipart/mixed", &inner, d);
    if (err == 0)
        err = check_signature_part(a, &outer[1], outer[0].body, certs, n, &out->signer, d);
    if (err == 0)
        err = read_directory(a, outer[0].body, inner, instance, now_ms, out, d);
    if (err == 0 && arena_failed(a))
        err = diag_set(d, ERR_NOMEM, "no memory for a directory");
    return err;
}

int directory_check_part(const struct directory_part *p, struct slice bytes, struct diag *d)
{
    struct digest got;
    digest_of(p->alg, bytes, &got);
    if (digest_eq(&got, &p->hash))
        return 0;
    return diag_set(d, ERR_GC_PART_INTEGRITY,
                    "\"%.*s\" does not have the hash that the directory names",
                    SLICE_ARG(p->file_name));
}

/* --- making one --- */

void directory_signed_bytes(const struct directory_part *parts, size_t n, int64_t expires_ms,
                            int version, const char *boundary, struct buf *out)
{
    char time[TIMEVAL_TEXT];
    timeval_print_iso(expires_ms, false, time);
    buf_printf(out, "--%s\r\nExpire-date: %s\r\nVersion: %d\r\n\r\n", boundary, time, version);
    for (size_t i = 0; i < n; i++) {
        const struct directory_part *p = &parts[i];
        const char *quote = slice_find(p->instance, '\'') == SIZE_MAX ? "'" : "\"";
        buf_printf(out, "--%s\r\nContent-type: " OCTETS "\r\nContent-transfer-encoding: base64\r\n",
                   boundary);
        buf_printf(out, "Content-identifier: %.*s; instance=%s%.*s%s\r\n", SLICE_ARG(p->identifier),
                   quote, SLICE_ARG(p->instance), quote);
        buf_printf(out, "Content-location: %.*s\r\nHash-algorithm-id: %s\r\n\r\n",
                   SLICE_ARG(p->location), digest_uri(p->alg));
        base64_append(out, digest_slice(&p->hash));
        buf_str(out, "\r\n");
    }
    buf_printf(out, "--%s--\r\n", boundary);
}

void directory_print(struct slice signed_bytes, const char *outer_boundary,
                     const char *inner_boundary, const char *sign_alg_uri,
                     const struct digest *cert_hash, struct slice signature, struct buf *out)
{
    buf_printf(out, "Content-Type: multipart/related; charset=UTF-8; boundary=%s\r\n\r\n--%s\r\n",
               outer_boundary, outer_boundary);
    buf_printf(out, "Content-Type: multipart/mixed; charset=UTF-8; boundary=%s\r\n\r\n",
               inner_boundary);
    buf_slice(out, signed_bytes);
    buf_printf(out, "\r\n--%s\r\nContent-Type: " OCTETS "\r\nContent-Transfer-Encoding: base64\r\n",
               outer_boundary);
    buf_printf(out, "Signature-Algorithm-Id: %s\r\nVerification-certificate-hash: ", sign_alg_uri);
    base64_append(out, digest_slice(cert_hash));
    buf_printf(out, "; hash-algorithm-id=\"%s\"\r\n\r\n", digest_uri(cert_hash->alg));
    base64_append(out, signature);
    buf_printf(out, "\r\n--%s--\r\n", outer_boundary);
}
