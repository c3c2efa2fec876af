#include "gateway/record.h"
#include "base/cursor.h"
#include "base/err.h"

#include <string.h>

enum {
    VERSION = 1,
    F_BODY = 1,
    F_KEPT = 2,
    PIECE_INLINE = 0,
    PIECE_BLOB = 1,
};

#define SHARED_MIN 200 /* shorter texts are not worth a blob */
#define STAMP_ENTRY 72 /* sequence and digest */

static void put_digest(struct buf *b, const struct digest *d)
{
    uint8_t zero[64] = {0};
    buf_add(b, d->n == 64 ? d->b : zero, 64);
}

static void get_digest(struct rd *r, struct digest *d)
{
    struct slice s = rd_bytes(r, 64);
    memset(d, 0, sizeof *d);
    d->alg = DIGEST_SHA512;
    d->n = 64;
    if (s.n == 64)
        memcpy(d->b, s.p, 64);
}

void record_message_put(struct buf *b, const struct record_message *m)
{
    wr_u8(b, VERSION);
    wr_u8(b, (uint8_t)m->side);
    wr_u8(b, m->response);
    wr_u8(b, (uint8_t)((m->has_body ? F_BODY : 0) | (m->body_kept ? F_KEPT : 0)));
    wr_u64(b, (uint64_t)m->time_ms);
    put_digest(b, &m->signature_hash);
    put_digest(b, &m->body_hash);
    wr_u64(b, m->body_size);
    wr_var(b, m->id);
    wr_var(b, m->request_id);
    wr_var(b, m->party);
    wr_var(b, m->head);
    wr_var(b, m->result);
    wr_var(b, m->chain);
    bool whole = m->n_pieces == 0 && m->signature.n > 0;
    wr_u32(b, whole ? 1 : (uint32_t)m->n_pieces);
    if (whole) {
        wr_u8(b, PIECE_INLINE);
        wr_var(b, m->signature);
    }
    for (size_t i = 0; i < m->n_pieces; i++) {
        wr_u8(b, m->piece[i].blob ? PIECE_BLOB : PIECE_INLINE);
        if (m->piece[i].blob)
            buf_add(b, m->piece[i].bytes.p, 32);
        else
            wr_var(b, m->piece[i].bytes);
    }
    wr_var(b, m->sealed_body);
}

static bool get_pieces(struct rd *r, struct record_message *out)
{
    uint32_t n = rd_u32(r);
    if (r->bad || n > RECORD_PIECES_MAX)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t kind = rd_u8(r);
        if (kind > PIECE_BLOB)
            return false;
        out->piece[i].blob = kind == PIECE_BLOB;
        out->piece[i].bytes = kind == PIECE_BLOB ? rd_bytes(r, 32) : rd_var(r, r->s.n);
    }
    out->n_pieces = n;
    return true;
}

int record_message_get(struct slice payload, struct record_message *out, struct diag *d)
{
    struct rd r = rd_of(payload);
    size_t max = payload.n;
    memset(out, 0, sizeof *out);
    if (rd_u8(&r) != VERSION)
        return diag_set(d, ERR_CORRUPT, "a message record of an unknown version");
    uint8_t side = rd_u8(&r), response = rd_u8(&r), flags = rd_u8(&r);
    out->side = side == 0 ? RECORD_CONSUMER : RECORD_PROVIDER;
    out->response = response != 0;
    out->has_body = flags & F_BODY;
    out->body_kept = flags & F_KEPT;
    out->time_ms = (int64_t)rd_u64(&r);
    get_digest(&r, &out->signature_hash);
    get_digest(&r, &out->body_hash);
    out->body_size = rd_u64(&r);
    out->id = rd_var(&r, max);
    out->request_id = rd_var(&r, max);
    out->party = rd_var(&r, max);
    out->head = rd_var(&r, max);
    out->result = rd_var(&r, max);
    out->chain = rd_var(&r, max);
    if (!get_pieces(&r, out))
        return diag_set(d, ERR_CORRUPT, "a message record's signature pieces are malformed");
    out->sealed_body = rd_var(&r, max);
    if (out->n_pieces == 1 && !out->piece[0].blob)
        out->signature = out->piece[0].bytes;
    if (!rd_done(&r) || side > 1 || response > 1)
        return diag_set(d, ERR_CORRUPT, "a message record is malformed");
    return 0;
}

/* Elements whose text ends a span of fixed text; those inside SignedInfo are told apart. */
static const struct {
    const char *open;
    bool shared;      /* its text is the same in many documents */
    bool signed_info; /* counts within SignedInfo only */
} marks[] = {
    {"<ds:DigestValue>", false, true},
    {"<ds:SignatureValue", false, false},
    {"<ds:X509Certificate>", true, false},
    {"<xades:SigningTime>", false, false},
    {"<xades:EncapsulatedOCSPValue", true, false},
};

/* The text of the next marked element from `from` on; false when there is none. */
static bool next_mark(struct slice doc, size_t from, size_t info_end, size_t *begin, size_t *end,
                      bool *shared)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        size_t limit = best != SIZE_MAX ? best : marks[i].signed_info ? info_end : doc.n;
        if (marks[i].signed_info && limit > info_end)
            limit = info_end;
        if (limit <= from)
            continue;
        size_t p = slice_find_slice(slice_sub(doc, from, limit - from), slice_str(marks[i].open));
        if (p == SIZE_MAX)
            continue;
        size_t gt = slice_find(slice_from(doc, from + p), '>');
        if (gt == SIZE_MAX)
            continue;
        best = from + p;
        *begin = best + gt + 1;
        *shared = marks[i].shared;
    }
    if (best == SIZE_MAX)
        return false;
    size_t lt = slice_find(slice_from(doc, *begin), '<');
    if (lt == SIZE_MAX)
        return false;
    *end = *begin + lt;
    return true;
}

/* Adds a span; neighbours that stay inline are one piece. */
static void add_piece(struct record_piece *piece, size_t *n, struct slice span, bool shared)
{
    bool blob = shared && span.n >= SHARED_MIN;
    if (span.n == 0)
        return;
    if (!blob && *n > 0 && !piece[*n - 1].blob)
        piece[*n - 1].bytes.n += span.n;
    else
        piece[(*n)++] = (struct record_piece){blob, span};
}

size_t record_split(struct slice doc, struct record_piece piece[RECORD_PIECES_MAX])
{
    size_t n = 0, at = 0, begin, end;
    size_t info_end = slice_find_slice(doc, SLICE_LIT("</ds:SignedInfo>"));
    bool shared;
    if (info_end == SIZE_MAX)
        info_end = 0;
    while (n + 4 <= RECORD_PIECES_MAX && next_mark(doc, at, info_end, &begin, &end, &shared)) {
        add_piece(piece, &n, slice_sub(doc, at, begin - at), true);
        add_piece(piece, &n, slice_sub(doc, begin, end - begin), shared);
        at = end;
    }
    add_piece(piece, &n, slice_from(doc, at), true);
    return n;
}

void record_stamp_put(struct buf *b, const struct record_stamp *s)
{
    wr_u8(b, VERSION);
    wr_var(b, s->token);
    wr_u32(b, (uint32_t)s->n);
    for (size_t i = 0; i < s->n; i++) {
        wr_u64(b, s->entry[i].seq);
        put_digest(b, &s->entry[i].hash);
    }
}

int record_stamp_get(struct arena *a, struct slice payload, struct record_stamp *out,
                     struct diag *d)
{
    struct rd r = rd_of(payload);
    size_t max = payload.n;
    memset(out, 0, sizeof *out);
    if (rd_u8(&r) != VERSION)
        return diag_set(d, ERR_CORRUPT, "a time-stamp record of an unknown version");
    out->token = rd_var(&r, max);
    uint32_t n = rd_u32(&r);
    if (r.bad || n > max / STAMP_ENTRY)
        return diag_set(d, ERR_CORRUPT, "a time-stamp record is malformed");
    out->entry = arena_alloc(a, n * sizeof *out->entry);
    if (out->entry == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a time-stamp record of %u entries", n);
    for (uint32_t i = 0; i < n; i++) {
        out->entry[i].seq = rd_u64(&r);
        get_digest(&r, &out->entry[i].hash);
    }
    out->n = n;
    return rd_done(&r) ? 0 : diag_set(d, ERR_CORRUPT, "a time-stamp record is malformed");
}
