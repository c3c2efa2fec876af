/*
 * Everything that a ledger keeps on disk, through the journal's table of file calls (journal/io.h),
 * so that tests can cut the power at each step. Paths below the ledger's folder:
 *
 *     public/checkpoint  public/tile/…  public/rounds/…  public/journals  public/policy
 *     staging/<size>-<root>   what a round will publish, written before the round exists
 *     heads/snapshot          each journal's last accepted head, as of a round
 *     heads/<round>           of rounds after the snapshot: private heads, replaced heads
 *     evidence/<digest>       refused heads with the ones they contradict
 *
 * and, in a folder of its own that may be on other storage (by default lock/):
 *
 *     checkpoint              the signed checkpoint of the last committed round
 *     guard                   locked while checkpoint is compared and swapped
 *
 * A staging file: "SLSTAGE1", u64 size, 32 bytes root, u32 files, for each of them u16 length and
 * path, u32 length and bytes; SHA-256 of all before. Little-endian.
 */
#ifndef SILD_LEDGER_LEDGER_STORE_H
#define SILD_LEDGER_LEDGER_STORE_H

#include "base/buf.h"
#include "base/diag.h"
#include "crypto/merkle.h"
#include "journal/io.h"

#define LEDGER_STAGE_MAX (96u << 20)
#define LEDGER_CHECKPOINT_MAX (64u << 10)
#define LEDGER_PATH_MAX 120

struct ledger_store;

/* io NULL: the real disk. The folders must have been made by ledger_store_make. ERR_NOT_FOUND. */
int ledger_store_open(const char *dir, const char *lock_dir, const struct journal_io *io,
                      void *io_ctx, struct ledger_store **out, struct diag *d) MUST_USE;
void ledger_store_close(struct ledger_store *s);
/*
 * Makes the folders of a new ledger (dir itself must be there) and its first checkpoint, of the
 * empty tree, in lock and public. ERR_EXISTS when there is a ledger already.
 */
int ledger_store_make(const char *dir, const char *lock_dir, const struct journal_io *io,
                      void *io_ctx, struct slice checkpoint, struct diag *d) MUST_USE;

/* A whole file below the ledger's folder; appended. ERR_NOT_FOUND, ERR_TOO_LARGE. */
int ledger_store_read(struct ledger_store *s, const char *path, struct buf *out,
                      struct diag *d) MUST_USE;
/* Replaces a small file that may change: public/journals, heads/snapshot, public/checkpoint. */
int ledger_store_replace(struct ledger_store *s, const char *path, struct slice bytes,
                         struct diag *d) MUST_USE;
int ledger_store_remove(struct ledger_store *s, const char *path, struct diag *d) MUST_USE;
/* An empty one. */
int ledger_store_remove_folder(struct ledger_store *s, const char *path, struct diag *d) MUST_USE;
/* The names in a folder; a missing folder has none. */
int ledger_store_list(struct ledger_store *s, const char *path,
                      void (*each)(void *arg, const char *name), void *arg,
                      struct diag *d) MUST_USE;

/* --- step 1: what a round will publish --- */

void ledger_store_stage_begin(struct buf *b, uint64_t size, const struct merkle_hash *root,
                              uint32_t files);
void ledger_store_stage_add(struct buf *b, const char *path, struct slice bytes);
void ledger_store_stage_end(struct buf *b);
int ledger_store_stage_write(struct ledger_store *s, uint64_t size, const struct merkle_hash *root,
                             struct slice stage, struct diag *d) MUST_USE;
/* Checked whole; ERR_NOT_FOUND, ERR_CORRUPT. */
int ledger_store_stage_read(struct ledger_store *s, uint64_t size, const struct merkle_hash *root,
                            struct buf *out, struct diag *d) MUST_USE;
/* All staging files but that of (size, root) go; root NULL: all. */
int ledger_store_stage_drop(struct ledger_store *s, uint64_t size, const struct merkle_hash *root,
                            struct diag *d) MUST_USE;

/* --- step 2: the lock --- */

int ledger_store_lock_read(struct ledger_store *s, struct buf *out, struct diag *d) MUST_USE;
/*
 * Takes the guard, compares what is there with `expected`, and makes room for n bytes. Only then
 * may a new checkpoint be signed. ERR_EXISTS: somebody else has the guard or has swapped before;
 * any error leaves the lock as it was, and the guard free.
 */
int ledger_store_lock_begin(struct ledger_store *s, struct slice expected, size_t n,
                            struct diag *d) MUST_USE;
/* Swaps, durably, and frees the guard. After an error nobody knows which of the two is there. */
int ledger_store_lock_commit(struct ledger_store *s, struct slice bytes, struct diag *d) MUST_USE;
/* Instead of a commit. */
void ledger_store_lock_abandon(struct ledger_store *s);

/* --- step 3: publishing --- */

/* Each file of the stage at its place. One that is there already with other bytes: ERR_CORRUPT,
 * and nothing of it is touched. */
int ledger_store_publish(struct ledger_store *s, struct slice stage, struct diag *d) MUST_USE;

#endif
