#include "keys/signer_lines.h"
#include "base/err.h"
#include "base/tally.h"
#include "keys/signer_batch.h"
#include "proc/report.h"

#include <stdlib.h>
#include <unistd.h>

#define LINES_MAX 64
#define ANSWER_MAX 4096
#define QUEUE_MAX (64u << 20) /* answers to 10,000 messages that came in one turn, and room */

struct line {
    struct signer_lines *of;
    struct ipc *ipc;   /* NULL: a free place */
    bool owed;         /* has answers that are not flushed */
    bool unresponsive; /* does not read its answers: to be closed */
};

struct signer_lines {
    struct loop *loop;
    struct signer_keys *keys;
    struct signer_batch *batch;
    size_t batch_max;
    struct line lines[LINES_MAX];
    struct buf answer;
    bool turn; /* end_turn is due */
};

static void close_line(struct line *n)
{
    signer_batch_forget(n->of->batch, n);
    ipc_free(n->ipc);
    *n = (struct line){.of = n->of};
}

static void send_answer(void *ctx, void *line, uint64_t id, uint16_t type, struct slice body)
{
    (void)ctx;
    struct line *n = line;
    if (ipc_send(n->ipc, type, 0, id, body, -1, false) != 0)
        n->unresponsive = true;
    n->owed = true;
}

/* Everything that had arrived has been read: sign what gathered, send each line its answers. */
static void end_turn(void *ctx)
{
    struct signer_lines *s = ctx;
    s->turn = false;
    signer_batch_sign(s->batch, loop_wall_ms(s->loop), send_answer, s);
    for (size_t i = 0; i < LINES_MAX; i++) {
        struct line *n = &s->lines[i];
        if (!n->owed)
            continue;
        n->owed = false;
        if (!n->unresponsive) {
            ipc_flush(n->ipc);
            continue;
        }
        report(REPORT_ERROR, "key_line_full", "A process does not read its signatures.");
        close_line(n);
    }
}

static void want_turn(struct signer_lines *s)
{
    if (s->turn)
        return;
    s->turn = true;
    loop_defer(s->loop, end_turn, s);
}

static void take_message(struct line *n, const struct ipc_frame *f)
{
    struct signer_lines *s = n->of;
    struct diag d = {0};
    int err = signer_batch_add(s->batch, f->body, n, f->id, &d);
    if (err == ERR_AGAIN) {
        signer_batch_sign(s->batch, loop_wall_ms(s->loop), send_answer, s);
        err = signer_batch_add(s->batch, f->body, n, f->id, &d);
    }
    if (err == 0)
        return;
    buf_reset(&s->answer);
    signer_put_failure(&s->answer, err, slice_str(d.text));
    send_answer(s, n, f->id, SIGNER_FAILED, buf_view(&s->answer));
}

static void on_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    (void)c;
    struct line *n = ctx;
    struct signer_lines *s = n->of;
    if (f->fd >= 0)
        close(f->fd); /* no request brings a descriptor */
    want_turn(s);
    if (f->type == SIGNER_MESSAGE) {
        take_message(n, f);
        return;
    }
    buf_reset(&s->answer);
    uint16_t type = signer_keys_serve(s->keys, f->type, f->body, &s->answer);
    tally_add(TALLY_RAW, type == SIGNER_VALUE);
    send_answer(s, n, f->id, type, buf_view(&s->answer));
}

static void on_close(void *ctx, struct ipc *c)
{
    (void)c;
    close_line(ctx);
}

struct signer_lines *signer_lines_new(struct loop *l, struct signer_keys *keys, size_t batch_max)
{
    struct signer_lines *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->loop = l;
    s->keys = keys;
    s->batch_max = batch_max;
    s->batch = signer_batch_new(keys, batch_max);
    buf_init(&s->answer, ANSWER_MAX);
    for (size_t i = 0; i < LINES_MAX; i++)
        s->lines[i].of = s;
    if (s->batch == NULL) {
        free(s);
        return NULL;
    }
    return s;
}

void signer_lines_free(struct signer_lines *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < LINES_MAX; i++)
        if (s->lines[i].ipc != NULL)
            close_line(&s->lines[i]);
    signer_batch_free(s->batch);
    buf_free(&s->answer);
    free(s);
}

int signer_lines_rekey(struct signer_lines *s, struct signer_keys *keys)
{
    signer_batch_sign(s->batch, loop_wall_ms(s->loop), send_answer, s);
    want_turn(s);
    signer_keys_inherit(keys, s->keys, loop_mono_ms(s->loop));
    struct signer_batch *next = signer_batch_new(keys, s->batch_max);
    if (next == NULL)
        return ERR_NOMEM;
    signer_batch_free(s->batch);
    s->batch = next;
    s->keys = keys;
    return 0;
}

int signer_lines_add(struct signer_lines *s, int fd)
{
    static const struct ipc_events events = {.on_frame = on_frame, .on_close = on_close};
    struct line *n = s->lines;
    while (n < s->lines + LINES_MAX && n->ipc != NULL)
        n++;
    if (n == s->lines + LINES_MAX) {
        close(fd);
        return ERR_TOO_LARGE;
    }
    n->ipc = ipc_new(s->loop, fd, QUEUE_MAX, &events, n);
    return n->ipc != NULL ? 0 : ERR_NOMEM;
}
