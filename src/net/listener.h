/* Accepts connections from a listening descriptor; rests when descriptors run out. */
#ifndef SILD_NET_LISTENER_H
#define SILD_NET_LISTENER_H

#include "net/loop.h"

struct listener;
/* fd: the new connection, not blocking, closed on exec, the callback's to keep. */
typedef void (*listener_cb)(void *ctx, int fd);
struct listener *listener_new(struct loop *l, int fd, listener_cb cb, void *ctx);
void listener_free(struct listener *s); /* the descriptor stays the caller's */
/* Accepts nothing for so long, to leave time for the connections that are there. */
void listener_rest(struct listener *s, int64_t ms);
void listener_pause(struct listener *s, bool pause); /* connections wait in the kernel's queue */

#endif
