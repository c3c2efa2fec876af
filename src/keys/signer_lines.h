/*
 * The lines of the key process on its loop: raw requests are answered as they are read; messages
 * gather until everything that has arrived on any line is read, then are signed together.
 */
#ifndef SILD_KEYS_SIGNER_LINES_H
#define SILD_KEYS_SIGNER_LINES_H

#include "keys/signer_keys.h"
#include "net/loop.h"

struct signer_lines;

/* keys must outlive it, or until signer_lines_rekey, and must not grow any more. NULL without
 * memory. */
struct signer_lines *signer_lines_new(struct loop *l, struct signer_keys *keys, size_t batch_max);
/* Closes the lines. Not from within a callback of theirs. */
void signer_lines_free(struct signer_lines *s);

/* From now on with these keys, and for a while those of before beside them (signer_keys_inherit),
 * which then are only to be freed; what has been read is signed before with those of then. Not from
 * within a callback of the lines. ERR_NOMEM: of no use any more. */
int signer_lines_rekey(struct signer_lines *s, struct signer_keys *keys) MUST_USE;

/* Takes the descriptor over, the end of a line to whoever may ask. A line ends when its other end
 * is gone, breaks the format, or does not read its answers. */
int signer_lines_add(struct signer_lines *s, int fd) MUST_USE;

#endif
