#include "net/admission.h"

#include "base/err.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 4096 /* addresses remembered */
#define PROBES 8     /* places that an address may have */
#define TOKEN 1000   /* so many parts has a token: a rate a second is parts a millisecond */

struct bucket {
    int64_t parts, at_ms;
};

struct admission_entry {
    uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d; of IPv6 the first 8 bytes */
    unsigned open;    /* connections */
    bool used;
    struct bucket bucket;
    int64_t seen_ms, known_until_ms;
};

struct admission {
    struct admission_limits limits;
    uint64_t seed;
    unsigned strangers;
    uint64_t shed;
    struct bucket all;
    uint8_t (*named)[16]; /* sorted */
    size_t n_named;
    struct admission_entry entry[ENTRIES];
};

struct admission *admission_new(const struct admission_limits *l)
{
    struct admission *a = calloc(1, sizeof *a);
    /* Nobody who does not know the seed can choose addresses that crowd others out. */
    if (a == NULL || RAND_bytes((unsigned char *)&a->seed, sizeof a->seed) != 1) {
        free(a);
        return NULL;
    }
    a->limits = *l;
    a->all.parts = (int64_t)l->all_burst * TOKEN;
    return a;
}

void admission_free(struct admission *a)
{
    if (a == NULL)
        return;
    free(a->named);
    free(a);
}

/* --- addresses --- */

static void key_of(const struct net_addr *from, uint8_t out[16])
{
    memset(out, 0, 16);
    if (from->sa.ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, &from->sa, sizeof v6);
        memcpy(out, &v6.sin6_addr, 8);
    } else if (from->sa.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &from->sa, sizeof v4);
        out[10] = out[11] = 0xff;
        memcpy(out + 12, &v4.sin_addr, 4);
    }
}

static int by_key(const void *x, const void *y)
{
    return memcmp(x, y, 16);
}

int admission_name(struct admission *a, const struct net_addr *addrs, size_t n)
{
    uint8_t(*named)[16] = n == 0 ? NULL : malloc(n * sizeof *named);
    if (n > 0 && named == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        key_of(&addrs[i], named[i]);
    if (n > 0)
        qsort(named, n, sizeof *named, by_key);
    free(a->named);
    a->named = named;
    a->n_named = n;
    return 0;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static bool is_known(const struct admission_entry *e, int64_t now_ms)
{
    return e->known_until_ms > now_ms;
}

/* Of the places that the address may have: its own, or the one whose loss matters least. NULL: all
 * have connections. */
static struct admission_entry *find(struct admission *a, const uint8_t key[16], int64_t now_ms)
{
    uint64_t half[2];
    struct admission_entry *best = NULL;
    memcpy(half, key, 16);
    uint64_t at = mix(mix(half[0] ^ a->seed) + half[1]);
    for (size_t i = 0; i < PROBES; i++) {
        struct admission_entry *e = &a->entry[(at + i) % ENTRIES];
        if (e->used && memcmp(e->addr, key, 16) == 0)
            return e;
        if (e->open > 0)
            continue;
        bool better = best == NULL || is_known(e, now_ms) < is_known(best, now_ms) ||
                      (is_known(e, now_ms) == is_known(best, now_ms) && e->seen_ms < best->seen_ms);
        if (better)
            best = e;
    }
    if (best == NULL)
        return NULL;
    *best = (struct admission_entry){.used = true,
                                     .bucket = {(int64_t)a->limits.burst * TOKEN, now_ms}};
    memcpy(best->addr, key, 16);
    return best;
}

/* --- tokens --- */

static void fill(struct bucket *b, unsigned rate, unsigned burst, int64_t now_ms)
{
    int64_t most = (int64_t)burst * TOKEN, passed = now_ms - b->at_ms;
    if (passed <= 0)
        return;
    if (rate > 0 && passed > 2 * most / rate) /* enough for any debt */
        passed = 2 * most / rate + 1;
    b->parts += passed * rate;
    if (b->parts > most)
        b->parts = most;
    b->at_ms = now_ms;
}

/* Debts are remembered, up to one full bucket. */
static void take(struct bucket *b, unsigned burst)
{
    b->parts -= TOKEN;
    if (b->parts < -(int64_t)burst * TOKEN)
        b->parts = -(int64_t)burst * TOKEN;
}

/* --- connections --- */

static enum admission_answer judge(struct admission *a, struct admission_entry *e, int64_t now_ms)
{
    const struct admission_limits *l = &a->limits;
    fill(&e->bucket, l->rate, l->burst, now_ms);
    fill(&a->all, l->all_rate, l->all_burst, now_ms);
    if (e->open >= l->each || e->bucket.parts < TOKEN || a->all.parts < TOKEN)
        return ADMISSION_NO;
    if (a->strangers >= l->strangers)
        return ADMISSION_FULL;
    take(&e->bucket, l->burst);
    take(&a->all, l->all_burst);
    return ADMISSION_YES;
}

enum admission_answer admission_enter(struct admission *a, const struct net_addr *from,
                                      int64_t now_ms, struct admission_pass *pass)
{
    uint8_t key[16];
    key_of(from, key);
    *pass = (struct admission_pass){NULL, false};
    bool named =
        a->n_named > 0 && bsearch(key, a->named, a->n_named, sizeof *a->named, by_key) != NULL;
    if (named)
        return ADMISSION_YES;
    struct admission_entry *e = find(a, key, now_ms);
    bool stranger = e == NULL || !is_known(e, now_ms);
    enum admission_answer answer = e == NULL ? ADMISSION_NO : ADMISSION_YES;
    if (e != NULL && stranger)
        answer = judge(a, e, now_ms);
    if (answer != ADMISSION_YES) {
        a->shed += answer == ADMISSION_NO;
        return answer;
    }
    e->open++;
    e->seen_ms = now_ms;
    a->strangers += stranger;
    *pass = (struct admission_pass){e, stranger};
    return ADMISSION_YES;
}

void admission_leave(struct admission *a, struct admission_pass *pass)
{
    if (pass->entry != NULL)
        pass->entry->open--;
    if (pass->stranger)
        a->strangers--;
    *pass = (struct admission_pass){NULL, false};
}

void admission_good(struct admission *a, struct admission_pass *pass, int64_t now_ms)
{
    if (pass->entry == NULL)
        return;
    pass->entry->known_until_ms = now_ms + a->limits.known_ms;
    if (pass->stranger)
        a->strangers--;
    pass->stranger = false;
}

bool admission_bad(struct admission *a, struct admission_pass *pass, int64_t now_ms)
{
    struct admission_entry *e = pass->entry;
    if (e == NULL || is_known(e, now_ms))
        return false;
    fill(&e->bucket, a->limits.rate, a->limits.burst, now_ms);
    fill(&a->all, a->limits.all_rate, a->limits.all_burst, now_ms);
    if (e->bucket.parts >= TOKEN) /* who is in debt alone pays for it */
        take(&a->all, a->limits.all_burst);
    take(&e->bucket, a->limits.burst);
    return e->bucket.parts < TOKEN || a->all.parts < TOKEN;
}

uint64_t admission_shed(const struct admission *a)
{
    return a->shed;
}
