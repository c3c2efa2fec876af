/*
 * Frames about heads between a role's log child and its agent. Bodies are little-endian cursors;
 * both directions of each are here.
 */
#ifndef SILD_SUBMIT_SUBMIT_FRAMES_H
#define SILD_SUBMIT_SUBMIT_FRAMES_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"

enum submit_frame_type {
    /* log to agent: an add-head request, as it goes out; answer SUBMIT_ANSWER of the same id */
    SUBMIT_HEAD = 400,
    /* agent to log: u32 HTTP status (0: nobody answered; SUBMIT_BAD_ANSWER: what came with 200 does
     * not verify), var text: the answer's body (verified when 200), else a sentence */
    SUBMIT_ANSWER,
};

#define SUBMIT_BAD_ANSWER 1
#define SUBMIT_REQUEST_MAX (16u << 10)

struct submit_answer {
    unsigned status;
    struct slice text; /* borrowed */
};
void submit_frames_put(struct buf *b, const struct submit_answer *a);
int submit_frames_get(struct slice body, struct submit_answer *out) MUST_USE;

#endif
