#include "base/err.h"
#include "journal/journal_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 256

/* What one segment is compared with, AT_ONCE records at a time. */
struct check {
    struct journal *j;
    struct journal_report *report;
    const struct salts *salts;
    struct index index; /* made from the records */
    uint64_t at;        /* sequence of the first of those below */
    size_t n;
    uint8_t salt[AT_ONCE * JOURNAL_SALT];
    struct merkle_hash leaf[AT_ONCE];
};

static int damaged(const struct check *c, const char *name, struct diag *d)
{
    diag_where(d, "%s/%s", c->j->disk.dir, name);
    return ERR_CORRUPT;
}

static int load(struct check *c, uint64_t first, uint64_t seq, struct diag *d)
{
    size_t salts, leaves;
    int rc = salts_read(c->salts, (uint32_t)(seq - first), c->salt, AT_ONCE, &salts, d);
    if (rc == 0)
        rc = tiles_leaves(&c->j->tiles, seq, c->leaf, AT_ONCE, &leaves, d);
    if (rc != 0)
        return rc;
    c->at = seq;
    c->n = salts < leaves ? salts : leaves;
    if (c->n > 0)
        return 0;
    diag_set(d, ERR_CORRUPT, "the %s of record %" PRIu64 " is missing",
             salts == 0 ? "salt" : "leaf hash", seq);
    return damaged(c, salts == 0 ? c->salts->file.name : "tiles/0", d);
}

static int check_record(struct check *c, const struct segment_walk *w, uint64_t seq, uint64_t off,
                        struct diag *d)
{
    struct merkle_hash leaf;
    if (seq - c->at >= c->n) {
        int rc = load(c, w->s->first, seq, d);
        if (rc != 0)
            return rc;
    }
    const uint8_t *salt = c->salt + (size_t)(seq - c->at) * JOURNAL_SALT;
    if (salts_is_erased(salt)) {
        c->report->erased_salts++;
        return 0;
    }
    journal_record_leaf(c->j->hasher, salt, w->raw, &leaf);
    if (memcmp(&leaf, &c->leaf[seq - c->at], sizeof leaf) == 0)
        return 0;
    diag_set(d, ERR_CORRUPT,
             "record %" PRIu64 " (%s at offset %" PRIu64 ") with its salt (%s at offset %" PRIu64
             ") does not have the leaf hash of tiles/0 at offset %" PRIu64
             ": one of the three was changed",
             seq, w->s->file.name, off, c->salts->file.name, (seq - w->s->first) * JOURNAL_SALT,
             seq * MERKLE_HASH);
    return damaged(c, "tiles/0", d);
}

/* The records of a segment up to the one before `until`; with `whole` nothing may follow. */
static int check_records(struct check *c, const struct segment *s, uint64_t until, uint64_t end,
                         bool whole, struct diag *d)
{
    struct segment_walk w;
    struct journal_record r;
    int rc = 0;
    segment_walk_init(&w, s, SEGMENT_HEAD, s->first, end);
    while (rc == 0 && w.seq < until) {
        uint64_t off = w.off;
        rc = segment_next(&w, &r, d);
        if (rc == 0)
            rc = index_add(&c->index, w.id_hash, off);
        if (rc == 0)
            rc = check_record(c, &w, r.seq, off, d);
    }
    if (rc == ERR_EOF) {
        diag_set(d, ERR_CORRUPT, "the segment ends before record %" PRIu64, w.seq);
        rc = damaged(c, s->file.name, d);
    }
    if (rc == 0 && whole && w.off != end) {
        diag_set(d, ERR_CORRUPT, "%" PRIu64 " bytes behind the last record", end - w.off);
        rc = damaged(c, s->file.name, d);
    }
    segment_walk_free(&w);
    return rc;
}

/* An index that is not there can be made again; one that is there must be right. */
static int check_index(struct check *c, const struct segment *s, uint64_t bytes, struct diag *d)
{
    struct index_file f;
    int rc = index_file_open(&c->j->disk, s->first, &f, d);
    if (rc != 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (f.buckets > 0)
        rc = index_reserve(&c->index, f.buckets);
    if (rc == 0 && f.bytes != bytes) {
        diag_set(d, ERR_CORRUPT, "the index is of a segment of %" PRIu64 " bytes, not %" PRIu64,
                 f.bytes, bytes);
        rc = damaged(c, f.file.name, d);
    }
    if (rc == 0)
        rc = index_file_verify(&f, &c->index, d);
    index_file_close(&f);
    return rc;
}

static int check_salt_count(struct check *c, uint64_t count, struct diag *d)
{
    uint64_t bytes;
    int rc = io_size(&c->salts->file, &bytes, d);
    if (rc != 0 || bytes == count * JOURNAL_SALT)
        return rc;
    diag_set(d, ERR_CORRUPT, "%" PRIu64 " bytes of salts for %" PRIu64 " records", bytes, count);
    return damaged(c, c->salts->file.name, d);
}

static int check_closed(struct check *c, size_t at, struct diag *d)
{
    struct segment s;
    struct salts salts;
    uint64_t first = c->j->closed[at], until = journal_inner_end(c->j, at), bytes;
    int rc = segment_open(&c->j->disk, first, true, &s, d);
    if (rc != 0)
        return rc == ERR_EOF ? ERR_CORRUPT : rc;
    rc = salts_open(&c->j->disk, first, true, &salts, d);
    if (rc == 0) {
        c->salts = &salts;
        rc = io_size(&s.file, &bytes, d);
        if (rc == 0)
            rc = check_records(c, &s, until, bytes, true, d);
        if (rc == 0)
            rc = check_salt_count(c, until - first, d);
        if (rc == 0)
            rc = check_index(c, &s, bytes, d);
        salts_close(&salts);
    } else if (rc == ERR_NOT_FOUND) {
        rc = ERR_CORRUPT;
    }
    segment_close(&s);
    return rc;
}

static int check_segments(struct journal *j, struct journal_report *out, struct diag *d)
{
    struct check *c = calloc(1, sizeof *c);
    if (c == NULL)
        return diag_set(d, ERR_NOMEM, "no memory to verify a segment");
    c->j = j;
    c->report = out;
    int rc = 0;
    for (size_t i = 0; i < j->closed_count && rc == 0; i++) {
        rc = check_closed(c, i, d);
        index_free(&c->index);
        c->n = 0;
    }
    if (rc == 0) {
        c->salts = &j->salts;
        rc = check_records(c, &j->open, j->durable, j->open.bytes, false, d);
        index_free(&c->index);
    }
    free(c);
    return rc;
}

/* The tree above the leaves, and the root that the file "head" holds fast. */
static int check_tree(struct journal *j, const struct journal_head *h, bool has_head,
                      struct diag *d)
{
    struct merkle_hash root;
    int rc = tiles_verify(&j->tiles, j->durable, d);
    if (rc != 0 || !has_head)
        return rc;
    if (h->size > j->durable) {
        diag_set(d, ERR_CORRUPT, "%" PRIu64 " records had been acknowledged, %" PRIu64 " are there",
                 h->size, j->durable);
        diag_where(d, "%s", j->disk.dir);
        return ERR_CORRUPT;
    }
    rc = tiles_root(&j->tiles, h->size, &root, d);
    if (rc != 0 || memcmp(&root, &h->root, sizeof root) == 0)
        return rc;
    diag_set(d, ERR_CORRUPT,
             "the root of the first %" PRIu64
             " records is not the one in the file head: a hash was "
             "changed",
             h->size);
    diag_where(d, "%s/tiles/0", j->disk.dir);
    return ERR_CORRUPT;
}

int journal_verify(struct journal *j, struct journal_report *out, struct diag *d)
{
    struct journal_head h = {0};
    uint64_t bytes;
    bool blank;
    *out = (struct journal_report){0};
    int rc = journal_head_read(&j->disk, &h, d); /* before the size: a writer may be at work */
    bool has_head = rc == 0;
    if (rc == 0 || rc == ERR_NOT_FOUND)
        rc = journal_refresh(j, d);
    if (rc == 0)
        rc = check_segments(j, out, d);
    if (rc == 0)
        rc = check_tree(j, &h, has_head, d);
    if (rc == 0)
        rc = tiles_root(&j->tiles, j->durable, &out->root, d);
    if (rc == 0)
        rc = io_size(&j->open.file, &bytes, d);
    if (rc == 0)
        rc = segment_is_blank(&j->open, j->open.bytes, bytes, &blank, d);
    if (rc != 0)
        return rc;
    out->records = j->durable;
    out->first = journal_first(j);
    out->segments = j->closed_count + 1;
    out->tail_bytes = blank || bytes < j->open.bytes ? 0 : bytes - j->open.bytes;
    return 0;
}
