/*
 * A segment, "<first>.seg" (first: 16 hexadecimal digits), little-endian:
 *
 *    0  8 bytes  "SJSEG1\n" and a zero
 *    8  u64      sequence of the first record, as in the name
 *   16  u32      batch mark: the magic of a record that begins a batch; random, so that no payload
 *                can look like one; not "SJR1", not 0
 *   20  8 bytes  zero
 *   28  u32      CRC-32C over the bytes 0-27
 *   32           records (journal_record.c), without gaps
 *    …           in the segment that is open: zeros, room for the next records
 *
 * A sync of bytes within a file that does not grow costs the disk much less than of one that does:
 * no file system's journal need be written. So the file grows by more than is needed, now and then.
 *
 * The head is synced before the first record is written. A batch is written and synced before
 * anything of the next one is written.
 */
#include "journal/segment.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/err.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static const uint8_t MAGIC[8] = "SJSEG1\n";

#define WINDOW (1u << 20)
#define RAW_MAX (JOURNAL_RECORD_HEADER + 8 + (size_t)JOURNAL_RECORD_MAX)
#define HEAD_CRC_AT 28
/* The first rooms are small, so that a segment of few records is a small file. Later ones are for
 * some batches, and not so large that the one who waits for them waits long. */
#define AHEAD_FIRST (32u << 10)
#define AHEAD_USUAL (256u << 10)
#define AHEAD_BATCHES 8
#define AHEAD_MOST (8u << 20)
#define AT_ONCE (256u << 10)

void segment_name(uint64_t first, const char *kind, char out[IO_NAME_MAX])
{
    snprintf(out, IO_NAME_MAX, "%016" PRIx64 ".%s", first, kind);
}

static int name_place(const struct segment *s, uint64_t off, struct diag *d)
{
    return diag_where(d, "%s/%s at offset %" PRIu64, s->file.disk->dir, s->file.name, off);
}

static int new_mark(uint32_t *mark, struct diag *d)
{
    do {
        if (getrandom(mark, sizeof *mark, 0) != sizeof *mark)
            return diag_set(d, ERR_INTERNAL, "the kernel gives no random bytes");
    } while (*mark == 0 || *mark == JOURNAL_RECORD_MAGIC);
    return 0;
}

int segment_create(const struct io_disk *k, uint64_t first, struct segment *s, struct diag *d)
{
    uint8_t head[SEGMENT_HEAD] = {0};
    char name[IO_NAME_MAX];
    *s = (struct segment){.file = IO_NO_FILE, .first = first, .bytes = SEGMENT_HEAD};
    int rc = new_mark(&s->mark, d);
    if (rc != 0)
        return rc;
    memcpy(head, MAGIC, sizeof MAGIC);
    put_u64(head + 8, first);
    put_u32(head + 16, s->mark);
    put_u32(head + HEAD_CRC_AT, crc32c(0, slice_of(head, HEAD_CRC_AT)));
    segment_name(first, "seg", name);
    rc = io_open(k, name, O_RDWR | O_CREAT | O_TRUNC, &s->file, d);
    if (rc != 0)
        return rc;
    rc = io_write(&s->file, head, sizeof head, 0, d);
    if (rc == 0)
        rc = io_sync(&s->file, d);
    if (rc != 0)
        segment_close(s);
    return rc;
}

static int read_head(struct segment *s, struct diag *d)
{
    uint8_t head[SEGMENT_HEAD];
    uint64_t size;
    size_t got;
    int rc = io_read(&s->file, head, sizeof head, 0, &got, d);
    if (rc == 0)
        rc = io_size(&s->file, &size, d);
    if (rc != 0)
        return rc;
    bool whole =
        got == sizeof head && get_u32(head + HEAD_CRC_AT) == crc32c(0, slice_of(head, HEAD_CRC_AT));
    if (!whole) {
        diag_set(d, ERR_CORRUPT, "the head of the segment is damaged");
        name_place(s, 0, d);
        return size <= SEGMENT_HEAD ? ERR_EOF : ERR_CORRUPT;
    }
    if (memcmp(head, MAGIC, sizeof MAGIC) != 0 || get_u64(head + 8) != s->first) {
        diag_set(d, ERR_CORRUPT, "the head of the segment does not fit its name");
        name_place(s, 0, d);
        return ERR_CORRUPT;
    }
    s->mark = get_u32(head + 16);
    return 0;
}

int segment_open(const struct io_disk *k, uint64_t first, bool read_only, struct segment *s,
                 struct diag *d)
{
    char name[IO_NAME_MAX];
    *s = (struct segment){.file = IO_NO_FILE, .first = first, .bytes = SEGMENT_HEAD};
    segment_name(first, "seg", name);
    int rc = io_open(k, name, read_only ? O_RDONLY : O_RDWR, &s->file, d);
    if (rc != 0)
        return rc;
    rc = read_head(s, d);
    if (rc != 0)
        segment_close(s);
    return rc;
}

void segment_close(struct segment *s)
{
    io_close(&s->file);
}

/* A single large batch says little about the next ones. */
static void note_batch(struct segment *s, size_t n)
{
    s->usual = s->usual == 0 ? n : s->usual - s->usual / AHEAD_BATCHES + n / AHEAD_BATCHES;
}

/* Zeros behind the batch that was written; when the disk takes none there is no room, that is
 * all.
 */
static void make_room(struct segment *s, size_t batch, uint64_t limit)
{
    static const uint8_t zeros[AT_ONCE];
    uint64_t end = s->bytes + batch, ahead = s->ahead < AHEAD_FIRST ? AHEAD_FIRST : 2 * s->ahead;
    ahead = ahead < AHEAD_USUAL ? ahead : AHEAD_USUAL;
    s->ahead = (uint32_t)ahead;
    if (ahead < AHEAD_BATCHES * s->usual)
        ahead = AHEAD_BATCHES * s->usual;
    ahead = ahead < AHEAD_MOST ? ahead : AHEAD_MOST;
    s->room = end;
    while (ahead > 0 && s->room < limit) {
        uint64_t n = ahead < AT_ONCE ? ahead : AT_ONCE;
        n = n < limit - s->room ? n : limit - s->room;
        if (io_write(&s->file, zeros, (size_t)n, s->room, NULL) != 0)
            break;
        s->room += n;
        ahead -= n;
    }
}

int segment_append(struct segment *s, struct slice batch, uint64_t limit, struct diag *d)
{
    if (s->reopen) {
        struct io_file again;
        int rc = io_open(s->file.disk, s->file.name, O_RDWR, &again, d);
        if (rc != 0)
            return rc;
        io_close(&s->file);
        s->file = again;
        s->reopen = false;
    }
    int rc = io_write(&s->file, batch.p, batch.n, s->bytes, d);
    if (rc != 0)
        return rc;
    note_batch(s, batch.n);
    if (s->bytes + batch.n > s->room)
        make_room(s, batch.n, limit);
    rc = io_sync(&s->file, d);
    if (rc != 0) {
        s->reopen = true;
        s->room = s->bytes; /* what is there is not known */
        return rc;
    }
    s->bytes += batch.n;
    return 0;
}

int segment_trim(struct segment *s, struct diag *d)
{
    /* Also when it seems to be done: a sync of it may have failed. */
    int rc = io_truncate(&s->file, s->bytes, d);
    s->room = rc == 0 ? s->bytes : s->room;
    return rc;
}

int segment_is_blank(const struct segment *s, uint64_t off, uint64_t end, bool *blank,
                     struct diag *d)
{
    struct buf b;
    int rc = 0;
    buf_init(&b, AT_ONCE);
    uint8_t *p = buf_room(&b, AT_ONCE);
    if (p == NULL)
        return diag_set(d, ERR_NOMEM, "no memory to read the segment");
    *blank = true;
    while (rc == 0 && *blank && off < end) {
        size_t got, n = end - off < AT_ONCE ? (size_t)(end - off) : AT_ONCE;
        rc = io_read(&s->file, p, n, off, &got, d);
        if (rc != 0 || got == 0)
            break;
        *blank = p[0] == 0 && memcmp(p, p + 1, got - 1) == 0;
        off += got;
    }
    buf_free(&b);
    return rc;
}

/* The parts of segment_read and segment_next that judge: `raw` is what stands at the place. */
static int judge(struct slice raw, uint64_t seq, struct journal_record *out, uint64_t *id_hash,
                 struct diag *d)
{
    int rc = journal_record_get(raw, out, id_hash, d);
    if (rc == 0 && out->seq != seq)
        rc = diag_set(d, ERR_CORRUPT, "record %" PRIu64 " stands where %" PRIu64 " belongs",
                      out->seq, seq);
    return rc;
}

int segment_read(const struct segment *s, uint64_t off, uint64_t end, uint64_t seq, struct buf *buf,
                 struct journal_record *out, struct diag *d)
{
    uint64_t id_hash;
    size_t size;
    buf_reset(buf);
    if (off < SEGMENT_HEAD || end < off || end - off < JOURNAL_RECORD_HEADER ||
        end - off > RAW_MAX) {
        diag_set(d, ERR_CORRUPT, "the index gives record %" PRIu64 " a place that cannot be", seq);
        name_place(s, off, d);
        return ERR_CORRUPT;
    }
    uint8_t *p = buf_room(buf, (size_t)(end - off));
    if (p == NULL)
        return diag_set(d, ERR_TOO_LARGE, "the record takes %" PRIu64 " bytes", end - off);
    int rc = io_read_all(&s->file, p, (size_t)(end - off), off, d);
    if (rc != 0)
        return rc;
    buf->n = (size_t)(end - off);
    rc = journal_record_head(p, s->mark, &size, d);
    if (rc == 0 && size != buf->n)
        rc = diag_set(d, ERR_CORRUPT, "the record does not end where the next one begins");
    if (rc == 0)
        rc = judge(buf_view(buf), seq, out, &id_hash, d);
    if (rc != 0)
        name_place(s, off, d);
    return rc;
}

void segment_walk_init(struct segment_walk *w, const struct segment *s, uint64_t off, uint64_t seq,
                       uint64_t end)
{
    *w = (struct segment_walk){.s = s, .off = off, .end = end, .seq = seq, .window_off = off};
    buf_init(&w->window, RAW_MAX + WINDOW);
}

void segment_walk_free(struct segment_walk *w)
{
    buf_free(&w->window);
}

/* n bytes at off (the caller saw that they end before w->end), or fewer at the end of the file. */
static int look(struct segment_walk *w, uint64_t off, size_t n, struct slice *out, struct diag *d)
{
    if (off < w->window_off || off + n > w->window_off + w->window.n) {
        size_t want = n < WINDOW ? WINDOW : n, got;
        if (want > w->end - off)
            want = (size_t)(w->end - off);
        buf_reset(&w->window);
        uint8_t *p = buf_room(&w->window, want);
        if (p == NULL)
            return diag_set(d, ERR_NOMEM, "no memory to read the segment");
        int rc = io_read(&w->s->file, p, want, off, &got, d);
        if (rc != 0)
            return rc;
        w->window.n = got;
        w->window_off = off;
    }
    *out = slice_sub(buf_view(&w->window), (size_t)(off - w->window_off), n);
    return 0;
}

/* The record at off, whatever its sequence; 0, ERR_CORRUPT, or the disk's error. */
static int record_at(struct segment_walk *w, uint64_t off, struct slice *raw, struct diag *d)
{
    struct slice head;
    size_t size;
    if (w->end - off < JOURNAL_RECORD_HEADER)
        return diag_set(d, ERR_CORRUPT, "the file ends within a record's header");
    int rc = look(w, off, JOURNAL_RECORD_HEADER, &head, d);
    if (rc != 0)
        return rc;
    if (head.n < JOURNAL_RECORD_HEADER)
        return diag_set(d, ERR_CORRUPT, "the file ends within a record's header");
    rc = journal_record_head(head.p, w->s->mark, &size, d);
    if (rc != 0)
        return rc;
    if (w->end - off < size)
        return diag_set(d, ERR_CORRUPT, "the file ends within a record");
    rc = look(w, off, size, raw, d);
    if (rc == 0 && raw->n < size)
        rc = diag_set(d, ERR_CORRUPT, "the file ends within a record");
    return rc;
}

int segment_next(struct segment_walk *w, struct journal_record *out, struct diag *d)
{
    if (w->off >= w->end)
        return ERR_EOF;
    int rc = record_at(w, w->off, &w->raw, d);
    if (rc == 0)
        rc = judge(w->raw, w->seq, out, &w->id_hash, d);
    if (rc != 0) {
        if (rc == ERR_CORRUPT)
            name_place(w->s, w->off, d);
        return rc;
    }
    w->off += w->raw.n;
    w->seq++;
    return 0;
}

/* Whether a whole record that begins a batch after w->seq stands at off. */
static int is_batch(struct segment_walk *w, uint64_t off, struct diag *d)
{
    struct journal_record r;
    struct slice raw;
    uint64_t id_hash;
    int rc = record_at(w, off, &raw, NULL);
    if (rc == ERR_CORRUPT)
        return ERR_NOT_FOUND;
    if (rc != 0)
        return diag_set(d, rc, "cannot read behind a damaged record");
    if (get_u32(raw.p) != w->s->mark || journal_record_get(raw, &r, &id_hash, NULL) != 0 ||
        r.seq <= w->seq)
        return ERR_NOT_FOUND;
    return 0;
}

int segment_later_batch(struct segment_walk *w, uint64_t *off, struct diag *d)
{
    uint8_t text[4];
    put_u32(text, w->s->mark);
    uint64_t at = w->off + 1;
    while (at < w->end && w->end - at >= JOURNAL_RECORD_HEADER) {
        struct slice part;
        size_t n = w->end - at < WINDOW ? (size_t)(w->end - at) : WINDOW;
        int rc = look(w, at, n, &part, d);
        if (rc != 0)
            return rc;
        size_t found = slice_find_slice(part, slice_of(text, sizeof text));
        if (found == SIZE_MAX) {
            if (part.n < n || part.n <= 3)
                break;
            at += part.n - 3; /* the mark may lie across two windows */
            continue;
        }
        at += found;
        rc = is_batch(w, at, d);
        if (rc != ERR_NOT_FOUND) {
            *off = at;
            return rc;
        }
        at++;
    }
    return diag_set(d, ERR_NOT_FOUND, "no later batch");
}
