/*
 * A transparency log to read: files below a URL or in a folder, the same paths in both (C2SP
 * tlog-tiles). For tools; every read waits.
 */
#ifndef SILD_NET_TILE_SOURCE_H
#define SILD_NET_TILE_SOURCE_H

#include "base/diag.h"
#include "tlog/tile.h"

#define TILE_SOURCE_WHERE 2000 /* characters of URL or path */

struct tile_source {
    char where[TILE_SOURCE_WHERE]; /* without a slash at the end */
    bool is_url;
    int64_t timeout_ms; /* of one request */
    struct diag *diag;  /* for tile_source_fetch: what went wrong; may be NULL */
};

/* where: "http://…", "https://…", or a folder. ERR_TOO_LARGE. */
int tile_source_init(struct tile_source *s, const char *where, int64_t timeout_ms,
                     struct diag *d) MUST_USE;
/* Appends the file at path ("checkpoint", "rounds/x001/234"), at most max bytes. ERR_NOT_FOUND,
 * ERR_TOO_LARGE, ERR_HTTP (another status), ERR_NETWORK, ERR_IO. */
int tile_source_get(const struct tile_source *s, const char *path, size_t max, struct buf *out,
                    struct diag *d) MUST_USE;
/* A tile_fetch, ctx is the source: where a partial tile or bundle is gone, its full one stands in.
 * ERR_CORRUPT for one of the wrong length. */
int tile_source_fetch(void *ctx, const struct tile_id *id, struct buf *out) MUST_USE;

#endif
