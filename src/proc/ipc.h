/*
 * Messages between processes of one role: SOCK_SEQPACKET, datagrams of at most 128 KiB that carry
 * one or more frames, little-endian:
 *     u32 length of the body   u16 type   u16 flags   u64 id   body
 * A body over IPC_INLINE_MAX travels in a sealed memfd, up to 32 MiB, unseen by both ends' code;
 * its frame has flag 0x8000, the length of the whole, and no body. Descriptors go by SCM_RIGHTS,
 * one a frame with flag 0x4000, in the order of the frames. So the two highest flags are not the
 * caller's. One flush a turn of the loop: frames that gather go in one datagram.
 */
#ifndef SILD_PROC_IPC_H
#define SILD_PROC_IPC_H

#include "base/attr.h"
#include "base/slice.h"
#include "net/loop.h"

#define IPC_DATAGRAM_MAX (128u << 10)
#define IPC_INLINE_MAX (64u << 10)
#define IPC_BODY_MAX (32u << 20)

struct ipc;

struct ipc_frame {
    uint16_t type, flags;
    uint64_t id;
    struct slice body; /* borrowed until the callback returns */
    int fd;            /* -1, or a descriptor that the receiver now owns */
};

struct ipc_events {
    void (*on_frame)(void *ctx, struct ipc *c, const struct ipc_frame *f);
    void (*on_batch)(void *ctx, struct ipc *c); /* after all frames of a wake-up; may be NULL */
    void (*on_drain)(void *ctx,
                     struct ipc *c); /* queue below half of its maximum again; may be NULL */
    void (*on_close)(void *ctx, struct ipc *c); /* the other end is gone, or broke the format */
};

/* Takes the descriptor over, also when it returns NULL (no memory). queue_max: bytes that may wait
 * (0: 4 MiB). */
struct ipc *ipc_new(struct loop *l, int fd, size_t queue_max, const struct ipc_events *ev,
                    void *ctx);
void ipc_free(struct ipc *c);
/* Queues a frame. fd -1, or a descriptor, which goes with the frame (not with a body over
 * IPC_INLINE_MAX) and is closed here once it is sent when `fd_close`. ERR_AGAIN when the queue is
 * full, then on_drain comes; ERR_CLOSED after on_close. After an error nothing was taken, the
 * descriptor neither. */
int ipc_send(struct ipc *c, uint16_t type, uint16_t flags, uint64_t id, struct slice body, int fd,
             bool fd_close) MUST_USE;
void ipc_flush(struct ipc *c); /* now, not at the end of the turn */
size_t ipc_queued(const struct ipc *c);

/*
 * For callers that must block (a TLS handshake's signature): one frame out, one frame with the same
 * id back, on a descriptor used for nothing else. reply's body goes to out (cap bytes), *n its
 * length. Both bodies are at most IPC_INLINE_MAX. ERR_TIMEOUT, ERR_CLOSED, ERR_TOO_LARGE.
 */
int ipc_call(int fd, uint16_t type, uint64_t id, struct slice body, uint16_t *reply_type,
             uint8_t *out, size_t cap, size_t *n, int64_t timeout_ms) MUST_USE;

#endif
