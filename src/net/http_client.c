#include "net/http_client_int.h"

#include "base/map.h"

#include <stdlib.h>

#define IDLE_MS 60000

struct http_client *http_client_new(struct loop *l, size_t idle_max, int64_t idle_ms)
{
    struct http_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->loop = l;
    c->idle_max = idle_max;
    c->idle_ms = idle_ms > 0 ? idle_ms : IDLE_MS;
    c->refs = 1;
    return c;
}

void http_client_unref(struct http_client *c)
{
    if (--c->refs > 0)
        return;
    http_call_free_spare(c);
    free(c);
}

/* --- idle connections --- */

void http_client_idle_remove(struct http_pooled *k)
{
    *k->at = k->next;
    if (k->next != NULL)
        k->next->at = k->at;
    k->client->n_idle--;
}

void http_client_idle_drop(struct http_pooled *k)
{
    http_client_idle_remove(k);
    conn_rebind(k->conn, NULL, NULL);
    conn_shutdown(k->conn);
    free(k);
}

void http_client_idle_add(struct http_pooled *k)
{
    struct http_client *c = k->client;
    k->call = NULL;
    k->next = c->idle;
    k->at = &c->idle;
    if (k->next != NULL)
        k->next->at = &k->next;
    c->idle = k;
    c->n_idle++;
    conn_resume(k->conn);
    conn_idle_timeout(k->conn, c->idle_ms);
    if (c->n_idle <= c->idle_max)
        return;
    struct http_pooled *oldest = k;
    while (oldest->next != NULL)
        oldest = oldest->next;
    http_client_idle_drop(oldest);
}

void http_client_drop_idle(struct http_client *c, struct slice key_prefix)
{
    for (struct http_pooled *k = c->idle, *next; k != NULL; k = next) {
        next = k->next;
        if (slice_eq(slice_sub(slice_of(k->key, k->key_n), 0, key_prefix.n), key_prefix))
            http_client_idle_drop(k);
    }
}

struct http_pooled *http_client_idle_take(struct http_client *c, struct slice key, bool tls)
{
    uint64_t hash = map_hash(key, 0);
    for (struct http_pooled *k = c->idle, *next; k != NULL; k = next) {
        next = k->next;
        if (k->hash != hash || !slice_eq(slice_of(k->key, k->key_n), key) ||
            conn_is_tls(k->conn) != tls)
            continue;
        if (!conn_is_quiet(k->conn)) { /* ended by the other side, and the loop has yet to see it */
            http_client_idle_drop(k);
            continue;
        }
        http_client_idle_remove(k);
        return k;
    }
    return NULL;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    c->freed = true;
    while (c->calls != NULL)
        http_call_cancel(c->calls);
    http_client_drop_idle(c, SLICE_NONE);
    http_client_unref(c);
}
