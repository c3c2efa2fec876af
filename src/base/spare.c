#include "base/spare.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>

void spare_lend(struct spare *s, struct buf *b)
{
    if (b->p != NULL || s->n == 0 || s->block[s->n - 1].cap > b->max + 1)
        return;
    s->n--;
    b->p = s->block[s->n].p;
    b->cap = s->block[s->n].cap;
    ASAN_UNPOISON_MEMORY_REGION(b->p, b->cap);
}

void spare_take(struct spare *s, struct buf *b)
{
    if (b->p != NULL && b->cap <= SPARE_BLOCK_MAX && s->n < SPARE_BLOCKS) {
        /* Who kept a slice of it is to be found out. */
        ASAN_POISON_MEMORY_REGION(b->p, b->cap);
        s->block[s->n].p = b->p;
        s->block[s->n].cap = b->cap;
        s->n++;
        b->p = NULL;
    }
    buf_free(b);
}

void spare_free(struct spare *s)
{
    while (s->n > 0) {
        s->n--;
        ASAN_UNPOISON_MEMORY_REGION(s->block[s->n].p, s->block[s->n].cap);
        free(s->block[s->n].p);
    }
}
