#include "gateway/verdict.h"
#include "base/buf.h"
#include "base/cursor.h"

#include <stdlib.h>

#define VERDICTS_MAX 8
#define KEY_MAX (1u << 20) /* bytes */

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
    /* The same members ask again and again: bytes are compared with the last ones before they are
     * digested. */
    static struct {
        struct buf bytes[2];
        size_t at;
        struct digest key;
    } last = {.bytes = {{.max = KEY_MAX}, {.max = KEY_MAX}}};
    struct buf *b = &last.bytes[1 - last.at];
    buf_reset(b);
    /* Each part with its length: a member's code may hold what separates parts in a text. */
    wr_var(b, id->instance);
    wr_var(b, id->member_class);
    wr_var(b, id->member_code);
    wr_var(b, id->subsystem);
    for (size_t i = 0; i < n; i++)
        wr_var(b, extra[i]);
    if (last.key.n == 0 || !slice_eq(buf_view(b), buf_view(&last.bytes[last.at]))) {
        digest_of(DIGEST_SHA256, buf_view(b), &last.key);
        last.at = 1 - last.at;
    }
    *key = last.key;
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
