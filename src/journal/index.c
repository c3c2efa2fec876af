/*
 * The index of a closed segment, "<first>.idx", little-endian:
 *
 *    0  8 bytes  "SJIDX1\n" and a zero
 *    8  u64      sequence of the segment's first record
 *   16  u64      bytes of the segment
 *   24  u32      n: records
 *   28  u32      b: buckets, a power of two
 *   32  u32      CRC-32C over all from offset 40 on
 *   36  u32      CRC-32C over the bytes 0-35
 *   40  n times  u64 hash of the record's id (0: none), u32 next, u32 offset of the record
 *    …  b times  u32 head
 *
 * Record i with a hash is in the chain of bucket (hash mod b): head is the number of the newest
 * record there plus one, next of each the next older one's plus one, 0 the end. The file can be
 * made again from the segment.
 */
#include "journal/index.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/err.h"
#include "journal/segment.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t MAGIC[8] = "SJIDX1\n";

#define HEAD 40
#define HEAD_CRC_AT 36
#define ENTRY 16
#define CHUNK (16u << 10)
#define ROOM_FIRST 256u
#define ROOM_MAX (1u << 30)

void index_init(struct index *x)
{
    *x = (struct index){0};
}

void index_free(struct index *x)
{
    free(x->entries);
    free(x->heads);
    index_init(x);
}

static void chain(struct index *x, uint32_t rel)
{
    struct index_entry *e = &x->entries[rel];
    if (e->hash == 0)
        return;
    uint32_t *head = &x->heads[e->hash & (x->buckets - 1)];
    e->next = *head;
    *head = rel + 1;
}

int index_reserve(struct index *x, uint32_t n)
{
    uint32_t room = x->room == 0 ? ROOM_FIRST : x->room;
    while (room < n && room < ROOM_MAX)
        room *= 2;
    if (room < n)
        return ERR_TOO_LARGE;
    if (room == x->room)
        return 0;
    struct index_entry *entries = realloc(x->entries, (size_t)room * sizeof *entries);
    if (entries == NULL)
        return ERR_NOMEM;
    x->entries = entries;
    uint32_t *heads = realloc(x->heads, (size_t)room * sizeof *heads);
    if (heads == NULL)
        return ERR_NOMEM;
    x->heads = heads;
    x->room = x->buckets = room;
    memset(heads, 0, (size_t)room * sizeof *heads);
    for (uint32_t i = 0; i < x->count; i++) {
        x->entries[i].next = 0;
        chain(x, i);
    }
    return 0;
}

int index_add(struct index *x, uint64_t hash, uint64_t offset)
{
    int rc = index_reserve(x, x->count + 1);
    if (rc != 0)
        return rc;
    x->entries[x->count] = (struct index_entry){.hash = hash, .offset = (uint32_t)offset};
    chain(x, x->count);
    x->count++;
    return 0;
}

void index_undo(struct index *x)
{
    struct index_entry *e = &x->entries[--x->count];
    if (e->hash != 0)
        x->heads[e->hash & (x->buckets - 1)] = e->next;
}

/* What stands in the file from entry or head number `at` on, at most CHUNK bytes; the numbers go on
 * from the entries to the heads. */
struct body {
    const struct index *x;
    uint32_t entry, head;
    uint8_t bytes[CHUNK];
};

static void body_start(struct body *b, const struct index *x)
{
    b->x = x;
    b->entry = b->head = 0;
}

static size_t body_next(struct body *b)
{
    size_t n = 0;
    for (; b->entry < b->x->count && n + ENTRY <= CHUNK; b->entry++, n += ENTRY) {
        const struct index_entry *e = &b->x->entries[b->entry];
        put_u64(b->bytes + n, e->hash);
        put_u32(b->bytes + n + 8, e->next);
        put_u32(b->bytes + n + 12, e->offset);
    }
    if (b->entry < b->x->count)
        return n;
    for (; b->head < b->x->buckets && n + 4 <= CHUNK; b->head++, n += 4)
        put_u32(b->bytes + n, b->x->heads[b->head]);
    return n;
}

static void put_head(uint8_t head[HEAD], const struct index *x, uint64_t first, uint64_t bytes,
                     uint32_t body_crc)
{
    memcpy(head, MAGIC, sizeof MAGIC);
    put_u64(head + 8, first);
    put_u64(head + 16, bytes);
    put_u32(head + 24, x->count);
    put_u32(head + 28, x->buckets);
    put_u32(head + 32, body_crc);
    put_u32(head + HEAD_CRC_AT, crc32c(0, slice_of(head, HEAD_CRC_AT)));
}

static int write_all(const struct index *x, struct io_file *f, uint64_t first, uint64_t bytes,
                     struct diag *d)
{
    struct body b;
    body_start(&b, x);
    uint8_t head[HEAD];
    uint64_t off = HEAD;
    uint32_t crc = 0;
    for (size_t n; (n = body_next(&b)) > 0; off += n) {
        crc = crc32c(crc, slice_of(b.bytes, n));
        int rc = io_write(f, b.bytes, n, off, d);
        if (rc != 0)
            return rc;
    }
    put_head(head, x, first, bytes, crc);
    int rc = io_write(f, head, sizeof head, 0, d);
    return rc == 0 ? io_sync(f, d) : rc;
}

int index_write(const struct index *x, const struct io_disk *k, uint64_t first, uint64_t bytes,
                struct diag *d)
{
    char name[IO_NAME_MAX], apart[IO_NAME_MAX];
    struct io_file f;
    segment_name(first, "idx", name);
    segment_name(first, "new", apart);
    int rc = io_open(k, apart, O_RDWR | O_CREAT | O_TRUNC, &f, d);
    if (rc != 0)
        return rc;
    rc = write_all(x, &f, first, bytes, d);
    io_close(&f);
    return rc == 0 ? io_rename(k, apart, name, d) : rc;
}

static int damaged(const struct index_file *f, const char *what, struct diag *d)
{
    diag_set(d, ERR_CORRUPT, "%s", what);
    if (f == NULL)
        return ERR_CORRUPT;
    diag_where(d, "%s/%s", f->file.disk->dir, f->file.name);
    return ERR_CORRUPT;
}

static int read_head(struct index_file *f, struct diag *d)
{
    uint8_t head[HEAD];
    uint64_t size;
    int rc = io_read_all(&f->file, head, sizeof head, 0, d);
    if (rc == 0)
        rc = io_size(&f->file, &size, d);
    if (rc != 0)
        return rc;
    if (memcmp(head, MAGIC, sizeof MAGIC) != 0 ||
        get_u32(head + HEAD_CRC_AT) != crc32c(0, slice_of(head, HEAD_CRC_AT)))
        return damaged(f, "the head of the index is damaged", d);
    if (get_u64(head + 8) != f->first)
        return damaged(f, "the index is that of another segment", d);
    f->bytes = get_u64(head + 16);
    f->count = get_u32(head + 24);
    f->buckets = get_u32(head + 28);
    f->body_crc = get_u32(head + 32);
    if ((f->buckets & (f->buckets - 1)) != 0 || (f->buckets == 0 && f->count > 0) ||
        size != HEAD + (uint64_t)f->count * ENTRY + (uint64_t)f->buckets * 4)
        return damaged(f, "the index has a wrong length", d);
    return 0;
}

int index_file_open(const struct io_disk *k, uint64_t first, struct index_file *f, struct diag *d)
{
    char name[IO_NAME_MAX];
    *f = (struct index_file){.file = IO_NO_FILE, .first = first};
    segment_name(first, "idx", name);
    int rc = io_open(k, name, O_RDONLY, &f->file, d);
    if (rc != 0)
        return rc;
    rc = read_head(f, d);
    if (rc != 0)
        index_file_close(f);
    return rc;
}

void index_file_close(struct index_file *f)
{
    io_close(&f->file);
}

int index_file_verify(const struct index_file *f, const struct index *want, struct diag *d)
{
    struct body b;
    uint8_t there[CHUNK];
    body_start(&b, want);
    if (f->count != want->count || f->buckets != want->buckets)
        return damaged(f, "the index does not fit its segment", d);
    uint64_t off = HEAD;
    uint32_t crc = 0;
    for (size_t n; (n = body_next(&b)) > 0; off += n) {
        int rc = io_read_all(&f->file, there, n, off, d);
        if (rc != 0)
            return rc;
        crc = crc32c(crc, slice_of(there, n));
        if (memcmp(there, b.bytes, n) != 0)
            return damaged(f, "the index does not fit its segment", d);
    }
    if (crc != f->body_crc)
        return damaged(f, "the checksum of the index is wrong", d);
    return 0;
}

static uint32_t count_of(const struct index_look *l)
{
    return l->memory != NULL ? l->memory->count : l->file->count;
}

/* One or two entries in a row. */
static int read_entries(const struct index_look *l, uint32_t rel, struct index_entry *out,
                        uint32_t n, struct diag *d)
{
    if (l->memory != NULL) {
        memcpy(out, &l->memory->entries[rel], n * sizeof *out);
        return 0;
    }
    uint8_t raw[2 * ENTRY];
    int rc = io_read_all(&l->file->file, raw, n * ENTRY, HEAD + (uint64_t)rel * ENTRY, d);
    for (uint32_t i = 0; i < n && rc == 0; i++)
        out[i] = (struct index_entry){.hash = get_u64(raw + i * ENTRY),
                                      .next = get_u32(raw + i * ENTRY + 8),
                                      .offset = get_u32(raw + i * ENTRY + 12)};
    return rc;
}

int index_place(const struct index_look *l, uint32_t rel, uint64_t bytes, uint64_t *off,
                uint64_t *end, struct diag *d)
{
    struct index_entry e[2];
    uint32_t count = count_of(l);
    if (rel >= count)
        return damaged(l->file, "the index has too few records", d);
    int rc = read_entries(l, rel, e, rel + 1 < count ? 2 : 1, d);
    if (rc != 0)
        return rc;
    *off = e[0].offset;
    *end = rel + 1 < count ? e[1].offset : bytes;
    return 0;
}

static int head_of(const struct index_look *l, uint64_t hash, uint32_t *head, struct diag *d)
{
    uint32_t buckets = l->memory != NULL ? l->memory->buckets : l->file->buckets;
    *head = 0;
    if (buckets == 0)
        return 0;
    uint32_t bucket = hash & (buckets - 1);
    if (l->memory != NULL) {
        *head = l->memory->heads[bucket];
        return 0;
    }
    uint8_t raw[4];
    uint64_t heads = HEAD + (uint64_t)l->file->count * ENTRY;
    int rc = io_read_all(&l->file->file, raw, sizeof raw, heads + (uint64_t)bucket * 4, d);
    if (rc == 0)
        *head = get_u32(raw);
    return rc;
}

int index_find(const struct index_look *l, uint64_t hash, uint64_t first, uint64_t *out, size_t max,
               size_t *n, struct diag *d)
{
    uint32_t at, count = count_of(l);
    int rc = head_of(l, hash, &at, d);
    for (uint32_t before = count + 1; rc == 0 && at != 0 && *n < max;) {
        struct index_entry e;
        if (at >= before) /* also keeps a damaged chain from going round */
            return damaged(l->file, "a chain of the index is damaged", d);
        rc = read_entries(l, at - 1, &e, 1, d);
        if (rc == 0 && e.hash == hash)
            out[(*n)++] = first + at - 1;
        before = at;
        at = e.next;
    }
    return rc;
}
