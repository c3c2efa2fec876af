/*
 * Frames between the gateway's children (beside those of keys/signer.h). Bodies are little-endian
 * cursors; both directions of each are here and in frames.c.
 */
#ifndef SILD_GATEWAY_FRAMES_H
#define SILD_GATEWAY_FRAMES_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "crypto/digest.h"
#include "gateway/record.h"

enum frame_type {
    /* agent to worker and log: a sealed memfd (gateway/snapshot.h); id is its generation */
    FRAME_SNAPSHOT = 100,
    /* worker to log: a message record; answer FRAME_LOGGED (u64 sequence) or FRAME_REFUSED */
    FRAME_LOG,
    FRAME_LOGGED,
    /* u16 error code, sentence */
    FRAME_REFUSED,
    /* worker to log: an unlinked file for a large body; answer FRAME_SPOOL_IS with the descriptor
     */
    FRAME_SPOOL,
    FRAME_SPOOL_IS,
    /* log to agent: u32 n, n × {u64 sequence, 64 bytes digest}; answer FRAME_STAMPED or
       FRAME_REFUSED */
    FRAME_STAMP,
    FRAME_STAMPED,
};

/* FRAME_LOG: see record.h. A body to be kept follows as descriptor (flag FRAME_F_BODY_FD) or in the
 * frame. */
#define FRAME_F_BODY_FD 1

void frames_put_refused(struct buf *b, const struct diag *d);
int frames_get_refused(struct slice body, struct diag *d); /* fills d, returns its code */

#define FRAMES_STAMP_MAX 4096
struct frames_stamp {
    uint32_t n;
    uint64_t seq[FRAMES_STAMP_MAX];
    struct digest digest[FRAMES_STAMP_MAX]; /* SHA-512 of the signature documents */
};
void frames_put_stamp(struct buf *b, const struct frames_stamp *s);
int frames_get_stamp(struct slice body, struct frames_stamp *out) MUST_USE;

#endif
