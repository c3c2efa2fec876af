/*
 * The event loop: libuv behind a header of our own. One loop a process; everything on it is single
 * threaded. Handles are freed by their own functions; a callback may free its own handle.
 */
#ifndef SILD_NET_LOOP_H
#define SILD_NET_LOOP_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct loop *loop_new(void); /* NULL when the system refuses */
void loop_free(struct loop *l);
void loop_run(struct loop *l); /* until loop_stop, and to the end of that turn */
void loop_stop(struct loop *l);
int64_t loop_mono_ms(struct loop *l); /* monotonic, read once a turn */
int64_t loop_wall_ms(struct loop *l); /* wall clock, milliseconds since 1970, read now */

typedef void (*loop_cb)(void *ctx);

/* Once after `ms`. Cancelled by loop_timer_cancel; freed after it fired or was cancelled. NULL only
 * without memory. */
struct loop_timer;
struct loop_timer *loop_timer_start(struct loop *l, int64_t ms, loop_cb cb, void *ctx);
void loop_timer_cancel(struct loop_timer *t); /* NULL is harmless */

/* Runs cb at the end of this turn (before waiting): for one flush a turn. Not cancellable. */
void loop_defer(struct loop *l, loop_cb cb, void *ctx);
/* Something that was waited for has been dealt with, one of perhaps many that came with one
 * descriptor: after some of them the deferred calls are made, so that what they have to send does
 * not wait for the rest. Not from a deferred call. */
void loop_served(struct loop *l);

/* Readiness of a descriptor; the caller keeps and closes the descriptor, after loop_fd_free. A
 * failed descriptor is told as readable and writable. NULL when the system refuses. */
struct loop_fd;
typedef void (*loop_fd_cb)(void *ctx, bool readable, bool writable);
struct loop_fd *loop_fd_new(struct loop *l, int fd, loop_fd_cb cb, void *ctx);
void loop_fd_want(struct loop_fd *f, bool read, bool write);
void loop_fd_free(struct loop_fd *f);

/* Calls cb for each arrival of the signal, for as long as the loop lives. */
int loop_signal(struct loop *l, int signo, loop_cb cb, void *ctx) MUST_USE;

/*
 * Objects that may outlive whoever made them (a connection that lingers): what is still owned when
 * the loop is freed is given to its free function. Embedded in the object.
 */
struct loop_owned {
    struct loop_owned *next, **link;
    void (*free_fn)(struct loop_owned *o);
};
void loop_own(struct loop *l, struct loop_owned *o, void (*free_fn)(struct loop_owned *));
void loop_disown(struct loop_owned *o);

/* Memory for reading into, shared by all that hangs on the loop: its content is gone when the
 * callback that filled it returns. Two halves of LOOP_SCRATCH bytes. */
#define LOOP_SCRATCH (128u << 10)
uint8_t *loop_scratch(struct loop *l, int half);
/* Memory for the buffers of all that hangs on the loop. */
struct spare *loop_spare(struct loop *l);

#endif
