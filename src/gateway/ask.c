#include "gateway/ask.h"
#include "base/err.h"
#include "base/map.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASK_MAX 8192
#define ASK_TIMEOUT_MS 30000
#define ASK_SWEEP_MS 1000
#define FRAME_MAX (16u << 20)

enum kind {
    ASK_SIGN,
    ASK_LOG,
    ASK_SPOOL,
};

struct question {
    uint64_t number;
    enum kind kind;
    int64_t asked_ms;
    void *ctx;
    union {
        ask_signed signed_;
        ask_logged logged;
        ask_spooled spooled;
    } cb;
};

struct ask {
    struct loop *loop;
    struct ipc *key, *log;
    struct map *open; /* number -> question */
    uint64_t next;
    struct buf frame;                   /* reused for every question */
    struct digest logged[RECORD_SLOTS]; /* of the documents that the log has in its slots */
    struct loop_timer *sweep;
};

static void sweep(void *ctx);

struct ask *ask_new(struct loop *l)
{
    struct ask *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->loop = l;
    a->next = 1;
    a->open = map_new(ASK_MAX, 0);
    buf_init(&a->frame, FRAME_MAX);
    a->sweep = loop_timer_start(l, ASK_SWEEP_MS, sweep, a);
    if (a->open == NULL || a->sweep == NULL) {
        ask_free(a);
        return NULL;
    }
    return a;
}

void ask_free(struct ask *a)
{
    if (a == NULL)
        return;
    loop_timer_cancel(a->sweep);
    ipc_free(a->key);
    ipc_free(a->log);
    struct slice key;
    void *q;
    for (size_t at = 0; a->open != NULL && map_next(a->open, &at, &key, &q);)
        free(q);
    map_free(a->open);
    buf_free(&a->frame);
    free(a);
}

bool ask_connected(const struct ask *a)
{
    return a->key != NULL && a->log != NULL;
}

static struct slice number_key(const uint64_t *n)
{
    return slice_of(n, sizeof *n);
}

static struct question *take(struct ask *a, uint64_t number)
{
    return map_remove(a->open, number_key(&number));
}

/* Ends a question with a failure; frees it. */
static void fail(struct question *q, const struct diag *why)
{
    struct question copy = *q;
    free(q);
    switch (copy.kind) {
    case ASK_SIGN:
        copy.cb.signed_(copy.ctx, NULL, why);
        break;
    case ASK_LOG:
        copy.cb.logged(copy.ctx, why);
        break;
    case ASK_SPOOL:
        copy.cb.spooled(copy.ctx, -1, why);
        break;
    }
}

/* Ends every question older than the limit (or all, when a line broke). */
static void fail_old(struct ask *a, int64_t before_ms, const struct diag *why)
{
    uint64_t old[64];
    size_t n;
    do {
        struct slice key;
        void *value;
        n = 0;
        for (size_t at = 0; n < ARRAY_LEN(old) && map_next(a->open, &at, &key, &value);) {
            struct question *q = value;
            if (q->asked_ms < before_ms)
                old[n++] = q->number;
        }
        for (size_t i = 0; i < n; i++) {
            struct question *q = take(a, old[i]);
            if (q != NULL)
                fail(q, why);
        }
    } while (n == ARRAY_LEN(old));
}

static void sweep(void *ctx)
{
    struct ask *a = ctx;
    struct diag d = {0};
    diag_set(&d, ERR_TIMEOUT, "the key or log process did not answer in time");
    fail_old(a, loop_mono_ms(a->loop) - ASK_TIMEOUT_MS, &d);
    a->sweep = loop_timer_start(a->loop, ASK_SWEEP_MS, sweep, a);
}

static void on_key_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct ask *a = ctx;
    struct question *q = take(a, f->id);
    struct signer_result r;
    struct diag d = {0};
    (void)c;
    if (q == NULL)
        return; /* cancelled meanwhile */
    if (f->type == SIGNER_FAILED) {
        frames_get_refused(f->body, &d);
        fail(q, &d);
        return;
    }
    if (f->type != SIGNER_MESSAGE_DONE || signer_get_result(f->body, &r) != 0) {
        diag_set(&d, ERR_INTERNAL, "the key process gave an answer that cannot be read");
        fail(q, &d);
        return;
    }
    struct question copy = *q;
    free(q);
    copy.cb.signed_(copy.ctx, &r, NULL);
    loop_served(a->loop);
}

static void on_log_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct ask *a = ctx;
    struct question *q = take(a, f->id);
    struct diag d = {0};
    (void)c;
    if (q == NULL) {
        if (f->fd >= 0)
            close(f->fd);
        return;
    }
    if (f->type == FRAME_REFUSED) {
        frames_get_refused(f->body, &d);
        fail(q, &d);
        return;
    }
    struct question copy = *q;
    if (copy.kind == ASK_LOG && f->type == FRAME_LOGGED && f->fd < 0) {
        free(q);
        copy.cb.logged(copy.ctx, NULL);
        loop_served(a->loop);
    } else if (copy.kind == ASK_SPOOL && f->type == FRAME_SPOOL_IS && f->fd >= 0) {
        free(q);
        copy.cb.spooled(copy.ctx, f->fd, NULL);
    } else {
        if (f->fd >= 0)
            close(f->fd);
        diag_set(&d, ERR_INTERNAL, "the log process gave an answer that does not fit the question");
        fail(q, &d);
    }
}

static void on_line_closed(void *ctx, struct ipc *c)
{
    struct ask *a = ctx;
    struct diag d = {0};
    if (a->key == c)
        a->key = NULL;
    if (a->log == c)
        a->log = NULL;
    ipc_free(c);
    diag_set(&d, ERR_INTERNAL, "the key or log process ended");
    fail_old(a, INT64_MAX, &d);
}

void ask_connect_key(struct ask *a, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_key_frame, .on_close = on_line_closed};
    ipc_free(a->key);
    a->key = ipc_new(a->loop, fd, 0, &ev, a);
}

void ask_connect_log(struct ask *a, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_log_frame, .on_close = on_line_closed};
    ipc_free(a->log);
    a->log = ipc_new(a->loop, fd, 0, &ev, a);
    memset(a->logged, 0, sizeof a->logged);
}

static struct question *question_new(struct ask *a, enum kind kind, void *ctx)
{
    struct question *q = calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->number = a->next++;
    q->kind = kind;
    q->asked_ms = loop_mono_ms(a->loop);
    q->ctx = ctx;
    if (map_put(a->open, number_key(&q->number), q) != 0) {
        free(q);
        return NULL;
    }
    return q;
}

/* Sends a->frame as the question; forgets it when that fails. */
static uint64_t put(struct ask *a, struct ipc *line, struct question *q, uint16_t type,
                    uint16_t flags, int fd, struct diag *d)
{
    if (q == NULL) {
        diag_set(d, ERR_TOO_LARGE, "too many questions to the key and log processes are open");
        return 0;
    }
    int rc = line == NULL ? ERR_CLOSED : a->frame.failed ? ERR_TOO_LARGE : 0;
    if (rc == 0)
        rc = ipc_send(line, type, flags, q->number, buf_view(&a->frame), fd, false);
    if (rc == 0)
        return q->number;
    take(a, q->number);
    free(q);
    diag_set(d, rc == ERR_AGAIN ? ERR_IO : rc,
             "the key or log process cannot take another request now");
    return 0;
}

uint64_t ask_sign(struct ask *a, const struct signer_message *m, ask_signed cb, void *ctx,
                  struct diag *d)
{
    struct question *q = question_new(a, ASK_SIGN, ctx);
    if (q != NULL)
        q->cb.signed_ = cb;
    buf_reset(&a->frame);
    signer_put_message(&a->frame, m);
    return put(a, a->key, q, SIGNER_MESSAGE, 0, -1, d);
}

uint64_t ask_log(struct ask *a, const struct record_message *m, int body_fd, ask_logged cb,
                 void *ctx, struct diag *d)
{
    struct question *q = question_new(a, ASK_LOG, ctx);
    struct record_message once = *m;
    struct digest *slot = &a->logged[record_slot(m)];
    if (q != NULL)
        q->cb.logged = cb;
    if (slot->n > 0 && digest_eq(slot, &m->signature_hash))
        once.signature = SLICE_NONE;
    buf_reset(&a->frame);
    record_message_put(&a->frame, &once);
    uint64_t number = put(a, a->log, q, FRAME_LOG, body_fd >= 0 ? FRAME_F_BODY_FD : 0, body_fd, d);
    if (number != 0)
        *slot = m->signature_hash;
    return number;
}

uint64_t ask_spool(struct ask *a, ask_spooled cb, void *ctx, struct diag *d)
{
    struct question *q = question_new(a, ASK_SPOOL, ctx);
    if (q != NULL)
        q->cb.spooled = cb;
    buf_reset(&a->frame);
    return put(a, a->log, q, FRAME_SPOOL, 0, -1, d);
}

void ask_cancel(struct ask *a, uint64_t number)
{
    if (number != 0)
        free(take(a, number));
}
