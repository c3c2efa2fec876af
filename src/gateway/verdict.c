#include "gateway/verdict.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "xroad/message.h"
#include "xroad/trust.h"

#include <stdlib.h>

#define VERDICTS_MAX 8
#define KEY_MAX (1u << 20) /* bytes */

#define CHAIN_SETS 128
#define CHAIN_WAYS 4

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

/* --- chains --- */

/* Sets of slots; the key's first byte chooses the set. */
struct verdict_chains {
    struct {
        struct verdict v[CHAIN_WAYS];
        size_t next;
    } set[CHAIN_SETS];
};

struct verdict_chains *verdict_chains_new(void)
{
    return calloc(1, sizeof(struct verdict_chains));
}

void verdict_chains_free(struct verdict_chains *v)
{
    free(v);
}

static void chain_key(struct slice instance, struct cert *const *chain, size_t n,
                      const struct slice *ocsp, size_t n_ocsp, const struct id_client *member,
                      struct digest *key)
{
    struct slice extra[1 + 2 * MESSAGE_OCSP_MAX];
    size_t have = 0;
    extra[have++] = instance;
    for (size_t i = 0; i < n; i++)
        extra[have++] = slice_of(chain[i]->sha256, sizeof chain[i]->sha256);
    for (size_t i = 0; i < n_ocsp; i++)
        extra[have++] = ocsp[i];
    verdict_key(member, extra, have, key);
}

int verdict_auth_chain(struct verdict_chains *v, uint64_t generation, const struct globalconf *g,
                       struct slice instance, struct cert *const *chain, size_t n,
                       const struct slice *ocsp, size_t n_ocsp, const struct id_client *member,
                       int64_t at_ms, int64_t *valid_until_ms, struct diag *d)
{
    struct digest key;
    if (n > MESSAGE_OCSP_MAX || n_ocsp > MESSAGE_OCSP_MAX)
        return trust_auth_chain(g, instance, chain, n, ocsp, n_ocsp, member, at_ms, valid_until_ms,
                                d);
    chain_key(instance, chain, n, ocsp, n_ocsp, member, &key);
    size_t set = key.b[0] % CHAIN_SETS;
    for (size_t i = 0; i < CHAIN_WAYS; i++) {
        const struct verdict *known = &v->set[set].v[i];
        if (known->generation == generation && known->valid_until_ms > at_ms &&
            digest_eq(&known->key, &key)) {
            *valid_until_ms = known->valid_until_ms;
            return 0;
        }
    }
    int rc =
        trust_auth_chain(g, instance, chain, n, ocsp, n_ocsp, member, at_ms, valid_until_ms, d);
    if (rc != 0)
        return rc;
    v->set[set].v[v->set[set].next] = (struct verdict){generation, *valid_until_ms, key};
    v->set[set].next = (v->set[set].next + 1) % CHAIN_WAYS;
    return 0;
}
