/*
 * What opening a journal does, for the writer. The closed segments are not read: they, their salts
 * and hashes were synced before the next segment was made.
 *
 * Records of the last segment are read from its start. The first one that is not valid (no header,
 * another sequence, a wrong checksum, cut off by the end of the file) is
 *
 *   damage (ERR_CORRUPT)  when its number is below the durable mark, which is the greater of the
 *                         number of leaf hashes that tiles/0 holds and of the size in the file
 *                         "head": both are written after the records were synced;
 *   damage (ERR_CORRUPT)  when behind it, anywhere in the file, stands a valid record that begins a
 *                         batch and has a greater number: its batch was written after everything
 *                         before it had been synced;
 *   the end               when nothing but zeros follow, room for the next records;
 *   torn                  otherwise: it was never acknowledged as far as the disk can tell, and the
 *                         file is cut there. Valid records of the same batch behind it go too: the
 *                         disk may have written the batch in any order.
 *
 * The mark is written without a sync of its own. So a record that was acknowledged in the last
 * seconds before a cut of the power and damaged besides, both, in the last batch, is taken for
 * torn: only a signed tree head held elsewhere tells. Whatever was acknowledged and is not damaged
 * is never cut.
 *
 * Valid records at or above the mark stay. They are written again, in place, before they are
 * synced: their pages may be ones that an earlier sync failed to write and the kernel calls clean.
 * For the same reason the hashes of the whole open segment are written again.
 */
#include "base/err.h"
#include "journal/journal_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_AT ((size_t)4096 * MERKLE_HASH)
#define SALTS_AT_ONCE 1024
#define COPY_AT_ONCE (1u << 20)

static int damaged(const struct journal *j, struct diag *d)
{
    diag_where(d, "%s", j->disk.dir);
    return ERR_CORRUPT;
}

/* A place in a file of salts, read some at a time. */
struct salt_reader {
    const struct salts *salts;
    uint32_t at;
    size_t n;
    uint8_t bytes[SALTS_AT_ONCE * JOURNAL_SALT];
};

static int salt_of(struct salt_reader *r, uint32_t rel, const uint8_t **salt, struct diag *d)
{
    if (rel < r->at || rel - r->at >= r->n) {
        int rc = salts_read(r->salts, rel, r->bytes, SALTS_AT_ONCE, &r->n, d);
        if (rc != 0)
            return rc;
        r->at = rel;
        if (r->n == 0) {
            diag_set(d, ERR_CORRUPT, "the salt of the segment's record %u is missing", rel);
            diag_where(d, "%s/%s", r->salts->file.disk->dir, r->salts->file.name);
            return ERR_CORRUPT;
        }
    }
    *salt = r->bytes + (size_t)(rel - r->at) * JOURNAL_SALT;
    return 0;
}

/* The leaf hash of a record: from its bytes, or, when the salt was erased, from tiles/0. */
static int leaf_of(struct journal *j, struct salt_reader *salts, const struct segment_walk *w,
                   uint64_t seq, struct merkle_hash *leaf, struct diag *d)
{
    const uint8_t *salt;
    size_t got;
    int rc = salt_of(salts, (uint32_t)(seq - w->s->first), &salt, d);
    if (rc != 0)
        return rc;
    if (!salts_is_erased(salt)) {
        journal_record_leaf(j->hasher, salt, w->raw, leaf);
        return 0;
    }
    rc = tiles_leaves(&j->tiles, seq, leaf, 1, &got, d);
    if (rc != 0 || got == 1)
        return rc;
    diag_set(d, ERR_CORRUPT,
             "the salt of record %" PRIu64 " is erased and its hash is not in tiles/0: the tree "
             "cannot be made again",
             seq);
    return damaged(j, d);
}

/* How a walk over a segment ended. */
struct ending {
    uint64_t off, seq; /* where, and the record that comes or should come there */
    uint64_t proven;   /* end of the records below the mark */
    bool bad;          /* not at the end of the file: what stands there is no valid record */
    struct diag why;
};

/* One record into tree and index. */
static int take(struct journal *j, struct salt_reader *salts, const struct segment_walk *w,
                uint64_t off, uint64_t seq, struct index *x, struct diag *d)
{
    struct merkle_hash leaf;
    int rc = leaf_of(j, salts, w, seq, &leaf, d);
    if (rc == 0 && x != NULL)
        rc = index_add(x, w->id_hash, off);
    return rc == 0 ? tiles_add(&j->tiles, &leaf, d) : rc;
}

/*
 * Takes the records of a segment from its start into the tree, and into the index when given.
 * Hashes below the mark are written on the way; those at or above it wait until their records are
 * synced.
 */
static int walk(struct journal *j, struct segment_walk *w, const struct salts *salts,
                struct index *x, uint64_t mark, struct ending *e, struct diag *d)
{
    struct journal_record r;
    struct salt_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return diag_set(d, ERR_NOMEM, "no memory to read the salts");
    reader->salts = salts;
    *e = (struct ending){.proven = w->off};
    int rc = 0, next;
    for (;;) {
        uint64_t off = w->off;
        next = segment_next(w, &r, &e->why);
        if (next != 0)
            break;
        rc = take(j, reader, w, off, r.seq, x, d);
        if (rc == 0 && w->seq <= mark) {
            e->proven = w->off;
            if (j->tiles.leaves.n >= FLUSH_AT)
                rc = tiles_flush(&j->tiles, d);
        }
        if (rc != 0)
            break;
    }
    free(reader);
    e->off = w->off;
    e->seq = w->seq;
    e->bad = next == ERR_CORRUPT;
    if (rc == 0 && next != ERR_EOF && next != ERR_CORRUPT) {
        rc = next;
        if (d != NULL)
            *d = e->why;
    }
    return rc;
}

/* Makes the missing hashes of one closed segment again. */
static int rehash_closed(struct journal *j, size_t at, struct diag *d)
{
    struct segment s;
    struct salts salts;
    struct segment_walk w;
    struct ending e;
    uint64_t size, end = journal_inner_end(j, at);
    int rc = segment_open(&j->disk, j->closed[at], true, &s, d);
    if (rc != 0)
        return rc == ERR_EOF ? ERR_CORRUPT : rc;
    rc = io_size(&s.file, &size, d);
    if (rc == 0)
        rc = salts_open(&j->disk, s.first, true, &salts, d);
    if (rc == 0) {
        segment_walk_init(&w, &s, SEGMENT_HEAD, s.first, size);
        rc = walk(j, &w, &salts, NULL, end, &e, d);
        segment_walk_free(&w);
        salts_close(&salts);
    }
    segment_close(&s);
    if (rc == 0 && e.bad) {
        if (d != NULL)
            *d = e.why;
        return ERR_CORRUPT;
    }
    if (rc == 0 && e.seq != end) {
        diag_set(d, ERR_CORRUPT, "segment %" PRIu64 " ends before record %" PRIu64, s.first, e.seq);
        return damaged(j, d);
    }
    j->recovery.rehashed += rc == 0 ? end - s.first : 0;
    return rc == 0 ? tiles_flush(&j->tiles, d) : rc;
}

/* Readies the tree for the open segment; hashes of closed segments that are missing are made again
 * from what they stand for, as far as that is still there. */
static int start_tree(struct journal *j, uint64_t whole, struct diag *d)
{
    size_t at = j->closed_count;
    while (at > 0 && journal_inner_end(j, at - 1) > whole)
        at--;
    uint64_t base = at < j->closed_count ? j->closed[at] : j->open.first;
    if (whole < base) {
        diag_set(d, ERR_CORRUPT,
                 "tiles/0 ends with hash %" PRIu64 " and the records from there to %" PRIu64
                 " are dropped: the tree cannot be made again",
                 whole, base);
        return damaged(j, d);
    }
    int rc = tiles_mend(&j->tiles, base, d);
    if (rc == 0)
        rc = tiles_start(&j->tiles, base, d);
    bool again = at < j->closed_count;
    j->tiles.checking = true;
    for (; rc == 0 && at < j->closed_count; at++)
        rc = rehash_closed(j, at, d);
    if (rc == 0 && again)
        rc = tiles_sync(&j->tiles, d);
    return rc;
}

/* Judges how the last segment ended, by the rule above. */
static int judge(struct journal *j, struct segment_walk *w, const struct ending *e, uint64_t mark,
                 struct diag *d)
{
    if (e->seq < mark) {
        if (e->bad && d != NULL)
            *d = e->why;
        if (e->bad)
            return ERR_CORRUPT;
        diag_set(d, ERR_CORRUPT,
                 "the segment ends before record %" PRIu64 ", but %" PRIu64
                 " records had been acknowledged",
                 e->seq, mark);
        diag_where(d, "%s/%s", j->disk.dir, j->open.file.name);
        return ERR_CORRUPT;
    }
    if (!e->bad)
        return 0;
    uint64_t later;
    struct diag not_there;
    int rc = segment_later_batch(w, &later, &not_there);
    if (rc == 0) {
        if (d != NULL)
            *d = e->why;
        return ERR_CORRUPT;
    }
    if (rc != ERR_NOT_FOUND && d != NULL)
        *d = not_there;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Writes from..end of the open segment again, in place. */
static int rewrite(struct journal *j, uint64_t from, uint64_t end, struct diag *d)
{
    uint8_t *p = malloc(COPY_AT_ONCE);
    int rc = p == NULL ? diag_set(d, ERR_NOMEM, "no memory to write the tail again") : 0;
    while (rc == 0 && from < end) {
        size_t n = end - from < COPY_AT_ONCE ? (size_t)(end - from) : COPY_AT_ONCE;
        rc = io_read_all(&j->open.file, p, n, from, d);
        if (rc == 0)
            rc = io_write(&j->open.file, p, n, from, d);
        from += n;
    }
    free(p);
    return rc;
}

/* Cuts what is torn, makes durable what is whole. */
static int settle_tail(struct journal *j, const struct ending *e, uint64_t size, uint64_t mark,
                       struct diag *d)
{
    struct journal_recovery *r = &j->recovery;
    bool blank = true;
    int rc = e->bad ? segment_is_blank(&j->open, e->off, size, &blank, d) : 0;
    if (rc != 0)
        return rc;
    r->unproven = e->seq > mark ? e->seq - mark : 0;
    if (!blank) {
        r->cut_seq = e->seq;
        r->cut_at = e->off;
        r->cut_bytes = size - e->off;
        snprintf(r->text, sizeof r->text,
                 "%s: cut %" PRIu64 " bytes from offset %" PRIu64 ", where record %" PRIu64
                 " was torn: %.60s",
                 j->open.file.name, r->cut_bytes, e->off, e->seq, e->why.text);
    }
    if (e->bad)
        rc = io_truncate(&j->open.file, e->off, d);
    /* A segment without a proven record may not even have its head on disk for sure. */
    uint64_t from = mark > j->open.first ? e->proven : 0;
    if (rc == 0)
        rc = rewrite(j, from, e->off, d);
    if (rc == 0)
        rc = io_sync(&j->open.file, d);
    if (rc == 0)
        rc = tiles_flush(&j->tiles, d);
    if (rc == 0)
        rc = salts_trim(&j->salts, j->index.count, d);
    j->open.bytes = e->off;
    j->durable = e->seq;
    return rc;
}

/* Whether the tree is the one that the file "head" holds fast. */
static int check_head(struct journal *j, const struct journal_head *h, struct diag *d)
{
    struct merkle_hash root;
    int rc = tiles_root(&j->tiles, h->size, &root, d);
    if (rc != 0 || memcmp(&root, &h->root, sizeof root) == 0)
        return rc;
    diag_set(d, ERR_CORRUPT,
             "the root of the first %" PRIu64 " records is not the one in the file head: hashes or "
             "records were changed",
             h->size);
    return damaged(j, d);
}

static int recover_open(struct journal *j, uint64_t mark, struct diag *d)
{
    struct segment_walk w;
    struct ending e;
    uint64_t size;
    int rc = io_size(&j->open.file, &size, d);
    if (rc != 0)
        return rc;
    segment_walk_init(&w, &j->open, SEGMENT_HEAD, j->open.first, size);
    rc = walk(j, &w, &j->salts, &j->index, mark, &e, d);
    if (rc == 0)
        rc = judge(j, &w, &e, mark, d);
    segment_walk_free(&w);
    return rc == 0 ? settle_tail(j, &e, size, mark, d) : rc;
}

static int create_open(struct journal *j, uint64_t first, struct diag *d)
{
    int rc = segment_create(&j->disk, first, &j->open, d);
    return rc == 0 ? salts_create(&j->disk, first, &j->salts, d) : rc;
}

/* Opens the last segment, or ends the making of it that was cut off. */
static int open_last(struct journal *j, uint64_t first, uint64_t mark, struct diag *d)
{
    uint64_t size;
    int rc = segment_open(&j->disk, first, false, &j->open, d);
    if (rc == ERR_EOF)
        return mark > first ? ERR_CORRUPT : create_open(j, first, d);
    if (rc == 0)
        rc = io_size(&j->open.file, &size, d);
    if (rc == 0)
        rc = salts_open(&j->disk, first, false, &j->salts, d);
    if (rc == ERR_NOT_FOUND && size == SEGMENT_HEAD)
        return salts_create(&j->disk, first, &j->salts, d);
    if (rc == ERR_NOT_FOUND) {
        diag_set(d, ERR_CORRUPT, "the salts of segment %s are missing", j->open.file.name);
        return damaged(j, d);
    }
    return rc;
}

static int take_folder(struct journal *j, const struct folder *f, struct diag *d)
{
    int rc = 0;
    for (size_t i = 0; i < f->stray_count && rc == 0; i++)
        rc = io_unlink(&j->disk, f->strays[i], d);
    for (size_t i = 0; i + 1 < f->count && rc == 0; i++)
        rc = journal_inner_add_closed(j, f->segments[i], d);
    return rc;
}

static int recover_in(struct journal *j, const struct folder *f, struct diag *d)
{
    struct journal_head head = {0};
    uint64_t whole, begun;
    int rc = journal_head_read(&j->disk, &head, d);
    bool has_head = rc == 0;
    if (rc != 0 && rc != ERR_NOT_FOUND)
        return rc;
    rc = tiles_stored(&j->tiles, &whole, &begun, d);
    if (rc == 0)
        rc = take_folder(j, f, d);
    if (rc != 0)
        return rc;
    uint64_t mark = begun > head.size ? begun : head.size;
    if (f->count == 0 && mark > 0) {
        diag_set(d, ERR_CORRUPT,
                 "%" PRIu64 " records had been acknowledged and no segment is there", mark);
        return damaged(j, d);
    }
    rc = f->count == 0 ? create_open(j, 0, d) : open_last(j, f->segments[f->count - 1], mark, d);
    if (rc == 0)
        rc = io_sync_dir(&j->disk, "", d); /* names of a run that ended before it did that, too */
    if (rc == 0)
        rc = journal_erase_resume(j, d);
    if (rc == 0)
        rc = start_tree(j, whole, d);
    if (rc == 0)
        rc = recover_open(j, mark, d);
    if (rc == 0 && has_head)
        rc = check_head(j, &head, d);
    j->head_size = head.size;
    j->tiles.checking = false;
    return rc;
}

int journal_recover(struct journal *j, struct diag *d)
{
    struct folder f;
    int rc = tiles_open(&j->tiles, &j->disk, false, d);
    if (rc == 0)
        rc = folder_read(&j->disk, &f, d);
    if (rc != 0)
        return rc;
    rc = recover_in(j, &f, d);
    folder_free(&f);
    return rc;
}
