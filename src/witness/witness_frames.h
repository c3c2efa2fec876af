/*
 * What a worker and the keeper (child log) of a witness say to each other; bodies are little-endian
 * cursors (base/cursor.h). The frame's id names the request, and comes back with the answer.
 *
 *   WITNESS_FRAME_ADD     u64 old size, u8 hashes (at most 63), 32 bytes each, var checkpoint text,
 *                         var signature lines of the log that verified
 *   WITNESS_FRAME_VIEW    32 bytes SHA-256 of an origin
 *   WITNESS_FRAME_LIST    nothing
 *   WITNESS_FRAME_ANSWER  u16 HTTP status, u64 size held (of 409), var body or sentence
 *   WITNESS_FRAME_HELD    u64 origins in all, then rows: var origin, u64 size, u64 time (s)
 *
 * The keeper reads the checkpoint text itself: what it judges is what is signed. That the log's
 * signature is good is the worker's word.
 */
#ifndef SILD_WITNESS_WITNESS_FRAMES_H
#define SILD_WITNESS_WITNESS_FRAMES_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "crypto/merkle.h"

#define WITNESS_PROOF_MAX 63          /* hashes */
#define WITNESS_BODY_MAX (128u << 10) /* bytes of a request's body */
#define WITNESS_NOTE_MAX (64u << 10)
#define WITNESS_ROWS_MAX 2000 /* origins told at once */

enum witness_frame {
    WITNESS_FRAME_ADD = 300,
    WITNESS_FRAME_VIEW,
    WITNESS_FRAME_LIST,
    WITNESS_FRAME_ANSWER,
    WITNESS_FRAME_HELD,
};

struct witness_add {
    uint64_t old;
    struct merkle_hash proof[WITNESS_PROOF_MAX];
    size_t hashes;
    struct slice text;  /* of the checkpoint */
    struct slice lines; /* its signature lines */
};
void witness_frames_put_add(struct buf *b, const struct witness_add *a);
int witness_frames_get_add(struct slice body, struct witness_add *out) MUST_USE; /* borrows */

struct witness_answer {
    int status;
    uint64_t size;
    struct slice text;
};
void witness_frames_put_answer(struct buf *b, const struct witness_answer *a);
int witness_frames_get_answer(struct slice body, struct witness_answer *out) MUST_USE;

struct witness_row {
    struct slice origin;
    uint64_t size;
    int64_t time_s;
};
void witness_frames_put_row(struct buf *b, const struct witness_row *r);
/* One row after another; the end is rd_left. ERR_SYNTAX. */
int witness_frames_get_row(struct rd *r, struct witness_row *out) MUST_USE;

#endif
