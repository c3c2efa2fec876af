/*
 * The right edge of the ledger's tree: all that appending needs, and the tiles and bundle that a
 * new leaf changes. Pure: files come through a fetch function and go out as a list.
 */
#ifndef SILD_LEDGER_LEDGER_EDGE_H
#define SILD_LEDGER_LEDGER_EDGE_H

#include "base/buf.h"
#include "base/diag.h"
#include "crypto/merkle.h"
#include "tlog/round.h"
#include "tlog/tile.h"

/* Records are a ledger's only entries: a bundle has this size at most. */
#define LEDGER_BUNDLE_MAX (TILE_WIDTH * (2 + ROUND_RECORD))

struct ledger_edge {
    struct merkle_frontier frontier;
    uint8_t tile[TILE_LEVELS][TILE_BYTES]; /* what is there of the tile that is not full */
    uint8_t bundle[LEDGER_BUNDLE_MAX];
    size_t bundle_n;
};

/*
 * Reads the edge of a tree of `size` leaves and checks it against the root: every tile of the edge,
 * and the bundle against its tile. fetch: as tlog/tile.h has it. ERR_CORRUPT,
 * ERR_INVALID_HASH_CHAIN.
 */
int ledger_edge_load(struct ledger_edge *e, tile_fetch fetch, void *ctx, uint64_t size,
                     const struct merkle_hash *root, struct diag *d) MUST_USE;

/* What a leaf changed: the tiles at their widths of now. */
struct ledger_edge_change {
    struct tile_id id;
    struct slice bytes; /* in the edge; valid until the next append */
};
#define LEDGER_EDGE_CHANGES (TILE_LEVELS + 1)

/* Appends a record; fills the list of changed tiles and returns how many. */
size_t ledger_edge_append(struct ledger_edge *e, const uint8_t record[ROUND_RECORD],
                          struct ledger_edge_change out[LEDGER_EDGE_CHANGES]);

/* The path of the leaf that comes next, in the tree that it is the last leaf of. */
size_t ledger_edge_path(const struct ledger_edge *e, struct merkle_hash out[MERKLE_DEPTH]);

#endif
