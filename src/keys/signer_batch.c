#include "keys/signer_batch.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/tally.h"
#include "evidence/hashchain.h"
#include "evidence/xades.h"

#include <stdlib.h>
#include <string.h>

#define WAITING_MAX (4u << 20) /* bytes of messages that wait */
#define DOCUMENT_MAX (64u << 10)
#define ANSWER_MAX (160u << 10)
#define RESULT_URI "/sig-hashchain.xml#STEP0"

struct waiting {
    struct waiting *next;
    void *line; /* NULL: nobody waits any more */
    uint64_t id;
    size_t parts;
    struct digest part[];
};

/* What waits for one key. */
struct queue {
    struct waiting *first, *last;
    size_t n;
};

struct signer_batch {
    struct signer_keys *keys;
    size_t batch_max;
    struct queue *queues; /* as many as keys */
    size_t *busy;         /* keys that something waits for, in the order of their first message */
    size_t n_busy;
    struct arena *arena;               /* what waits */
    struct hashchain_message *message; /* batch_max at most, grown as needed */
    struct buf *chain;                 /* as many as message */
    size_t room;
    struct buf result, signed_info, value, answer;
};

struct signer_batch *signer_batch_new(struct signer_keys *keys, size_t batch_max)
{
    struct signer_batch *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    size_t n = signer_keys_count(keys);
    b->keys = keys;
    b->batch_max = batch_max == 0                       ? 1
                   : batch_max > HASHCHAIN_MESSAGES_MAX ? HASHCHAIN_MESSAGES_MAX
                                                        : batch_max;
    b->queues = calloc(n + 1, sizeof *b->queues);
    b->busy = calloc(n + 1, sizeof *b->busy);
    b->arena = arena_new(WAITING_MAX);
    buf_init(&b->result, DOCUMENT_MAX);
    buf_init(&b->signed_info, DOCUMENT_MAX);
    buf_init(&b->value, DOCUMENT_MAX);
    buf_init(&b->answer, ANSWER_MAX);
    if (b->queues == NULL || b->busy == NULL || b->arena == NULL) {
        signer_batch_free(b);
        return NULL;
    }
    return b;
}

void signer_batch_free(struct signer_batch *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->room; i++)
        buf_free(&b->chain[i]);
    buf_free(&b->result);
    buf_free(&b->signed_info);
    buf_free(&b->value);
    buf_free(&b->answer);
    arena_free(b->arena);
    free(b->message);
    free(b->chain);
    free(b->queues);
    free(b->busy);
    free(b);
}

int signer_batch_add(struct signer_batch *b, struct slice body, void *line, uint64_t id,
                     struct diag *d)
{
    struct signer_message m;
    if (signer_get_message(body, &m) != 0)
        return diag_set(d, ERR_BAD_REQUEST, "malformed request");
    size_t key = signer_keys_of_member(b->keys, m.member, m.cert);
    if (key == SIZE_MAX)
        return diag_set(d, ERR_KEY_NOT_FOUND, "no signing key of %.*s with its certificate",
                        SLICE_ARG(m.member));
    size_t digests = m.parts * sizeof m.part[0];
    struct waiting *w = arena_alloc(b->arena, sizeof *w + digests);
    if (w == NULL)
        return diag_set(d, ERR_AGAIN, "too many messages wait");
    *w = (struct waiting){.line = line, .id = id, .parts = m.parts};
    memcpy(w->part, m.part, digests);

    struct queue *q = &b->queues[key];
    if (q->n++ == 0) {
        b->busy[b->n_busy++] = key;
        q->first = w;
    } else {
        q->last->next = w;
    }
    q->last = w;
    return 0;
}

void signer_batch_forget(struct signer_batch *b, const void *line)
{
    for (size_t i = 0; i < b->n_busy; i++)
        for (struct waiting *w = b->queues[b->busy[i]].first; w != NULL; w = w->next)
            if (w->line == line)
                w->line = NULL;
}

static int grow(struct signer_batch *b, size_t n)
{
    if (n <= b->room)
        return 0;
    size_t room = b->room == 0 ? 16 : b->room;
    while (room < n)
        room *= 2;
    struct hashchain_message *message = realloc(b->message, room * sizeof *message);
    if (message != NULL)
        b->message = message;
    struct buf *chain = message == NULL ? NULL : realloc(b->chain, room * sizeof *chain);
    if (chain == NULL)
        return ERR_NOMEM;
    b->chain = chain;
    for (; b->room < room; b->room++)
        buf_init(&b->chain[b->room], DOCUMENT_MAX);
    return 0;
}

/* Tree, result and chain documents of n messages from `first` on; the digest of the result. */
static int build_tree(struct signer_batch *b, const struct waiting *first, size_t n,
                      struct digest *data)
{
    if (grow(b, n) != 0)
        return ERR_NOMEM;
    const struct waiting *w = first;
    for (size_t i = 0; i < n; i++, w = w->next) {
        struct hashchain_message *m = &b->message[i];
        m->n = w->parts;
        for (size_t k = 0; k < w->parts; k++) {
            m->name[k] = slice_str(hashchain_part_name(k));
            m->digest[k] = w->part[k];
        }
        buf_reset(&b->chain[i]);
    }
    buf_reset(&b->result);
    int err = hashchain_build(DIGEST_SHA512, b->message, n, RESULT_URI, &b->result, b->chain);
    if (err == 0)
        digest_of(DIGEST_SHA512, buf_view(&b->result), data);
    return err;
}

/* Makes the one signature of n messages from `first` on; value, result and chains are in b. */
static int sign_batch(struct signer_batch *b, struct signer_held *h, const struct waiting *first,
                      size_t n, int64_t now_ms, struct diag *d)
{
    struct xades_spec spec = {
        .batch = n > 1 || first->parts > 1,
        .data = first->part[0],
        .signing_time_ms = now_ms,
        .cert = h->cert,
        .alg = h->alg,
    };
    if (spec.batch && build_tree(b, first, n, &spec.data) != 0)
        return diag_set(d, ERR_CANNOT_CREATE_SIGNATURE, "cannot build the hash tree");
    buf_reset(&b->signed_info);
    if (xades_signed_info(&spec, &b->signed_info) != 0)
        return diag_set(d, ERR_CANNOT_CREATE_SIGNATURE, "cannot build the signed properties");
    buf_reset(&b->value);
    return signer_held_sign(h, buf_view(&b->signed_info), &b->value, d);
}

/* Signs the first n messages of a queue and answers them; returns what comes after. */
static struct waiting *serve(struct signer_batch *b, struct signer_held *h, struct waiting *first,
                             size_t n, int64_t now_ms, signer_batch_answer answer, void *ctx)
{
    struct diag d = {0};
    int err = sign_batch(b, h, first, n, now_ms, &d);
    if (err == 0) {
        tally_add(TALLY_SIGNATURES, 1);
        tally_add(TALLY_SIGNED, n);
        tally_bucket(TALLY_BATCH, n);
    }
    bool single = n == 1 && first->parts == 1;
    struct waiting *w = first;
    for (size_t i = 0; i < n; i++, w = w->next) {
        if (w->line == NULL)
            continue;
        buf_reset(&b->answer);
        if (err == 0)
            signer_put_result(&b->answer, &(struct signer_result){
                                              .signing_time_ms = now_ms,
                                              .value = buf_view(&b->value),
                                              .result = single ? SLICE_NONE : buf_view(&b->result),
                                              .chain = single ? SLICE_NONE : buf_view(&b->chain[i]),
                                              .batch = (uint32_t)n,
                                          });
        else
            signer_put_failure(&b->answer, err, slice_str(d.text));
        answer(ctx, w->line, w->id, err == 0 ? SIGNER_MESSAGE_DONE : SIGNER_FAILED,
               buf_view(&b->answer));
    }
    return w;
}

void signer_batch_sign(struct signer_batch *b, int64_t now_ms, signer_batch_answer answer,
                       void *ctx)
{
    for (size_t i = 0; i < b->n_busy; i++) {
        struct queue *q = &b->queues[b->busy[i]];
        struct signer_held *h = signer_keys_at(b->keys, b->busy[i]);
        struct waiting *w = q->first;
        while (q->n > 0) {
            size_t n = q->n < b->batch_max ? q->n : b->batch_max;
            w = serve(b, h, w, n, now_ms, answer, ctx);
            q->n -= n;
        }
        *q = (struct queue){0};
    }
    b->n_busy = 0;
    arena_reset(b->arena);
}
