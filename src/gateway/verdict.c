#include "gateway/verdict.h"
#include "base/buf.h"
#include "base/cursor.h"

#include <stdlib.h>

#define VERDICTS_MAX 8

struct verdict {
    uint64_t generation;
    int64_t valid_until_ms;
    struct digest key;
};
struct verdicts {
    struct verdict v[VERDICTS_MAX];
    size_t n, next;
};

void verdict_key(const struct id_client *id, const struct slice *extra, size_t n,
                 struct digest *key)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    /* Each part with its length: a member's code may hold what separates parts in a text. */
    wr_var(&b, id->instance);
    wr_var(&b, id->member_class);
    wr_var(&b, id->member_code);
    wr_var(&b, id->subsystem);
    for (size_t i = 0; i < n; i++)
        wr_var(&b, extra[i]);
    digest_of(DIGEST_SHA256, buf_view(&b), key);
    buf_free(&b);
}

void verdict_remember(struct conn *c, uint64_t generation, const struct digest *key,
                      int64_t valid_until_ms)
{
    struct verdicts *v = conn_verdict(c);
    if (v == NULL) {
        v = calloc(1, sizeof *v);
        if (v == NULL)
            return; /* judged again next time */
        conn_set_verdict(c, v, free);
    }
    v->v[v->next] = (struct verdict){generation, valid_until_ms, *key};
    v->next = (v->next + 1) % VERDICTS_MAX;
    if (v->n < VERDICTS_MAX)
        v->n++;
}

bool verdict_good(const struct conn *c, uint64_t generation, const struct digest *key,
                  int64_t now_ms)
{
    const struct verdicts *v = conn_verdict(c);
    for (size_t i = 0; v != NULL && i < v->n; i++)
        if (v->v[i].generation == generation && v->v[i].valid_until_ms > now_ms &&
            digest_eq(&v->v[i].key, key))
            return true;
    return false;
}
