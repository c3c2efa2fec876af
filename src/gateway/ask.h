/*
 * A worker's questions to the key and log processes: asked now, answered in a later turn of the
 * loop. Every question ends in exactly one callback, unless cancelled; after 30 seconds without an
 * answer it is ERR_TIMEOUT.
 */
#ifndef SILD_GATEWAY_ASK_H
#define SILD_GATEWAY_ASK_H

#include "gateway/frames.h"
#include "keys/signer.h"
#include "net/loop.h"

struct ask;
struct ask *ask_new(struct loop *l);
void ask_free(struct ask *a);
/* A line to "key" or "log" is up. Takes the descriptor over. */
void ask_connect_key(struct ask *a, int fd);
void ask_connect_log(struct ask *a, int fd);
bool ask_connected(const struct ask *a);

/* why is NULL when it went well; all slices are borrowed until the callback returns. */
typedef void (*ask_signed)(void *ctx, const struct signer_result *r, const struct diag *why);
typedef void (*ask_logged)(void *ctx, const struct diag *why);
typedef void (*ask_spooled)(void *ctx, int fd, const struct diag *why); /* fd is the receiver's */

/* Return a number for ask_cancel; 0 when the question could not be put (the callback is not called,
 * d says why). */
uint64_t ask_sign(struct ask *a, const struct signer_message *m, ask_signed cb, void *ctx,
                  struct diag *d);
/* body_fd: file that holds a body to be kept, or -1; stays the caller's. */
uint64_t ask_log(struct ask *a, const struct record_message *m, int body_fd, ask_logged cb,
                 void *ctx, struct diag *d);
uint64_t ask_spool(struct ask *a, ask_spooled cb, void *ctx, struct diag *d);
void ask_cancel(struct ask *a, uint64_t number); /* 0 is harmless */

#endif
