#include "base/err.h"
#include "journal/journal_inner.h"

#include <inttypes.h>

static int check_size(const struct journal *j, uint64_t size, struct diag *d)
{
    if (size <= j->durable)
        return 0;
    return diag_set(d, ERR_NOT_FOUND, "the tree has %" PRIu64 " records, not %" PRIu64, j->durable,
                    size);
}

int journal_root(struct journal *j, uint64_t size, struct merkle_hash *out, struct diag *d)
{
    int rc = check_size(j, size, d);
    return rc == 0 ? tiles_root(&j->tiles, size, out, d) : rc;
}

int journal_inclusion(struct journal *j, uint64_t seq, uint64_t size,
                      struct merkle_hash proof[MERKLE_DEPTH], size_t *count, struct diag *d)
{
    struct tiles_look l = {&j->tiles, d};
    int rc = check_size(j, size, d);
    if (rc != 0)
        return rc;
    if (seq >= size)
        return diag_set(d, ERR_USAGE, "record %" PRIu64 " is not in a tree of %" PRIu64, seq, size);
    return merkle_inclusion(tiles_get, &l, seq, size, proof, count);
}

int journal_consistency(struct journal *j, uint64_t old_size, uint64_t size,
                        struct merkle_hash proof[MERKLE_DEPTH], size_t *count, struct diag *d)
{
    struct tiles_look l = {&j->tiles, d};
    int rc = check_size(j, size, d);
    if (rc != 0)
        return rc;
    if (old_size > size)
        return diag_set(d, ERR_USAGE, "a tree of %" PRIu64 " is not older than one of %" PRIu64,
                        old_size, size);
    return merkle_consistency(tiles_get, &l, old_size, size, proof, count);
}

int journal_leaf(struct journal *j, uint64_t seq, struct merkle_hash *out, struct diag *d)
{
    size_t got;
    int rc = check_size(j, seq + 1, d);
    if (rc == 0)
        rc = tiles_leaves(&j->tiles, seq, out, 1, &got, d);
    if (rc == 0 && got == 0)
        rc = diag_set(d, ERR_CORRUPT, "tiles/0 lacks the hash of record %" PRIu64, seq);
    return rc;
}

int journal_salt(struct journal *j, uint64_t seq, uint8_t out[JOURNAL_SALT], struct diag *d)
{
    size_t at, got;
    int rc = check_size(j, seq + 1, d);
    if (rc == 0)
        rc = journal_inner_locate(j, seq, &at, d);
    if (rc != 0)
        return rc;
    if (at == j->closed_count) {
        rc = salts_read(&j->salts, (uint32_t)(seq - j->open.first), out, 1, &got, d);
    } else {
        struct salts s;
        rc = salts_open(&j->disk, j->closed[at], true, &s, d);
        if (rc != 0)
            return rc;
        rc = salts_read(&s, (uint32_t)(seq - j->closed[at]), out, 1, &got, d);
        salts_close(&s);
    }
    if (rc == 0 && got == 0)
        return diag_set(d, ERR_CORRUPT, "the salt of record %" PRIu64 " is missing", seq);
    if (rc == 0 && salts_is_erased(out))
        return diag_set(d, ERR_NOT_FOUND, "the salt of record %" PRIu64 " is erased", seq);
    return rc;
}
