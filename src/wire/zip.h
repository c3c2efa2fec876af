/*
 * Zip containers with one reading or none (APPNOTE 6.3; asic.md section 1). Reader: no bytes before
 * the first entry, local headers and central directory must agree (names, order, sizes, CRCs,
 * methods), no doubled names, stored or deflated only, no encryption, no zip64, directory entries
 * (name ends in "/", empty) are skipped. A stored entry has its sizes in the local header; a
 * deflated one may have a data descriptor. Limits on count, each size and the sum.
 */
#ifndef SILD_WIRE_ZIP_H
#define SILD_WIRE_ZIP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

#define ZIP_ENTRIES_MAX 256
#define ZIP_SIZE_MAX (UINT64_C(2) << 30)  /* of one entry, uncompressed */
#define ZIP_TOTAL_MAX (UINT64_C(4) << 30) /* of all entries, uncompressed */

struct zip_entry {
    struct slice name; /* UTF-8, borrowed from the file */
    uint64_t size;     /* uncompressed */
    uint32_t crc;
    bool deflated;
    struct slice packed; /* borrowed from the file */
};

struct zip_file {
    struct zip_entry e[ZIP_ENTRIES_MAX];
    size_t n;
};

/*
 * True for a name that means the same file to everybody: not empty, UTF-8, relative, "/" between
 * its parts, none of them empty, "." or "..", no "\", no control character.
 */
bool zip_is_name(struct slice name);

/* ERR_ASIC_INVALID_CONTAINER with the rule; ERR_SYNTAX when it is no zip at all. */
int zip_parse(struct slice file, struct zip_file *out, struct diag *d) MUST_USE;
const struct zip_entry *zip_find(const struct zip_file *z, const char *name);
/* Uncompresses into the arena and checks size and CRC. */
int zip_read(struct arena *a, const struct zip_entry *e, struct slice *out,
             struct diag *d) MUST_USE;
/* The same in pieces, for entries that do not fit memory: sink returns 0 or an error that ends it.
 */
typedef int (*zip_sink)(void *ctx, struct slice piece);
int zip_stream(const struct zip_entry *e, zip_sink sink, void *ctx, struct diag *d) MUST_USE;

/*
 * Writer: appends entries to a buffer, then the central directory. time_ms: the entries' time (UTC,
 * cut to two seconds and to the years 1980 to 2107). Sizes stand in the local headers. ERR_USAGE: a
 * name that is none or doubled, a comment of more than 65535 bytes; ERR_TOO_LARGE: out is full, too
 * many entries, more than zip can count.
 */
struct zip_writer;
struct zip_writer *zip_writer_new(struct buf *out, int64_t time_ms);
void zip_writer_free(struct zip_writer *w);
int zip_add(struct zip_writer *w, const char *name, struct slice data, bool deflate) MUST_USE;
int zip_finish(struct zip_writer *w, const char *comment) MUST_USE;

#endif
