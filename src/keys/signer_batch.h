/*
 * Message signatures that wait, and the batches they are signed in: one tree, one SignedInfo and
 * one value for all messages that wait for the same key; a message of one part that waits alone is
 * signed singly (signature.md 1 and 4).
 */
#ifndef SILD_KEYS_SIGNER_BATCH_H
#define SILD_KEYS_SIGNER_BATCH_H

#include "keys/signer_keys.h"

struct signer_batch;

/* batch_max: messages in one signature, cut to 1 … HASHCHAIN_MESSAGES_MAX. keys must outlive it
 * and must not grow any more. NULL without memory. */
struct signer_batch *signer_batch_new(struct signer_keys *keys, size_t batch_max);
void signer_batch_free(struct signer_batch *b);

/*
 * Takes the body of a SIGNER_MESSAGE in; line and id come back with its answer. Errors:
 * ERR_BAD_REQUEST (malformed), ERR_KEY_NOT_FOUND (no such member), ERR_AGAIN (enough is waiting:
 * sign, then add again).
 */
int signer_batch_add(struct signer_batch *b, struct slice body, void *line, uint64_t id,
                     struct diag *d) MUST_USE;
/* The line is gone: its messages get no answer. */
void signer_batch_forget(struct signer_batch *b, const void *line);

/* type: SIGNER_MESSAGE_DONE or SIGNER_FAILED; body is borrowed until return. */
typedef void (*signer_batch_answer)(void *ctx, void *line, uint64_t id, uint16_t type,
                                    struct slice body);
/* Signs all that waits and answers each, in the order of arrival for each key. */
void signer_batch_sign(struct signer_batch *b, int64_t now_ms, signer_batch_answer answer,
                       void *ctx);

#endif
