#include "base/err.h"
#include "journal/journal_inner.h"

#include <inttypes.h>

int journal_closed_scan(const struct segment *s, uint64_t until, struct index *x, uint64_t *bytes,
                        struct diag *d)
{
    struct segment_walk w;
    struct journal_record r;
    uint64_t size;
    int rc = io_size(&s->file, &size, d);
    if (rc != 0)
        return rc;
    segment_walk_init(&w, s, SEGMENT_HEAD, s->first, size);
    for (;;) {
        uint64_t off = w.off;
        rc = segment_next(&w, &r, d);
        if (rc == 0)
            rc = index_add(x, w.id_hash, off);
        if (rc != 0)
            break;
    }
    if (rc == ERR_EOF && w.seq == until) {
        *bytes = size;
        rc = 0;
    } else if (rc == ERR_EOF) {
        diag_set(d, ERR_CORRUPT, "the segment ends before record %" PRIu64 ", not %" PRIu64, w.seq,
                 until);
        diag_where(d, "%s/%s", s->file.disk->dir, s->file.name);
        rc = ERR_CORRUPT;
    }
    segment_walk_free(&w);
    return rc;
}

static void put_away(struct closed *c)
{
    if (!c->used)
        return;
    segment_close(&c->segment);
    index_free(&c->memory);
    index_file_close(&c->file);
    *c = (struct closed){0};
}

/* The index from its file; from the segment when there is no good one. */
static int load_index(struct journal *j, struct closed *c, uint64_t end, struct diag *d)
{
    int rc = index_file_open(&j->disk, c->first, &c->file, d);
    if (rc == 0 && c->file.count == end - c->first) {
        c->segment.bytes = c->file.bytes;
        return 0;
    }
    if (rc != 0 && rc != ERR_NOT_FOUND && rc != ERR_CORRUPT)
        return rc;
    index_file_close(&c->file);
    c->in_memory = true;
    rc = journal_closed_scan(&c->segment, end, &c->memory, &c->segment.bytes, d);
    if (rc == 0 && !j->read_only)
        rc = index_write(&c->memory, &j->disk, c->first, c->segment.bytes, d);
    return rc;
}

int journal_closed_get(struct journal *j, size_t at, struct closed **out, struct diag *d)
{
    uint64_t first = j->closed[at];
    struct closed *oldest = &j->cache[0];
    for (size_t i = 0; i < JOURNAL_CLOSED_OPEN; i++) {
        struct closed *c = &j->cache[i];
        if (c->used && c->first == first) {
            c->at = ++j->clock;
            *out = c;
            return 0;
        }
        if (c->at < oldest->at)
            oldest = c;
    }
    put_away(oldest);
    *oldest = (struct closed){.used = true, .first = first, .at = ++j->clock};
    oldest->file.file = IO_NO_FILE;
    index_init(&oldest->memory);
    int rc = segment_open(&j->disk, first, true, &oldest->segment, d);
    if (rc == ERR_EOF)
        rc = ERR_CORRUPT;
    if (rc == 0)
        rc = load_index(j, oldest, journal_inner_end(j, at), d);
    if (rc != 0) {
        put_away(oldest);
        return rc;
    }
    *out = oldest;
    return 0;
}

struct index_look journal_closed_look(const struct closed *c)
{
    return (struct index_look){.memory = c->in_memory ? &c->memory : NULL,
                               .file = c->in_memory ? NULL : &c->file};
}

void journal_closed_forget(struct journal *j, uint64_t first, bool all)
{
    for (size_t i = 0; i < JOURNAL_CLOSED_OPEN; i++)
        if (all || j->cache[i].first == first)
            put_away(&j->cache[i]);
}
