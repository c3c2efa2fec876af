/*
 * The operators' way in: a UNIX socket (mode 0600) that takes one command line a connection.
 *     client: the command, LF                    server: "<exit code> <length>" LF, text
 */
#ifndef SILD_PROC_CONTROL_H
#define SILD_PROC_CONTROL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "net/loop.h"

#define CONTROL_COMMAND_MAX (64u << 10)
#define CONTROL_ANSWER_MAX (32u << 20)

struct control;

/* id names the connection for control_answer; the command is borrowed. */
typedef void (*control_cb)(void *ctx, uint64_t id, struct slice command);
/* Replaces a socket that a dead process left at `path`. */
struct control *control_new(struct loop *l, const char *path, control_cb cb, void *ctx,
                            struct diag *d);
void control_free(struct control *c); /* removes the socket */
/* Once for each command; ignored when the client is gone meanwhile. */
void control_answer(struct control *c, uint64_t id, int exit_code, struct slice text);

/* One command to the socket, whole answer; *exit_code as the command said. ERR_NOT_FOUND: nobody
 * listens. */
int control_call(const char *socket_path, struct slice command, int64_t timeout_ms, int *exit_code,
                 struct buf *answer, struct diag *d) MUST_USE;

#endif
