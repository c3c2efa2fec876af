/*
 * C2SP tlog-tiles: paths of tiles and entry bundles, what a size implies, hashes out of tiles.
 * A tile (level L, index N) holds up to 256 hashes: hash j is the root of the leaves
 * [(256N+j)·256^L, (256N+j+1)·256^L). A bundle holds the entries of a level-0 tile, each with its
 * length before it (u16, big-endian).
 */
#ifndef SILD_TLOG_TILE_H
#define SILD_TLOG_TILE_H

#include "base/buf.h"
#include "base/diag.h"
#include "crypto/merkle.h"

#define TILE_WIDTH 256
#define TILE_LEVELS 8 /* with sizes to 2^63-1 no higher one can exist */
#define TILE_BYTES (TILE_WIDTH * MERKLE_HASH)
#define TILE_PATH_MAX 80
#define TILE_ENTRY_MAX 65535
#define TILE_BUNDLE_MAX (TILE_WIDTH * (2 + TILE_ENTRY_MAX))

struct tile_id {
    bool entries;   /* a bundle; level is 0 */
    unsigned level; /* 0 to 7 */
    uint64_t index;
    unsigned width; /* 1 to 256; 256: full */
};

/* "tile/0/x001/234.p/5", "tile/entries/000". */
void tile_path(const struct tile_id *t, char out[TILE_PATH_MAX]);
/* Strict: each tile has one path. ERR_SYNTAX. */
int tile_parse(struct slice path, struct tile_id *out) MUST_USE;
/* The index alone, "x001/234": round files have the same form. At most 2^63-1. */
void tile_index_path(uint64_t n, char out[TILE_PATH_MAX]);
int tile_index_parse(struct slice path, uint64_t *n) MUST_USE;

/* How many full tiles of that level a tree of `size` leaves has; *partial: the width of the one
 * that is not full, 0 when there is none. */
uint64_t tile_count(unsigned level, uint64_t size, unsigned *partial);
/* The tile that holds hash `at` of that level in a tree of `size` leaves: index, and its width in
 * that tree. False when the tree has no such hash. */
bool tile_of(unsigned level, uint64_t at, uint64_t size, struct tile_id *out);

/*
 * Hashes from tiles, for merkle_root_at, merkle_inclusion and merkle_consistency. Keeps two tiles a
 * level. `fetch` appends exactly the bytes of the tile (width · 32) or returns an error; where a
 * partial tile is gone its full one may stand in: then it appends the first `width` hashes of that.
 */
typedef int (*tile_fetch)(void *ctx, const struct tile_id *id, struct buf *out);
struct tile_tree;
struct tile_tree *tile_tree_new(tile_fetch fetch, void *ctx, uint64_t size); /* NULL: no memory */
void tile_tree_free(struct tile_tree *t);
/* Another size of the same growing log; partial tiles that were kept are dropped. */
void tile_tree_resize(struct tile_tree *t, uint64_t size);
/* A merkle_get: pass it with the tree as its ctx. ERR_CORRUPT for a tile of the wrong length. */
int tile_tree_get(void *tree, unsigned level, uint64_t index, struct merkle_hash *out) MUST_USE;
/*
 * Compares the root that the right edge gives with the signed one (ERR_INVALID_HASH_CHAIN). From
 * then on each tile is believed only when its root stands in the tile above it, up to that edge:
 * tile_tree_get returns ERR_INVALID_HASH_CHAIN for another. tile_tree_resize ends the trust.
 */
int tile_tree_trust(struct tile_tree *t, const struct merkle_hash *root, struct diag *d) MUST_USE;

/* ERR_TOO_LARGE for an entry that has no room in 16 bits; the buf's own failure is the caller's. */
int tile_bundle_add(struct buf *b, struct slice entry) MUST_USE;
/* Cuts the next entry off; false at the end, and with *bad set when what is left is no entry. */
bool tile_bundle_next(struct slice *rest, struct slice *entry, bool *bad);
/* Exactly `width` entries whose leaf hashes are those of the level-0 tile (width · 32 bytes).
 * ERR_CORRUPT: another number of entries or bytes left over; ERR_INVALID_HASH_CHAIN. */
int tile_bundle_check(struct slice bundle, struct slice tile, unsigned width,
                      struct diag *d) MUST_USE;

#endif
