/*
 * Layout (APPNOTE 6.3, little-endian). Each entry:
 *   u32 0x04034b50, u16 version 20, u16 flags (0x0800 for a name beyond ASCII), u16 method (0 or
 * 8), u16 time, u16 date, u32 CRC-32, u32 packed size, u32 size, u16 name's length, u16 0, name,
 * data. Then for each entry its line of the directory: u32 0x02014b50, u16 20, and the same from
 * version to size; u16 name's length, u16 0 (extra), u16 0 (comment), u16 0 (disk), u16 0, u32 0
 * (attributes), u32 the entry's offset, name. Last the end record: u32 0x06054b50, u16 0, u16 0,
 * u16 count, u16 count, u32 directory's size, u32 its offset, u16 comment's length, comment.
 */
#include "wire/zip.h"

#include "base/cursor.h"
#include "base/err.h"
#include "base/timeval.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define VERSION 20
#define CENTRAL_NAME 46 /* offset of the name in a line of the directory */
#define DIRECTORY_MAX (ZIP_ENTRIES_MAX * (CENTRAL_NAME + (size_t)UINT16_MAX))

struct zip_writer {
    struct buf *out;
    size_t base; /* where the container begins in out */
    struct buf directory;
    size_t n;
    uint16_t time, date;
};

struct facts {
    uint16_t flags, method;
    uint32_t crc, packed, size;
    struct slice name;
};

static void set_time(struct zip_writer *w, int64_t time_ms)
{
    struct timeval_parts t = timeval_split(time_ms);
    if (t.year < 1980)
        t = (struct timeval_parts){.year = 1980, .month = 1, .day = 1};
    if (t.year > 2107)
        t = (struct timeval_parts){.year = 2107, .month = 12, .day = 31};
    w->time = (uint16_t)(t.hour << 11 | t.minute << 5 | t.second / 2);
    w->date = (uint16_t)((t.year - 1980) << 9 | t.month << 5 | t.day);
}

struct zip_writer *zip_writer_new(struct buf *out, int64_t time_ms)
{
    struct zip_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->out = out;
    w->base = out->n;
    buf_init(&w->directory, DIRECTORY_MAX);
    set_time(w, time_ms);
    return w;
}

void zip_writer_free(struct zip_writer *w)
{
    if (w == NULL)
        return;
    buf_free(&w->directory);
    free(w);
}

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 0x80)
            return false;
    return true;
}

static bool has_name(const struct zip_writer *w, struct slice name)
{
    struct slice rest = buf_view(&w->directory);
    while (rest.n >= CENTRAL_NAME) {
        size_t n = get_u16(rest.p + 28);
        if (slice_eq(slice_sub(rest, CENTRAL_NAME, n), name))
            return true;
        rest = slice_from(rest, CENTRAL_NAME + n);
    }
    return false;
}

static void put_facts(const struct zip_writer *w, const struct facts *f, struct buf *to)
{
    wr_u16(to, VERSION);
    wr_u16(to, f->flags);
    wr_u16(to, f->method);
    wr_u16(to, w->time);
    wr_u16(to, w->date);
    wr_u32(to, f->crc);
    wr_u32(to, f->packed);
    wr_u32(to, f->size);
    wr_u16(to, (uint16_t)f->name.n);
    wr_u16(to, 0);
}

static void put_local(const struct zip_writer *w, const struct facts *f)
{
    wr_u32(w->out, 0x04034b50u);
    put_facts(w, f, w->out);
    buf_slice(w->out, f->name);
}

static void put_central(struct zip_writer *w, const struct facts *f, uint32_t offset)
{
    struct buf *to = &w->directory;
    wr_u32(to, 0x02014b50u);
    wr_u16(to, VERSION);
    put_facts(w, f, to);
    wr_u16(to, 0);
    wr_u16(to, 0);
    wr_u16(to, 0);
    wr_u32(to, 0);
    wr_u32(to, offset);
    buf_slice(to, f->name);
}

static int deflate_to(struct buf *out, struct slice data)
{
    uint8_t piece[16384];
    z_stream z = {.next_in = (z_const Bytef *)data.p, .avail_in = (uInt)data.n};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return ERR_NOMEM;
    int status = Z_OK;
    while (status == Z_OK && !out->failed) {
        z.next_out = piece;
        z.avail_out = sizeof piece;
        status = deflate(&z, Z_FINISH);
        buf_add(out, piece, sizeof piece - z.avail_out);
    }
    deflateEnd(&z);
    return 0;
}

/* The header is written with the sizes not yet known, and once more over itself. */
static int put_entry(struct zip_writer *w, struct facts *f, struct slice data)
{
    struct buf *out = w->out;
    size_t start = out->n;
    int err = 0;
    put_local(w, f);
    size_t from = out->n;
    if (f->method == 0)
        buf_slice(out, data);
    else
        err = deflate_to(out, data);
    if (err != 0 || out->failed)
        return err != 0 ? err : ERR_TOO_LARGE;
    if (out->n - w->base > UINT32_MAX)
        return ERR_TOO_LARGE;
    f->packed = (uint32_t)(out->n - from);
    put_u32(out->p + start + 18, f->packed);
    put_central(w, f, (uint32_t)(start - w->base));
    return w->directory.failed ? ERR_TOO_LARGE : 0;
}

int zip_add(struct zip_writer *w, const char *name, struct slice data, bool deflate)
{
    struct slice n = slice_str(name);
    if (!zip_is_name(n) || n.n > UINT16_MAX || has_name(w, n))
        return ERR_USAGE;
    if (w->n == ZIP_ENTRIES_MAX || data.n > ZIP_SIZE_MAX)
        return ERR_TOO_LARGE;
    struct facts f = {
        .flags = is_ascii(n) ? 0 : 0x0800,
        .method = deflate ? 8 : 0,
        .crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), data.p, data.n),
        .size = (uint32_t)data.n,
        .name = n,
    };
    size_t start = w->out->n;
    int err = put_entry(w, &f, data);
    if (err != 0) {
        w->out->n = start;
        return err;
    }
    w->n++;
    return 0;
}

int zip_finish(struct zip_writer *w, const char *comment)
{
    struct slice text = slice_str(comment);
    size_t offset = w->out->n - w->base;
    if (text.n > UINT16_MAX)
        return ERR_USAGE;
    if (offset + w->directory.n > UINT32_MAX)
        return ERR_TOO_LARGE;
    buf_slice(w->out, buf_view(&w->directory));
    wr_u32(w->out, 0x06054b50u);
    wr_u32(w->out, 0);
    wr_u16(w->out, (uint16_t)w->n);
    wr_u16(w->out, (uint16_t)w->n);
    wr_u32(w->out, (uint32_t)w->directory.n);
    wr_u32(w->out, (uint32_t)offset);
    wr_u16(w->out, (uint16_t)text.n);
    buf_slice(w->out, text);
    return w->out->failed ? ERR_TOO_LARGE : 0;
}
