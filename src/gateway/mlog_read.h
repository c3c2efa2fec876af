/*
 * Reading a message log beside its writer, or with nothing running: find a message, rebuild its
 * signature document byte for byte, find its time-stamp, make its container.
 */
#ifndef SILD_GATEWAY_MLOG_READ_H
#define SILD_GATEWAY_MLOG_READ_H

#include "base/arena.h"
#include "gateway/record.h"
#include "journal/journal.h"

#include <openssl/evp.h>

struct mlog_read;
/* folder: the message log's; disk: the calls that reach it (NULL: the usual). ERR_NOT_FOUND,
 * ERR_CORRUPT. */
int mlog_read_open(const char *folder, const struct journal_options *disk, struct mlog_read **out,
                   struct diag *d) MUST_USE;
void mlog_read_close(struct mlog_read *m);
struct journal *mlog_read_journal(struct mlog_read *m);
/* Sees what was appended since. */
int mlog_read_refresh(struct mlog_read *m, struct diag *d) MUST_USE;

/* Result document and the chain of entry `which` of a stamp (either may be NULL), as they were
 * stamped. */
int mlog_read_stamp_chain(const struct record_stamp *s, size_t which, struct buf *result,
                          struct buf *chain, struct diag *d) MUST_USE;

struct mlog_read_want {
    enum record_side side;
    bool response;
    struct slice id; /* empty: the newest */
};
/* The newest record that fits: its sequence and time. ERR_MLOG_RECORD_NOT_FOUND. */
int mlog_read_find(struct mlog_read *m, const struct mlog_read_want *w, uint64_t *seq,
                   int64_t *time_ms, struct diag *d) MUST_USE;
/* One message; slices in the arena, the signature document rebuilt and checked against its digest.
 */
int mlog_read_message(struct mlog_read *m, uint64_t seq, struct arena *a,
                      struct record_message *out, struct diag *d) MUST_USE;
/* The stamp that covers a message; *which is its place among the entries. ERR_NOT_FOUND: not
 * stamped yet. */
int mlog_read_stamp(struct mlog_read *m, uint64_t seq, struct arena *a, struct record_stamp *out,
                    size_t *which, struct diag *d) MUST_USE;
/*
 * The message's container; owner opens a kept body (NULL: the body stays out). Appends.
 * ERR_NOT_FOUND when it is not stamped.
 */
int mlog_read_container(struct mlog_read *m, uint64_t seq, EVP_PKEY *owner, struct buf *out,
                        struct record_message *about, struct arena *a, struct diag *d) MUST_USE;

#endif
