/* Compiling parameters into the image of globalconf_image.h. */
#include "xroad/globalconf.h"

#include "base/err.h"
#include "xroad/globalconf_image.h"

#include <stdlib.h>
#include <string.h>

#define STRINGS_MAX (1u << 22)
#define TIMESTAMPING_DEFAULT 60
#define TIMESTAMPING_MIN 60
#define TIMESTAMPING_MAX 86400

struct writer {
    struct buf t[IMAGE_TABLE_COUNT];
    uint32_t n[IMAGE_TABLE_COUNT];
    struct map *strings;
    struct arena *a; /* places of strings */
    uint32_t instance;
};

static uint32_t count_of(const struct writer *w, enum image_table t)
{
    return w->n[t];
}

static void put_word(struct writer *w, enum image_table t, uint32_t v)
{
    wr_u32(&w->t[t], v);
}

/* Equal strings are stored once. */
static void put_ref(struct writer *w, enum image_table t, struct slice s)
{
    struct buf *pool = &w->t[IMAGE_STRING];
    uint32_t *at = s.n == 0 ? NULL : map_get(w->strings, s);
    if (s.n > 0 && at == NULL) {
        at = arena_alloc(w->a, sizeof *at);
        if (at == NULL) {
            pool->failed = true;
            return;
        }
        *at = (uint32_t)pool->n;
        buf_slice(pool, s);
        if (map_put(w->strings, s, at) != 0)
            pool->failed = true;
    }
    put_word(w, t, at == NULL ? 0 : *at);
    put_word(w, t, (uint32_t)s.n);
}

static void put_ids(struct writer *w, enum image_table t, const struct id_client *id)
{
    put_ref(w, t, id->instance);
    put_ref(w, t, id->member_class);
    put_ref(w, t, id->member_code);
    put_ref(w, t, id->subsystem);
}

/* --- slots --- */

static uint32_t slots_for(uint32_t n)
{
    uint32_t slots = 4;
    while (slots / 2 < n + 1)
        slots *= 2;
    return slots;
}

static void write_slots(struct writer *w, enum image_table t, const uint64_t *hashes, uint32_t n)
{
    uint32_t slots = slots_for(n);
    uint32_t *slot = calloc(slots, sizeof *slot);
    if (slot == NULL) {
        w->t[t].failed = true;
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = (uint32_t)hashes[i] & (slots - 1);
        while (slot[at] != 0)
            at = (at + 1) & (slots - 1);
        slot[at] = i + 1;
    }
    for (uint32_t i = 0; i < slots; i++)
        put_word(w, t, slot[i]);
    w->n[t] = slots;
    free(slot);
}

/* --- members and servers of one instance --- */

/* Where this instance's clients begin, and which client a reference means. */
struct places {
    uint32_t *first;  /* of each member, from the instance's first client on */
    uint32_t base, n; /* the instance's clients */
    uint32_t *start;  /* per client: servers before it; n + 1 values */
    uint32_t *list;   /* servers, grouped by client */
    uint32_t first_server;
};

static uint32_t place_of(const struct places *p, const struct params_client_ref *c)
{
    return p->first[c->member] + (c->sub < 0 ? 0 : (uint32_t)c->sub + 1);
}

/*
 * Counts, or fills in, the servers of each client: those it owns and those that list it. seen: per
 * client the last server met, so that one listed twice counts once; all zero at first.
 */
static void group_servers(const struct params_shared *p, struct places *at, uint32_t *next,
                          uint32_t *seen, bool fill)
{
    for (size_t i = 0; i < p->n_servers; i++) {
        const struct params_server *s = &p->servers[i];
        const struct params_client_ref owner = {s->owner, -1};
        for (size_t k = 0; k <= s->n_clients; k++) {
            uint32_t c = place_of(at, k < s->n_clients ? &s->clients[k] : &owner);
            if (seen[c] == i + 1)
                continue;
            seen[c] = (uint32_t)i + 1;
            if (fill)
                at->list[next[c]++] = at->first_server + (uint32_t)i;
            else
                next[c + 1]++;
        }
    }
}

static bool refs_are_good(const struct params_shared *p)
{
    for (size_t i = 0; i < p->n_servers; i++) {
        const struct params_server *s = &p->servers[i];
        if (s->owner < 0 || (size_t)s->owner >= p->n_members)
            return false;
        for (size_t k = 0; k < s->n_clients; k++) {
            const struct params_client_ref *c = &s->clients[k];
            if (c->member < 0 || (size_t)c->member >= p->n_members ||
                (c->sub >= 0 && (size_t)c->sub >= p->members[c->member].n_sub))
                return false;
        }
    }
    return true;
}

static void write_client(struct writer *w, const struct places *at, uint32_t index,
                         const struct params_member *m, const struct params_subsystem *sub)
{
    put_word(w, IMAGE_CLIENT, w->instance);
    put_ref(w, IMAGE_CLIENT, m->member_class);
    put_ref(w, IMAGE_CLIENT, m->code);
    put_ref(w, IMAGE_CLIENT, sub == NULL ? SLICE_NONE : sub->code);
    put_ref(w, IMAGE_CLIENT, m->name);
    put_ref(w, IMAGE_CLIENT, sub == NULL ? SLICE_NONE : sub->name);
    put_word(w, IMAGE_CLIENT, w->n[IMAGE_CLIENT_SERVER] + at->start[index]);
    put_word(w, IMAGE_CLIENT, at->start[index + 1] - at->start[index]);
    w->n[IMAGE_CLIENT]++;
}

static void write_clients(struct writer *w, const struct params_shared *p, const struct places *at)
{
    for (size_t i = 0; i < p->n_members; i++) {
        const struct params_member *m = &p->members[i];
        uint32_t index = at->first[i];
        write_client(w, at, index, m, NULL);
        for (size_t k = 0; k < m->n_sub; k++)
            write_client(w, at, index + 1 + (uint32_t)k, m, &m->sub[k]);
    }
    for (uint32_t i = 0; i < at->start[at->n]; i++)
        put_word(w, IMAGE_CLIENT_SERVER, at->list[i]);
    w->n[IMAGE_CLIENT_SERVER] += at->start[at->n];
}

static void write_servers(struct writer *w, const struct params_shared *p, const struct places *at)
{
    for (size_t i = 0; i < p->n_servers; i++) {
        const struct params_server *s = &p->servers[i];
        put_word(w, IMAGE_SERVER, w->instance);
        put_word(w, IMAGE_SERVER, at->base + at->first[s->owner]);
        put_ref(w, IMAGE_SERVER, s->server_code);
        put_ref(w, IMAGE_SERVER, s->address);
        put_word(w, IMAGE_SERVER, s->maintenance);
        put_ref(w, IMAGE_SERVER, s->maintenance_message);
        for (size_t k = 0; k < s->auth_hashes.n; k++) {
            struct slice h = s->auth_hashes.v[k];
            uint8_t padded[32] = {0};
            if (h.n == 0 || h.n > sizeof padded)
                continue;
            memcpy(padded, h.p, h.n);
            buf_add(&w->t[IMAGE_AUTH], padded, sizeof padded);
            put_word(w, IMAGE_AUTH, (uint32_t)h.n);
            put_word(w, IMAGE_AUTH, w->n[IMAGE_SERVER]);
            w->n[IMAGE_AUTH]++;
        }
        w->n[IMAGE_SERVER]++;
    }
}

/* Memory for the places from the writer's arena. */
static bool find_places(struct writer *w, const struct params_shared *p, struct places *at)
{
    size_t listed = p->n_servers;
    for (size_t i = 0; i < p->n_servers; i++)
        listed += p->servers[i].n_clients;
    *at = (struct places){.base = w->n[IMAGE_CLIENT], .first_server = w->n[IMAGE_SERVER]};
    at->first = arena_alloc(w->a, (p->n_members + 1) * sizeof *at->first);
    if (at->first == NULL)
        return false;
    for (size_t i = 0; i < p->n_members; i++) {
        at->first[i] = at->n;
        at->n += 1 + (uint32_t)p->members[i].n_sub;
    }
    at->start = arena_zalloc(w->a, ((size_t)at->n + 1) * sizeof *at->start);
    uint32_t *next = arena_zalloc(w->a, ((size_t)at->n + 1) * sizeof *next);
    uint32_t *seen = arena_zalloc(w->a, ((size_t)at->n + 1) * sizeof *seen);
    at->list = arena_alloc(w->a, (listed + 1) * sizeof *at->list);
    if (at->start == NULL || next == NULL || seen == NULL || at->list == NULL)
        return false;
    group_servers(p, at, at->start, seen, false);
    for (uint32_t i = 0; i < at->n; i++)
        at->start[i + 1] += at->start[i];
    memcpy(next, at->start, (size_t)at->n * sizeof *next);
    memset(seen, 0, (size_t)at->n * sizeof *seen);
    group_servers(p, at, next, seen, true);
    return true;
}

/* --- groups and trust --- */

static void write_groups(struct writer *w, const struct params_shared *p)
{
    for (size_t i = 0; i < p->n_groups; i++) {
        for (size_t k = 0; k < p->groups[i].n_members; k++) {
            put_word(w, IMAGE_GROUP_MEMBER, w->instance);
            put_ref(w, IMAGE_GROUP_MEMBER, p->groups[i].code);
            put_ids(w, IMAGE_GROUP_MEMBER, &p->groups[i].members[k]);
            w->n[IMAGE_GROUP_MEMBER]++;
        }
    }
}

static void write_ca(struct writer *w, const struct params_ca *ca, struct slice profile)
{
    put_word(w, IMAGE_CA, w->instance);
    put_ref(w, IMAGE_CA, ca->cert);
    put_ref(w, IMAGE_CA, profile);
    put_word(w, IMAGE_CA, w->n[IMAGE_OCSP]);
    put_word(w, IMAGE_CA, (uint32_t)ca->n_ocsp);
    w->n[IMAGE_CA]++;
    for (size_t i = 0; i < ca->n_ocsp; i++) {
        put_ref(w, IMAGE_OCSP, ca->ocsp[i].url);
        put_ref(w, IMAGE_OCSP, ca->ocsp[i].cert);
        w->n[IMAGE_OCSP]++;
    }
}

static void write_trust(struct writer *w, const struct params_shared *p)
{
    for (size_t i = 0; i < p->n_cas; i++) {
        write_ca(w, &p->cas[i].top, p->cas[i].profile);
        for (size_t k = 0; k < p->cas[i].n_intermediate; k++)
            write_ca(w, &p->cas[i].intermediate[k], p->cas[i].profile);
    }
    for (size_t i = 0; i < p->n_tsas; i++) {
        put_word(w, IMAGE_TSA, w->instance);
        put_ref(w, IMAGE_TSA, p->tsas[i].name);
        put_ref(w, IMAGE_TSA, p->tsas[i].url);
        put_ref(w, IMAGE_TSA, p->tsas[i].cert);
        w->n[IMAGE_TSA]++;
    }
}

static int64_t timestamping_of(const struct params_private *p)
{
    if (p == NULL)
        return TIMESTAMPING_DEFAULT;
    if (p->timestamping_s < TIMESTAMPING_MIN)
        return TIMESTAMPING_MIN;
    return p->timestamping_s > TIMESTAMPING_MAX ? TIMESTAMPING_MAX : p->timestamping_s;
}

static int write_instance(struct writer *w, const struct globalconf_input *in, struct diag *d)
{
    const struct params_shared *p = in->shared;
    struct places at;
    struct buf *b = &w->t[IMAGE_INSTANCE];
    if (!refs_are_good(p))
        return diag_set(
            d, ERR_MALFORMED_GLOBAL_CONF,
            "a security server of instance \"%.*s\" refers to a member that is not there",
            SLICE_ARG(p->instance));
    if (!find_places(w, p, &at))
        return diag_set(d, ERR_NOMEM, "no memory for the global configuration");
    uint32_t servers = w->n[IMAGE_SERVER], cas = w->n[IMAGE_CA], tsas = w->n[IMAGE_TSA];
    write_clients(w, p, &at);
    write_servers(w, p, &at);
    write_groups(w, p);
    write_trust(w, p);
    put_ref(w, IMAGE_INSTANCE, p->instance);
    wr_u32(b, (uint32_t)p->version);
    wr_u32(b, (uint32_t)p->ocsp_freshness_s);
    wr_u64(b, (uint64_t)in->shared_expires_ms);
    wr_u64(b, (uint64_t)(in->priv == NULL ? INT64_MAX : in->private_expires_ms));
    wr_u32(b, (uint32_t)timestamping_of(in->priv));
    wr_u32(b, at.base);
    wr_u32(b, at.n);
    wr_u32(b, servers);
    wr_u32(b, count_of(w, IMAGE_SERVER) - servers);
    wr_u32(b, cas);
    wr_u32(b, count_of(w, IMAGE_CA) - cas);
    wr_u32(b, tsas);
    wr_u32(b, count_of(w, IMAGE_TSA) - tsas);
    w->n[IMAGE_INSTANCE]++;
    return 0;
}

/* --- the whole --- */

static int compare_auth(const void *x, const void *y)
{
    return memcmp(x, y, 36); /* hash and length */
}

static void sort_auth(struct writer *w)
{
    if (w->n[IMAGE_AUTH] > 1 && !w->t[IMAGE_AUTH].failed)
        qsort(w->t[IMAGE_AUTH].p, w->n[IMAGE_AUTH], 40, compare_auth);
}

static void hash_members(const struct params_shared *p, uint64_t *hashes, size_t *n)
{
    for (size_t i = 0; i < p->n_members; i++) {
        struct id_client id = {p->instance, p->members[i].member_class, p->members[i].code,
                               SLICE_NONE};
        hashes[(*n)++] = image_client_hash(&id);
        for (size_t k = 0; k < p->members[i].n_sub; k++) {
            id.subsystem = p->members[i].sub[k].code;
            hashes[(*n)++] = image_client_hash(&id);
        }
    }
}

/* Hashes in the order of the records; then the slot tables. */
static void index_all(struct writer *w, const struct globalconf_input *in, size_t n)
{
    size_t clients = 0, members = 0;
    uint64_t *client = arena_alloc(w->a, ((size_t)w->n[IMAGE_CLIENT] + 1) * sizeof *client);
    uint64_t *member = arena_alloc(w->a, ((size_t)w->n[IMAGE_GROUP_MEMBER] + 1) * sizeof *member);
    if (client == NULL || member == NULL) {
        w->t[IMAGE_CLIENT_SLOT].failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct params_shared *p = in[i].shared;
        hash_members(p, client, &clients);
        for (size_t g = 0; g < p->n_groups; g++)
            for (size_t k = 0; k < p->groups[g].n_members; k++)
                member[members++] =
                    image_group_hash(p->instance, p->groups[g].code, &p->groups[g].members[k]);
    }
    write_slots(w, IMAGE_CLIENT_SLOT, client, w->n[IMAGE_CLIENT]);
    write_slots(w, IMAGE_GROUP_SLOT, member, w->n[IMAGE_GROUP_MEMBER]);
    w->n[IMAGE_STRING] = (uint32_t)w->t[IMAGE_STRING].n;
}

static int assemble(const struct writer *w, const struct globalconf_input *own, size_t own_index,
                    struct buf *image, struct diag *d)
{
    size_t start = image->n, length = IMAGE_HEAD;
    for (int t = 0; t < IMAGE_TABLE_COUNT; t++) {
        if (w->t[t].failed)
            return diag_set(d, ERR_TOO_LARGE, "the global configuration is too large");
        length += w->t[t].n;
    }
    wr_u32(image, IMAGE_MAGIC);
    wr_u32(image, IMAGE_VERSION);
    wr_u64(image, length);
    uint8_t *hash = buf_room(image, 32);
    if (hash != NULL)
        image->n += 32;
    wr_u32(image, (uint32_t)own_index);
    wr_u32(image, own->verify_next_update ? 1 : 0);
    wr_u64(image, (uint64_t)own->fetch_interval_s);
    uint32_t offset = IMAGE_HEAD;
    for (int t = 0; t < IMAGE_TABLE_COUNT; t++) {
        wr_u32(image, offset);
        wr_u32(image, w->n[t]);
        offset += (uint32_t)w->t[t].n;
    }
    for (int t = 0; t < IMAGE_TABLE_COUNT; t++)
        buf_slice(image, buf_view(&w->t[t]));
    if (image->failed)
        return diag_set(d, ERR_TOO_LARGE, "the global configuration is too large");
    struct digest digest;
    digest_of(DIGEST_SHA256, slice_from(buf_view(image), start + IMAGE_HASHED), &digest);
    memcpy(image->p + start + 16, digest.b, 32);
    return 0;
}

static int compile(struct writer *w, const struct globalconf_input *in, size_t n, size_t own,
                   struct buf *image, struct diag *d)
{
    if (w->strings == NULL || w->a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the global configuration");
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            if (slice_eq(in[i].shared->instance, in[k].shared->instance))
                return diag_set(d, ERR_MALFORMED_GLOBAL_CONF, "instance \"%.*s\" comes twice",
                                SLICE_ARG(in[i].shared->instance));
        w->instance = (uint32_t)i;
        int err = write_instance(w, &in[i], d);
        if (err != 0)
            return err;
    }
    sort_auth(w);
    index_all(w, in, n);
    return assemble(w, &in[own], own, image, d);
}

int globalconf_compile(const struct globalconf_input *in, size_t n, size_t own, struct buf *image,
                       struct diag *d)
{
    struct writer w = {.strings = map_new(STRINGS_MAX, 0), .a = arena_new(IMAGE_MAX)};
    int err = ERR_USAGE;
    for (int t = 0; t < IMAGE_TABLE_COUNT; t++)
        buf_init(&w.t[t], IMAGE_MAX / IMAGE_TABLE_COUNT);
    if (own < n)
        err = compile(&w, in, n, own, image, d);
    else
        diag_set(d, err, "the own instance is not among the %zu given", n);
    for (int t = 0; t < IMAGE_TABLE_COUNT; t++)
        buf_free(&w.t[t]);
    map_free(w.strings);
    arena_free(w.a);
    return err;
}
