/*
 * Records of the message log's journal. Types:
 *
 *   RECORD_MESSAGE  one signed message (request or response, on one side)
 *   RECORD_BLOB     bytes that many documents share (certificates, OCSP responses, fixed text),
 *                   repeated in each segment that needs them; its journal id is a zero byte and
 *                   the SHA-256 of the bytes
 *   RECORD_STAMP    a batch time-stamp over the signature documents of earlier records
 *   RECORD_OPEN     start of the log process: version, server
 *
 * MESSAGE payload, little-endian; "var" is u32 length and bytes:
 *   u8 version 1   u8 side (0 consumer, 1 provider)   u8 response   u8 flags (1 body part present,
 *   2 body kept, sealed)   u64 time_ms
 *   64 bytes SHA-512 of the signature document    64 bytes SHA-512 of the body (zero without)
 *   u64 body size
 *   var message id   var request uuid   var own party (short id)   var head part (message.xml)
 *   var chain result   var chain   (empty: single form)
 *   u32 pieces; each: u8 0 and var bytes, or u8 1 and 32 bytes SHA-256 of a blob
 *   var sealed body (flag 2)
 * The journal id of a MESSAGE is its message id, which holds no zero byte.
 *
 * STAMP payload:
 *   u8 version 1   var token (DER)   u32 n, each: u64 sequence, 64 bytes SHA-512 of the document.
 *   Result and chain documents follow from the digests (evidence/asic.h, asic_timestamp_tree).
 */
#ifndef SILD_GATEWAY_RECORD_H
#define SILD_GATEWAY_RECORD_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "crypto/digest.h"

enum record_type {
    RECORD_MESSAGE = 1,
    RECORD_BLOB,
    RECORD_STAMP,
    RECORD_OPEN,
};
enum record_side {
    RECORD_CONSUMER,
    RECORD_PROVIDER,
};

#define RECORD_PIECES_MAX 64

struct record_piece {
    bool blob;
    struct slice bytes; /* inline bytes, or the blob's 32 bytes of SHA-256 */
};

struct record_message {
    enum record_side side;
    bool response, has_body, body_kept;
    int64_t time_ms;
    struct digest signature_hash, body_hash;
    uint64_t body_size;
    struct slice id, request_id, party, head, result, chain;
    /* On the way to the log: the whole document, in one inline piece; without any piece, the
     * document that came last in the record's slot. */
    struct slice signature;
    struct record_piece piece[RECORD_PIECES_MAX];
    size_t n_pieces;
    struct slice sealed_body;
};
/* Encodes with m->piece, or, when n_pieces is 0, with m->signature as one inline piece, or none
 * when that is empty. */
void record_message_put(struct buf *b, const struct record_message *m);
int record_message_get(struct slice payload, struct record_message *out, struct diag *d) MUST_USE;

/* The messages of a batch share one signature document and come one after the other: between worker
 * and log it travels once. Each end remembers the last one of a side and direction. */
#define RECORD_SLOTS 4
static inline size_t record_slot(const struct record_message *m)
{
    return (m->side == RECORD_PROVIDER ? 2u : 0u) + m->response;
}

/*
 * Cuts a signature document into inline pieces and candidates for blobs, in order: what differs
 * from message to message (digests, value, time) is inline, what many share (certificate, OCSP
 * response, the text between) a blob where it is worth one. Pieces with blob set hold the bytes
 * themselves, not yet their hash.
 */
size_t record_split(struct slice document, struct record_piece piece[RECORD_PIECES_MAX]);

struct record_stamp_entry {
    uint64_t seq;
    struct digest hash; /* SHA-512 of the signature document */
};
struct record_stamp {
    struct slice token;
    struct record_stamp_entry *entry; /* in the arena */
    size_t n;
};
void record_stamp_put(struct buf *b, const struct record_stamp *s);
int record_stamp_get(struct arena *a, struct slice payload, struct record_stamp *out,
                     struct diag *d) MUST_USE;

#endif
