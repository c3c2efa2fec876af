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

/* Writer: appends entries to a buffer, then the central directory. time_ms: the entries' time
 * (UTC). */
struct zip_writer;
struct zip_writer *zip_writer_new(struct buf *out, int64_t time_ms);
void zip_writer_free(struct zip_writer *w);
int zip_add(struct zip_writer *w, const char *name, struct slice data, bool deflate) MUST_USE;
int zip_finish(struct zip_writer *w, const char *comment) MUST_USE;

#endif
