/*
 * The body of one message on its way: digested as it comes, held in memory up to 64 KiB and beyond
 * that in an unlinked file that the log process opens, so that memory stays constant. When many
 * bodies come at once, each is held in memory only up to 8 KiB.
 */
#ifndef SILD_GATEWAY_BODY_H
#define SILD_GATEWAY_BODY_H

#include "base/buf.h"
#include "crypto/digest.h"
#include "gateway/ask.h"

#define BODY_MEMORY (64u << 10)      /* what a body may hold before it is large, */
#define BODY_MEMORY_LEAST (8u << 10) /* and while all together hold more than */
#define BODY_MEMORY_ALL (4u << 20)

struct body {
    struct ask *ask;
    struct digest_ctx *digester;
    struct buf mem;              /* everything, as long as there is no file */
    size_t counted;              /* of mem, in the sum of all bodies */
    bool large;                  /* it outgrew memory: to the file with it, or on its way */
    int fd;                      /* -1: all in memory */
    uint64_t size;               /* bytes seen */
    uint64_t spooled;            /* bytes in the file */
    bool hold;                   /* false: only digest (whoever feeds it passes the bytes on) */
    bool present;                /* there is a body, perhaps an empty one */
    uint64_t asking;             /* open question for a file */
    struct diag failed;          /* code != 0: the spool failed */
    void (*on_spool)(void *ctx); /* the file is there: go on feeding */
    void *ctx;
    struct digest digest; /* SHA-512, after body_finish */
};

void body_init(struct body *b, struct ask *ask, void (*on_spool)(void *), void *ctx);
void body_free(struct body *b);
/*
 * Takes a piece. Returns 0; ERR_AGAIN: taken, but feed no more until on_spool (pause the source);
 * another code: failed.
 */
int body_add(struct body *b, struct slice piece, struct diag *d) MUST_USE;
/* The same, but never asks for a file: for a source that can wait until the bytes flow on. */
int body_take(struct body *b, struct slice piece, struct diag *d) MUST_USE;
/* No more bytes. A body that has a file is in it whole afterwards. Fails when it cannot be. */
int body_finish(struct body *b, struct diag *d) MUST_USE;
/* Digests from now on but holds no more; what was held is the caller's to pass on first (b->mem).
 */
void body_stream(struct body *b);
/* Reads up to cap bytes of a finished body from an offset; *n is 0 at the end. */
int body_read(struct body *b, uint64_t offset, uint8_t *out, size_t cap, size_t *n,
              struct diag *d) MUST_USE;
/* In memory whole? Then b->mem is the body. */
static inline bool body_in_memory(const struct body *b)
{
    return b->fd < 0;
}

#endif
