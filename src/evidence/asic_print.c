/*
 * Containers, written as X-Road's message log writes them (asic.md section 1): entries in its
 * order, all deflated, its two manifests, its comment.
 */
#include "base/base64.h"
#include "base/err.h"
#include "evidence/asic.h"
#include "wire/zip.h"

#include <string.h>

#define MIME_TYPE "application/vnd.etsi.asic-e+zip"
#define MANIFEST_MAX 8192
#define NAME_MAX_CHARS 226

struct entry {
    const char *name;
    struct slice data;
    bool present;
    bool listed; /* in META-INF/manifest.xml */
    const char *media_type;
};

#define ENTRIES 11

static void put_manifest(struct buf *b, const struct entry *e, size_t n)
{
    buf_str(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<manifest:manifest xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:"
               "manifest:1.0\" manifest:version=\"1.2\">\n"
               "    <manifest:file-entry manifest:media-type=\"" MIME_TYPE
               "\" manifest:full-path=\"/\"/>\n");
    for (size_t i = 0; i < n; i++) {
        if (e[i].present && e[i].listed)
            buf_printf(b,
                       "    <manifest:file-entry manifest:media-type=\"%s\" "
                       "manifest:full-path=\"%s\"/>\n",
                       e[i].media_type, e[i].name);
    }
    buf_str(b, "</manifest:manifest>\n");
}

static void put_asic_manifest(struct buf *b, struct slice ts_result)
{
    struct digest d;
    digest_of(DIGEST_SHA512, ts_result, &d);
    buf_str(b, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
               "<asic:ASiCManifest xmlns:asic=\"http://uri.etsi.org/2918/v1.2.1#\" "
               "xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\n"
               "<asic:SigReference URI=\"META-INF/timestamp.tst\" "
               "MimeType=\"vnd.etsi.timestamp-token\"/>\n"
               "<asic:DataObjectReference URI=\"ts-hashchainresult.xml\" MimeType=\"text/xml\">\n"
               "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha512\" />\n"
               "<ds:DigestValue>");
    base64_append(b, digest_slice(&d));
    buf_str(b, "</ds:DigestValue>\n</asic:DataObjectReference>\n</asic:ASiCManifest>");
}

static int check(const struct asic_content *c, struct diag *d)
{
    if (c->message.n == 0 || c->signature.n == 0)
        return diag_set(d, ERR_ASIC_INVALID_CONTAINER,
                        "a container needs a message and a signature");
    if ((c->result.n == 0) != (c->chain.n == 0))
        return diag_set(d, ERR_ASIC_INVALID_CONTAINER, "a hash chain and its result come together");
    bool stamp = c->timestamp.n > 0;
    if ((c->ts_result.n > 0) != stamp || (c->ts_chain.n > 0) != stamp)
        return diag_set(d, ERR_ASIC_INVALID_CONTAINER,
                        "a batch time-stamp, its hash chain and result come together");
    return 0;
}

static int write_zip(const struct entry *e, size_t n, int64_t time_ms, struct buf *out)
{
    struct zip_writer *w = zip_writer_new(out, time_ms);
    if (w == NULL)
        return ERR_NOMEM;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (e[i].present)
            rc = zip_add(w, e[i].name, e[i].data, true);
    }
    if (rc == 0)
        rc = zip_finish(w, "mimetype=" MIME_TYPE);
    zip_writer_free(w);
    return rc;
}

int asic_print(const struct asic_content *c, struct buf *out, struct diag *d)
{
    int rc = check(c, d);
    if (rc != 0)
        return rc;
    bool batch = c->result.n > 0, stamp = c->timestamp.n > 0;
    struct entry e[ENTRIES] = {
        {"mimetype", SLICE_LIT(MIME_TYPE), true, false, NULL},
        {"message.xml", c->message, true, true, "text/xml"},
        {"META-INF/signatures.xml", c->signature, true, false, NULL},
        {"sig-hashchainresult.xml", c->result, batch, true, "text/xml"},
        {"sig-hashchain.xml", c->chain, batch, true, "text/xml"},
        {"ts-hashchainresult.xml", c->ts_result, stamp, true, "text/xml"},
        {"ts-hashchain.xml", c->ts_chain, stamp, true, "text/xml"},
        {"META-INF/manifest.xml", SLICE_NONE, true, false, NULL},
        {"META-INF/ASiCManifest.xml", SLICE_NONE, stamp, false, NULL},
        {"META-INF/timestamp.tst", c->timestamp, stamp, false, NULL},
        {"attachment1", c->attachment, c->has_attachment && c->attachment.n > 0, true,
         "application/octet-stream"},
    };
    struct buf manifest, asic_manifest;
    buf_init(&manifest, MANIFEST_MAX);
    buf_init(&asic_manifest, MANIFEST_MAX);
    put_manifest(&manifest, e, ENTRIES);
    put_asic_manifest(&asic_manifest, c->ts_result);
    e[7].data = buf_view(&manifest);
    e[8].data = buf_view(&asic_manifest);
    rc = manifest.failed || asic_manifest.failed ? ERR_NOMEM
                                                 : write_zip(e, ENTRIES, c->time_ms, out);
    buf_free(&manifest);
    buf_free(&asic_manifest);
    return rc == 0 ? 0 : diag_set(d, rc, "cannot write the container");
}

/* One byte as application/x-www-form-urlencoded has it; returns how many characters. */
static size_t form_encode(uint8_t c, char out[4])
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
        (c != 0 && strchr(".-*_", c) != NULL)) {
        out[0] = (char)c;
        return 1;
    }
    if (c == ' ') {
        out[0] = '+';
        return 1;
    }
    static const char digits[] = "0123456789ABCDEF";
    out[0] = '%';
    out[1] = digits[c >> 4];
    out[2] = digits[c & 15];
    return 3;
}

void asic_file_name(struct slice query_id, bool response, uint64_t seq, struct buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < query_id.n && n < NAME_MAX_CHARS; i++) {
        char text[4];
        size_t add = form_encode(query_id.p[i], text);
        if (n + add > NAME_MAX_CHARS)
            add = NAME_MAX_CHARS - n;
        buf_add(out, text, add);
        n += add;
    }
    buf_str(out, response ? "-response-" : "-request-");
    char digits[16];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdefghijklmnopqrstuv"[seq & 31];
        seq >>= 5;
    } while (seq > 0);
    buf_add(out, digits + at, sizeof digits - at);
    buf_str(out, ".asice");
}

int asic_timestamp_tree(const struct digest *signature_hashes, size_t n, size_t which,
                        struct buf *result, struct buf *chain)
{
    return hashchain_over(DIGEST_SHA512, signature_hashes, n, "/META-INF/signatures.xml",
                          "/ts-hashchain.xml#STEP0", which, result, chain);
}
