/* The page at a witness's root, for people: who it is, which logs it watches, how far they are. */
#ifndef SILD_WITNESS_WITNESS_PAGE_H
#define SILD_WITNESS_WITNESS_PAGE_H

#include "witness/witness_frames.h"
#include "witness/witness_logs.h"

#define WITNESS_PAGE_MAX (4u << 20)

/* held: a body of WITNESS_FRAME_HELD. Appends HTML. ERR_SYNTAX, ERR_TOO_LARGE. */
int witness_page_print(const struct note_key *witness, const struct witness_logs *logs,
                       struct slice held, int64_t now_ms, struct buf *out) MUST_USE;

#endif
