/*
 * Memory of buffers that are empty most of the time, kept in common: a buffer borrows a block when
 * it is first written to and gives it back when it is empty again, so that a thousand idle
 * connections hold none, and busy ones neither allocate nor grow theirs anew for each message.
 */
#ifndef SILD_BASE_SPARE_H
#define SILD_BASE_SPARE_H

#include "base/buf.h"

#define SPARE_BLOCKS 8
#define SPARE_BLOCK_MAX (128u << 10) /* bytes; larger ones are freed */

struct spare {
    struct {
        uint8_t *p;
        size_t cap;
    } block[SPARE_BLOCKS];
    size_t n;
};

/* Gives a buffer without memory a block, the one that came last, if there is one within its
 * maximum; a buffer that has memory keeps it. */
void spare_lend(struct spare *s, struct buf *b);
/* Empties a buffer and takes its memory, or frees it where there are enough blocks. */
void spare_take(struct spare *s, struct buf *b);
/* Frees the blocks. */
void spare_free(struct spare *s);

#endif
