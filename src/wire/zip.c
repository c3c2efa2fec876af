/*
 * One reading or none: a reader that goes from entry to entry and one that goes by the central
 * directory must find the same files. So the entries fill the file from its first byte to the
 * directory without gap or overlap, in the directory's order, and each is described twice alike.
 */
#include "wire/zip.h"

#include "base/cursor.h"
#include "base/err.h"

#include <string.h>
#include <zlib.h>

#define LOCAL_MAGIC 0x04034b50u
#define CENTRAL_MAGIC 0x02014b50u
#define END_MAGIC 0x06054b50u
#define DESCRIPTOR_MAGIC 0x08074b50u
#define END_SIZE 22

#define FLAG_DESCRIPTOR 0x0008u /* sizes and CRC follow the data */
#define FLAG_UTF8 0x0800u
#define FLAGS_KNOWN (FLAG_DESCRIPTOR | FLAG_UTF8 | 0x0006u /* level of compression */)

#define METHOD_STORED 0
#define METHOD_DEFLATED 8
#define DEFLATE_RATIO_MAX 1032 /* deflate cannot do more */

#define EXTRA_ZIP64 0x0001
#define EXTRA_UNICODE_PATH 0x7075 /* another name */
#define EXTRA_AES 0x9901

/* What local header and central directory both say of an entry. */
struct facts {
    uint16_t flags, method;
    uint32_t crc, packed, size;
    struct slice name;
};

struct end {
    size_t at; /* where the record begins */
    uint16_t count;
    uint32_t directory, directory_size;
};

static int refuse(struct diag *d, const char *rule, const char *text)
{
    diag_set(d, ERR_ASIC_INVALID_CONTAINER, "%s", text);
    diag_rule(d, rule);
    return ERR_ASIC_INVALID_CONTAINER;
}

bool zip_is_name(struct slice name)
{
    struct slice rest = name, part;
    if (name.n == 0 || !slice_is_utf8(name))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < 0x20 || name.p[i] == 0x7F || name.p[i] == '\\')
            return false;
    while (slice_next(&rest, '/', &part))
        if (part.n == 0 || slice_eq_str(part, ".") || slice_eq_str(part, ".."))
            return false;
    return true;
}

/* The end record is where its comment reaches exactly to the end of the file; only one may be. */
static int find_end(struct slice file, struct end *out, struct diag *d)
{
    size_t found = 0, lowest = file.n > END_SIZE + UINT16_MAX ? file.n - END_SIZE - UINT16_MAX : 0;
    for (size_t at = file.n < END_SIZE ? 0 : file.n - END_SIZE + 1; at-- > lowest;) {
        if (file.p[at] == 'P' && get_u32(file.p + at) == END_MAGIC &&
            get_u16(file.p + at + 20) == file.n - at - END_SIZE) {
            out->at = at;
            found++;
        }
    }
    if (found == 0 && !(file.n >= 4 && get_u32(file.p) == LOCAL_MAGIC))
        return diag_set(d, ERR_SYNTAX, "this is no zip container");
    if (found != 1)
        return refuse(d, "APPNOTE 4.3.16", "not exactly one end record that reaches to the end");
    struct rd r = rd_of(slice_sub(file, out->at + 4, END_SIZE - 4));
    uint16_t disk = rd_u16(&r), first_disk = rd_u16(&r), here = rd_u16(&r);
    out->count = rd_u16(&r);
    out->directory_size = rd_u32(&r);
    out->directory = rd_u32(&r);
    if (disk != 0 || first_disk != 0 || here != out->count)
        return refuse(d, "APPNOTE 4.4.19", "the container is split over several files");
    if (out->count > ZIP_ENTRIES_MAX)
        return refuse(d, "", "the container has too many entries");
    if ((uint64_t)out->directory + out->directory_size != out->at)
        return refuse(d, "APPNOTE 4.3.6", "the directory does not end where the end record begins");
    return 0;
}

static int check_extra(struct slice extra, struct diag *d)
{
    struct rd r = rd_of(extra);
    while (rd_left(&r) > 0) {
        uint16_t id = rd_u16(&r), n = rd_u16(&r);
        rd_bytes(&r, n);
        if (r.bad)
            return refuse(d, "APPNOTE 4.5", "malformed extra fields");
        if (id == EXTRA_ZIP64 || id == EXTRA_UNICODE_PATH || id == EXTRA_AES)
            return refuse(d, "APPNOTE 4.5", "extra fields that change size, name or encoding");
    }
    return 0;
}

/* The fields that both headers have in the same order, from the flags on. */
static void read_facts(struct rd *r, struct facts *f, uint16_t *name_n, uint16_t *extra_n)
{
    f->flags = rd_u16(r);
    f->method = rd_u16(r);
    rd_u32(r); /* time and date */
    f->crc = rd_u32(r);
    f->packed = rd_u32(r);
    f->size = rd_u32(r);
    *name_n = rd_u16(r);
    *extra_n = rd_u16(r);
}

static int read_central(struct rd *r, struct facts *f, uint32_t *local_at, struct diag *d)
{
    uint16_t name_n, extra_n;
    uint32_t magic = rd_u32(r);
    rd_u32(r); /* versions */
    read_facts(r, f, &name_n, &extra_n);
    uint16_t comment_n = rd_u16(r), disk = rd_u16(r);
    rd_u16(r); /* internal attributes */
    rd_u32(r); /* external attributes */
    *local_at = rd_u32(r);
    f->name = rd_bytes(r, name_n);
    struct slice extra = rd_bytes(r, extra_n);
    rd_bytes(r, comment_n);
    if (r->bad || magic != CENTRAL_MAGIC || disk != 0)
        return refuse(d, "APPNOTE 4.3.12", "malformed directory");
    return check_extra(extra, d);
}

static int check_facts(const struct facts *f, bool is_folder, struct diag *d)
{
    struct slice name = is_folder ? slice_sub(f->name, 0, f->name.n - 1) : f->name;
    if (!zip_is_name(name))
        return refuse(d, "APPNOTE 4.4.17", "the name of an entry is not plain");
    bool ascii = true;
    for (size_t i = 0; i < name.n; i++)
        ascii = ascii && name.p[i] < 0x80;
    if (!ascii && (f->flags & FLAG_UTF8) == 0)
        return refuse(d, "APPNOTE 4.4.4", "a name that is neither ASCII nor marked as UTF-8");
    if ((f->flags & ~FLAGS_KNOWN) != 0)
        return refuse(d, "APPNOTE 4.4.4", "an entry is encrypted or of an unknown kind");
    if (f->method != METHOD_STORED && f->method != METHOD_DEFLATED)
        return refuse(d, "APPNOTE 4.4.5", "an entry is neither stored nor deflated");
    if (f->method == METHOD_STORED && (f->flags & FLAG_DESCRIPTOR) != 0)
        return refuse(d, "APPNOTE 4.4.4", "a stored entry has its sizes behind it");
    if (f->method == METHOD_STORED && f->packed != f->size)
        return refuse(d, "APPNOTE 4.4.8", "a stored entry has two sizes");
    if (f->size > ZIP_SIZE_MAX || f->size > (uint64_t)f->packed * DEFLATE_RATIO_MAX)
        return refuse(d, "APPNOTE 4.4.9", "an entry is too large, or larger than it can be");
    bool nothing = f->size == 0 && f->packed <= (f->method == METHOD_DEFLATED ? 2 : 0);
    if (is_folder && !nothing)
        return refuse(d, "APPNOTE 4.3.8", "a folder has content");
    return 0;
}

static bool same_numbers(const struct facts *a, const struct facts *b)
{
    return a->crc == b->crc && a->packed == b->packed && a->size == b->size;
}

/* Reads what follows the data when the sizes do: with or without its magic. */
static int read_descriptor(struct rd *r, const struct facts *want, struct diag *d)
{
    struct facts f = {0};
    f.crc = rd_u32(r);
    f.packed = rd_u32(r);
    f.size = rd_u32(r);
    if (!r->bad && same_numbers(&f, want))
        return 0;
    bool magic = f.crc == DESCRIPTOR_MAGIC;
    f = (struct facts){.crc = f.packed, .packed = f.size, .size = rd_u32(r)};
    if (r->bad || !magic || !same_numbers(&f, want))
        return refuse(d, "APPNOTE 4.3.9", "the sizes behind an entry differ from the directory");
    return 0;
}

/* Reads the entry at the cursor, which must be what the directory says. */
static int read_local(struct rd *r, const struct facts *want, struct slice *packed, struct diag *d)
{
    struct facts f;
    uint16_t name_n, extra_n;
    uint32_t magic = rd_u32(r);
    rd_u16(r); /* version */
    read_facts(r, &f, &name_n, &extra_n);
    f.name = rd_bytes(r, name_n);
    struct slice extra = rd_bytes(r, extra_n);
    *packed = rd_bytes(r, want->packed);
    if (r->bad || magic != LOCAL_MAGIC)
        return refuse(d, "APPNOTE 4.3.7", "an entry is not where the directory says");
    if (f.flags != want->flags || f.method != want->method || !slice_eq(f.name, want->name))
        return refuse(d, "APPNOTE 4.3.7", "the header of an entry differs from the directory");
    bool later = (f.flags & FLAG_DESCRIPTOR) != 0;
    bool empty = f.crc == 0 && f.packed == 0 && f.size == 0;
    if (!same_numbers(&f, want) && !(later && empty))
        return refuse(d, "APPNOTE 4.3.7", "the sizes of an entry differ from the directory");
    int err = check_extra(extra, d);
    if (err != 0 || !later)
        return err;
    return read_descriptor(r, want, d);
}

static bool has_name(const struct zip_file *z, struct slice name)
{
    for (size_t i = 0; i < z->n; i++)
        if (slice_eq(z->e[i].name, name))
            return true;
    return false;
}

/* One entry, by the directory and in its place. */
static int read_entry(struct rd *directory, struct rd *body, struct zip_file *out, uint64_t *total,
                      struct diag *d)
{
    struct facts f = {.name = SLICE_NONE};
    struct slice packed;
    uint32_t local_at;
    int err = read_central(directory, &f, &local_at, d);
    if (err != 0)
        return err;
    bool is_folder = f.name.n > 0 && f.name.p[f.name.n - 1] == '/';
    err = check_facts(&f, is_folder, d);
    if (err == 0 && local_at != body->at)
        err = refuse(d, "APPNOTE 4.3.6", "bytes between the entries, or entries in another order");
    if (err == 0)
        err = read_local(body, &f, &packed, d);
    if (err == 0 && has_name(out, f.name))
        err = refuse(d, "APPNOTE 4.4.17", "two entries have the same name");
    *total += f.size;
    if (err == 0 && *total > ZIP_TOTAL_MAX)
        err = refuse(d, "", "the entries are too large together");
    if (err != 0) {
        diag_where(d, "entry %.*s", SLICE_ARG(f.name));
        return err;
    }
    if (!is_folder)
        out->e[out->n++] = (struct zip_entry){.name = f.name,
                                              .size = f.size,
                                              .crc = f.crc,
                                              .deflated = f.method == METHOD_DEFLATED,
                                              .packed = packed};
    return 0;
}

int zip_parse(struct slice file, struct zip_file *out, struct diag *d)
{
    struct end end = {0};
    out->n = 0;
    int err = find_end(file, &end, d);
    if (err != 0)
        return err;
    struct rd body = rd_of(slice_sub(file, 0, end.directory));
    struct rd directory = rd_of(slice_sub(file, end.directory, end.directory_size));
    uint64_t total = 0;
    for (size_t i = 0; i < end.count && err == 0; i++)
        err = read_entry(&directory, &body, out, &total, d);
    if (err == 0 && !(rd_done(&directory) && rd_done(&body)))
        err = refuse(d, "APPNOTE 4.3.6", "bytes that belong to no entry");
    if (err != 0)
        out->n = 0;
    return err;
}

const struct zip_entry *zip_find(const struct zip_file *z, const char *name)
{
    for (size_t i = 0; i < z->n; i++)
        if (slice_eq_str(z->e[i].name, name))
            return &z->e[i];
    return NULL;
}

/* What came out so far. */
struct check {
    const struct zip_entry *e;
    uint64_t size;
    uLong crc;
};

static int pass_on(struct check *c, struct slice piece, zip_sink sink, void *ctx)
{
    if (piece.n > c->e->size - c->size)
        return ERR_ASIC_INVALID_CONTAINER;
    c->size += piece.n;
    c->crc = crc32_z(c->crc, piece.p, piece.n);
    return piece.n == 0 ? 0 : sink(ctx, piece);
}

/* Runs the data through zlib; they must end exactly where the entry does. */
static int inflate_to(struct check *c, z_stream *z, zip_sink sink, void *ctx)
{
    uint8_t out[16384];
    int status = Z_OK;
    while (status == Z_OK) {
        z->next_out = out;
        z->avail_out = sizeof out;
        status = inflate(z, Z_NO_FLUSH);
        int err = pass_on(c, slice_of(out, sizeof out - z->avail_out), sink, ctx);
        if (err != 0)
            return err;
    }
    if (status == Z_MEM_ERROR)
        return ERR_NOMEM;
    return status == Z_STREAM_END && z->avail_in == 0 ? 0 : ERR_ASIC_INVALID_CONTAINER;
}

static int unpack(struct check *c, zip_sink sink, void *ctx)
{
    const struct zip_entry *e = c->e;
    if (!e->deflated)
        return pass_on(c, e->packed, sink, ctx);
    z_stream z = {.next_in = (z_const Bytef *)e->packed.p, .avail_in = (uInt)e->packed.n};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return ERR_NOMEM;
    int err = inflate_to(c, &z, sink, ctx);
    inflateEnd(&z);
    return err;
}

int zip_stream(const struct zip_entry *e, zip_sink sink, void *ctx, struct diag *d)
{
    struct check c = {.e = e, .crc = crc32_z(0, NULL, 0)};
    int err = unpack(&c, sink, ctx);
    if (err == 0 && (c.size != e->size || c.crc != e->crc))
        err = ERR_ASIC_INVALID_CONTAINER;
    if (err == 0)
        return 0;
    if (err == ERR_ASIC_INVALID_CONTAINER)
        refuse(d, "APPNOTE 4.4.7", "the data do not fit their size or CRC");
    else
        diag_set(d, err, "%s", err_text(err));
    diag_where(d, "entry %.*s", SLICE_ARG(e->name));
    return err;
}

static int to_memory(void *ctx, struct slice piece)
{
    struct slice *out = ctx;
    memcpy((uint8_t *)out->p + out->n, piece.p, piece.n);
    out->n += piece.n;
    return 0;
}

int zip_read(struct arena *a, const struct zip_entry *e, struct slice *out, struct diag *d)
{
    uint8_t *p = arena_alloc(a, (size_t)e->size);
    *out = slice_of(p, 0);
    if (p == NULL) {
        diag_set(d, ERR_TOO_LARGE, "the data take more memory than allowed");
        diag_where(d, "entry %.*s", SLICE_ARG(e->name));
        return ERR_TOO_LARGE;
    }
    return zip_stream(e, to_memory, out, d);
}
