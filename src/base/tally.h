/*
 * What one process counts: a page of 64-bit words and a few short texts that this process alone
 * writes and others only read (proc/group_pages.h shares it). Counting is one addition in memory,
 * without a lock or a call, so an exchange pays nothing for being counted; and a reader sees the
 * newest numbers also of a process that is blocked or has died, which frames could not give.
 *
 * This is the one exception to "nothing shares memory but immutable snapshots": a reader takes each
 * word as a number by itself and draws no conclusion from two of them fitting together; no process
 * reads what it acts on from another's page. Until a page is given, words go to one of the
 * process's own.
 */
#ifndef SILD_BASE_TALLY_H
#define SILD_BASE_TALLY_H

#include "base/slice.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define TALLY_WORDS 768
#define TALLY_TEXTS 4
#define TALLY_TEXT_MAX 500
#define TALLY_TEXT_HEADS 3 /* the last one: submit/submit_facts.h */

/* The lengths of batches and syncs are told in buckets: up to 1, 2, 4 … 64. */
#define TALLY_BUCKETS 7

/* What every process counts alike. "Now" marks a gauge: it begins at zero with the process. */
enum tally_word {
    TALLY_CONNS_IN,   /* connections accepted */
    TALLY_CONNS_OUT,  /* connections made */
    TALLY_CONNS_NOW,  /* open now */
    TALLY_BYTES_IN,   /* of sockets, as they were received */
    TALLY_BYTES_OUT,  /* as they were sent */
    TALLY_REQUESTS,   /* HTTP requests whose head was read */
    TALLY_SIGNATURES, /* private-key operations over messages */
    TALLY_SIGNED,     /* messages under those */
    TALLY_RAW,        /* other private-key operations: handshakes, certificates, OCSP, … */
    TALLY_BATCH,      /* signatures by messages in one, TALLY_BUCKETS words */
    TALLY_RECORDS = TALLY_BATCH + TALLY_BUCKETS, /* journal records appended */
    TALLY_RECORD_BYTES,                          /* their payloads */
    TALLY_SYNCS,                                 /* syncs of the journal that wrote something */
    TALLY_LINES,                                 /* lines of the log written */
    TALLY_LINES_LEFT_OUT,                        /* left out, since there were too many */
    TALLY_HEADS = 48,                            /* submit/submit_facts.h: 16 words */
    TALLY_OWN = 64,                              /* from here on a role's own */
};

struct tally_text {
    atomic_uint_fast32_t turn; /* odd while it is being written */
    char p[TALLY_TEXT_MAX];
};

struct tally_page {
    atomic_uint_fast64_t word[TALLY_WORDS];
    struct tally_text text[TALLY_TEXTS];
};

/* --- the writer: the process itself, single threaded --- */

/* From now on counts into this page, which must stay mapped; its gauges begin anew. */
void tally_use(struct tally_page *page);
void tally_add(unsigned word, uint64_t n);
void tally_sub(unsigned word, uint64_t n); /* of a gauge */
void tally_set(unsigned word, uint64_t value);
uint64_t tally_own(unsigned word); /* the process's own value, as it stands */
/* One more of n things together, in the buckets from `first` on. */
void tally_bucket(unsigned first, uint64_t n);
/* Replaces a text; what is over TALLY_TEXT_MAX - 1 bytes is cut. */
void tally_text(unsigned slot, struct slice text);

/* --- readers --- */

uint64_t tally_get(const struct tally_page *p, unsigned word);
/* A copy, zero-terminated, at most cap - 1 bytes; empty when it is being written all the time. */
void tally_read(const struct tally_page *p, unsigned slot, char *out, size_t cap);

#endif
