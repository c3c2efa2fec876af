/*
 * One witness as the ledger sees it: what it last cosigned, and the request to it that runs. It
 * may be slow, lie, answer with anything or not at all: that ends in a failure and a later try,
 * and takes a bounded number of bytes and time.
 */
#ifndef SILD_LEDGER_LEDGER_WITNESS_H
#define SILD_LEDGER_LEDGER_WITNESS_H

#include "net/http_client.h"
#include "tlog/policy.h"
#include "tlog/witness.h"

struct ledger_witness;

/* What is to be cosigned; kept by address, the same for all witnesses. */
struct ledger_asked {
    uint64_t size; /* 0: nothing is asked yet */
    struct slice note, text;
    struct slice origin;
};

struct ledger_witness_events {
    /* A proof from this size on is wanted: ledger_witness_proof, later. */
    void (*on_proof)(void *ctx, uint64_t older);
    void (*on_line)(void *ctx, unsigned index, struct slice line);
    /* It claims to know a larger tree; shown: the checkpoint it serves, or empty. */
    void (*on_ahead)(void *ctx, unsigned index, uint64_t size, struct slice shown);
};

/* who: of a policy that outlives it. NULL without memory. */
struct ledger_witness *ledger_witness_new(struct loop *l, struct http_client *client,
                                          const struct policy_witness *who, unsigned index,
                                          const struct ledger_asked *asked, int64_t timeout_ms,
                                          const struct ledger_witness_events *ev, void *ctx);
void ledger_witness_free(struct ledger_witness *w);

/* There is something new to sign: drops what runs and asks. */
void ledger_witness_ask(struct ledger_witness *w);
/* The consistency proof from `older` to what is asked. */
void ledger_witness_proof(struct ledger_witness *w, uint64_t older, const struct merkle_hash *proof,
                          size_t n);

#endif
