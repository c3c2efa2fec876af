/* The journal's own note of its tree: size and root at a moment when both were durable. */
#ifndef SILD_JOURNAL_JOURNAL_HEAD_H
#define SILD_JOURNAL_JOURNAL_HEAD_H

#include "crypto/merkle.h"
#include "journal/io.h"

struct journal_head {
    uint64_t size;
    struct merkle_hash root;
};

/* ERR_NOT_FOUND when there is none, ERR_CORRUPT. */
int journal_head_read(const struct io_disk *k, struct journal_head *out, struct diag *d) MUST_USE;
int journal_head_write(const struct io_disk *k, const struct journal_head *h,
                       struct diag *d) MUST_USE;

#endif
