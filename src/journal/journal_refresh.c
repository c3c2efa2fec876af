/*
 * A reader beside the writer. It sees what tiles/0 has a leaf hash for: such a record was synced
 * before the hash was written. So the half-written end of a segment is never looked at, and a
 * record below that mark that is not valid is damage.
 */
#include "base/err.h"
#include "journal/journal_inner.h"

#include <inttypes.h>

static int missing(const struct journal *j, struct diag *d)
{
    diag_set(d, ERR_CORRUPT, "record %" PRIu64 " has a hash in tiles/0 but is in no segment",
             j->durable);
    diag_where(d, "%s", j->disk.dir);
    return ERR_CORRUPT;
}

/* Reads the open segment on, as far as `mark`. */
static int read_on(struct journal *j, uint64_t mark, struct diag *d)
{
    struct segment_walk w;
    struct journal_record r;
    uint64_t size;
    int rc = io_size(&j->open.file, &size, d);
    if (rc != 0 || j->durable >= mark)
        return rc;
    segment_walk_init(&w, &j->open, j->open.bytes, j->durable, size);
    while (rc == 0 && w.seq < mark) {
        uint64_t off = w.off;
        rc = segment_next(&w, &r, d);
        if (rc == 0)
            rc = index_add(&j->index, w.id_hash, off);
        if (rc == 0) {
            j->open.bytes = w.off;
            j->durable = w.seq;
        }
    }
    segment_walk_free(&w);
    return rc == ERR_EOF ? 0 : rc;
}

static int open_segment(struct journal *j, uint64_t first, struct diag *d)
{
    struct segment s;
    struct salts salts;
    int rc = segment_open(&j->disk, first, true, &s, d);
    if (rc != 0)
        return rc;
    rc = salts_open(&j->disk, first, true, &salts, d);
    if (rc != 0) {
        segment_close(&s);
        return rc;
    }
    segment_close(&j->open);
    salts_close(&j->salts);
    index_free(&j->index);
    j->open = s;
    j->salts = salts;
    j->durable = first;
    return 0;
}

/* The next segment is not there: the writer has dropped it and all before it, or it is lost. */
static int leap(struct journal *j, struct diag *d)
{
    struct folder f;
    int rc = folder_read(&j->disk, &f, d);
    if (rc != 0)
        return rc;
    if (f.count > 0 && f.segments[0] > j->durable)
        rc = open_segment(j, f.segments[0], d);
    else
        rc = missing(j, d);
    folder_free(&f);
    return rc == ERR_EOF || rc == ERR_NOT_FOUND ? ERR_AGAIN : rc; /* dropped meanwhile, too */
}

/* The open segment ended: what follows is in the next one. */
static int go_on(struct journal *j, struct diag *d)
{
    if (j->index.count == 0)
        return missing(j, d);
    int rc = open_segment(j, j->durable, d);
    if (rc == ERR_NOT_FOUND)
        return leap(j, d);
    return rc == ERR_EOF ? missing(j, d) : rc;
}

/* Which closed segments are there still. */
static int list_again(struct journal *j, struct diag *d)
{
    struct folder f;
    int rc = folder_read(&j->disk, &f, d);
    if (rc != 0)
        return rc;
    j->closed_count = 0;
    for (size_t i = 0; i < f.count && f.segments[i] < j->open.first && rc == 0; i++)
        rc = journal_inner_add_closed(j, f.segments[i], d);
    folder_free(&f);
    return rc;
}

int journal_refresh(struct journal *j, struct diag *d)
{
    if (!j->read_only)
        return 0;
    uint64_t whole, begun;
    int rc = tiles_stored(&j->tiles, &whole, &begun, d);
    if (rc == 0 && whole < j->durable) {
        diag_set(d, ERR_CORRUPT,
                 "tiles/0 has %" PRIu64 " hashes, fewer than the %" PRIu64
                 " records known: the journal must be opened for writing to make them again",
                 whole, j->durable);
        diag_where(d, "%s", j->disk.dir);
        return ERR_CORRUPT;
    }
    while (rc == 0 && j->durable < whole) {
        rc = read_on(j, whole, d);
        if (rc == 0 && j->durable < whole)
            rc = go_on(j, d);
    }
    return rc == 0 ? list_again(j, d) : rc;
}

int journal_recover_nothing(struct journal *j, struct diag *d)
{
    struct folder f;
    int rc = tiles_open(&j->tiles, &j->disk, true, d);
    if (rc == 0)
        rc = folder_read(&j->disk, &f, d);
    if (rc != 0)
        return rc;
    /* The last segment may be one whose making is under way or was cut off. */
    rc = ERR_NOT_FOUND;
    for (size_t n = f.count; n > 0 && n + 1 >= f.count; n--) {
        rc = open_segment(j, f.segments[n - 1], d);
        if (rc != ERR_EOF && rc != ERR_NOT_FOUND)
            break;
    }
    folder_free(&f);
    if (rc == ERR_NOT_FOUND || rc == ERR_EOF) {
        diag_set(d, ERR_NOT_FOUND, "no journal is here");
        diag_where(d, "%s", j->disk.dir);
        return ERR_NOT_FOUND;
    }
    return rc == 0 ? journal_refresh(j, d) : rc;
}
