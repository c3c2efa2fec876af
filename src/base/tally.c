#include "base/tally.h"

#include <string.h>

#define READS_MAX 8

static struct tally_page unshared;
static struct tally_page *own = &unshared;

void tally_use(struct tally_page *page)
{
    own = page;
    tally_set(TALLY_CONNS_NOW, 0);
}

/* One writer: no word needs a locked instruction. */
void tally_add(unsigned word, uint64_t n)
{
    tally_set(word, tally_own(word) + n);
}

void tally_sub(unsigned word, uint64_t n)
{
    tally_set(word, tally_own(word) - n);
}

void tally_set(unsigned word, uint64_t value)
{
    atomic_store_explicit(&own->word[word], value, memory_order_relaxed);
}

uint64_t tally_own(unsigned word)
{
    return atomic_load_explicit(&own->word[word], memory_order_relaxed);
}

void tally_bucket(unsigned first, uint64_t n)
{
    unsigned i = 0;
    while (i + 1 < TALLY_BUCKETS && n > (uint64_t)1 << i)
        i++;
    tally_add(first + i, 1);
}

/* A process that died while it wrote left an odd turn: the next one goes on from there. */
void tally_text(unsigned slot, struct slice text)
{
    struct tally_text *t = &own->text[slot];
    size_t n = text.n < TALLY_TEXT_MAX ? text.n : TALLY_TEXT_MAX - 1;
    uint_fast32_t turn = atomic_load_explicit(&t->turn, memory_order_relaxed) | 1;
    atomic_store_explicit(&t->turn, turn, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    if (n > 0)
        memcpy(t->p, text.p, n);
    t->p[n] = 0;
    atomic_store_explicit(&t->turn, turn + 1, memory_order_release);
}

uint64_t tally_get(const struct tally_page *p, unsigned word)
{
    return atomic_load_explicit(&p->word[word], memory_order_relaxed);
}

void tally_read(const struct tally_page *p, unsigned slot, char *out, size_t cap)
{
    const struct tally_text *t = &p->text[slot];
    size_t n = cap < TALLY_TEXT_MAX ? cap : TALLY_TEXT_MAX;
    for (int i = 0; i < READS_MAX; i++) {
        uint_fast32_t turn = atomic_load_explicit(&t->turn, memory_order_acquire);
        memcpy(out, t->p, n);
        out[n - 1] = 0; /* whoever writes it is not trusted to end it */
        atomic_thread_fence(memory_order_acquire);
        if (turn % 2 == 0 && atomic_load_explicit(&t->turn, memory_order_relaxed) == turn)
            return;
    }
    out[0] = 0;
}
