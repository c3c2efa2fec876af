/* What the files of ledger_rounds share. */
#ifndef SILD_LEDGER_LEDGER_ROUNDS_INT_H
#define SILD_LEDGER_LEDGER_ROUNDS_INT_H

#include "ledger/ledger_edge.h"
#include "ledger/ledger_rounds.h"
#include "ledger/ledger_store.h"

/* A head in a round, and who waits for it. */
struct ledger_item {
    struct ledger_known *known;
    bool is_private;
    uint8_t salt[ENTRY_SALT];
    struct slice entry; /* own memory: the head's or aggregate's */
    struct slice leaf;  /* what stands in the round: the entry, or the commitment (own memory) */
    struct buf earlier; /* entries of the same round that this one replaced, as a bundle */
    uint64_t heads;
    struct ledger_waiter *waiter;
    size_t waiters, room;
};

struct ledger_list {
    struct ledger_item **item;
    size_t n, room;
    size_t bytes; /* of the leaves */
};

#define LEDGER_FULL_TILES 1024 /* that wait for the collector */

/* A full tile whose partial ones may still be asked for. */
struct ledger_full {
    struct tile_id id;
    int64_t since_ms;
};

struct ledger_rounds {
    struct ledger_store *store;
    const struct note_key *key;
    ledger_sign sign;
    void *sign_ctx;
    struct ledger_heads *heads;
    size_t waiting; /* waiters of all lists */

    enum ledger_phase phase;
    struct ledger_edge *edge, *next; /* of the committed tree; being made */
    struct tile_tree *tree;          /* over the published tiles */
    struct merkle_hash root;
    struct buf note;                       /* committed: text, empty line, the ledger's signature */
    size_t text_n;                         /* bytes of it that are the text */
    struct buf lines;                      /* cosignatures that were published with it */
    uint8_t record[ROUND_RECORD];          /* the last one; zeros before the first */
    struct round_record last;              /* the same */
    struct buf stage;                      /* of the committed round, until it is dropped */
    struct merkle_hash path[MERKLE_DEPTH]; /* of the last leaf */
    size_t path_n;

    struct ledger_list open, closed; /* heads of the round that is open; of the committed one */
    struct round_tree round;         /* of the committed one */

    uint64_t snapshot, oldest; /* rounds: heads before it are in the snapshot; first kept file */
    struct ledger_full full[LEDGER_FULL_TILES];
    size_t full_n;
    bool changed; /* heads since the snapshot */

    uint64_t forks, rollbacks, evidence;
};

/* --- lists of heads: ledger_intake.c --- */

void ledger_rounds_list_free(struct ledger_rounds *r, struct ledger_list *l);
/* The file of a round whose list is in order. */
int ledger_rounds_list_print(const struct ledger_list *l, struct buf *out) MUST_USE;
/* What of it only the ledger itself keeps: private heads, and those that a later one replaced. */
int ledger_rounds_list_hidden(const struct ledger_list *l, struct buf *out) MUST_USE;

/* --- the round in hand: ledger_rounds.c --- */

/* The open heads, in order, become those of the round that is made; what is over a round's limits
 * stays. */
void ledger_rounds_take_open(struct ledger_rounds *r);
/* The round does not come about: its heads wait on, before those that came after. */
void ledger_rounds_put_back(struct ledger_rounds *r);
/* The tree over the closed heads; how many heads they stand for. ERR_NOMEM. */
int ledger_rounds_make_tree(struct ledger_rounds *r, uint64_t *heads,
                            struct merkle_hash *root) MUST_USE;

/* --- reading what is published: ledger_recover.c --- */

/* A tile_fetch with the store as ctx. */
int ledger_rounds_fetch(void *store, const struct tile_id *id, struct buf *out) MUST_USE;
/* The record of a round. ERR_CORRUPT. */
int ledger_rounds_record(struct ledger_rounds *r, uint64_t round, uint8_t out[ROUND_RECORD],
                         struct diag *d) MUST_USE;
/* The file of a round below the ledger's folder: "public/rounds/…", "heads/…". */
void ledger_rounds_file(uint64_t round, char out[LEDGER_PATH_MAX]);
void ledger_rounds_private_file(uint64_t round, char out[LEDGER_PATH_MAX]);
/* Full tiles whose partial ones are still there, from an earlier run. */
void ledger_rounds_find_full(struct ledger_rounds *r);
void ledger_rounds_note_full(struct ledger_rounds *r, const struct tile_id *id, int64_t now_ms);

/* --- evidence: ledger_evidence.c --- */

void ledger_rounds_evidence(struct ledger_rounds *r, const char *kind, const struct ledger_known *k,
                            const struct ledger_submission *s, int64_t now_ms,
                            const struct diag *why);

#endif
