#include "net/tile_source.h"
#include "base/err.h"
#include "net/http_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int tile_source_init(struct tile_source *s, const char *where, int64_t timeout_ms, struct diag *d)
{
    size_t n = strlen(where);
    while (n > 1 && where[n - 1] == '/')
        n--;
    *s = (struct tile_source){.is_url = slice_starts(slice_str(where), "http://") ||
                                        slice_starts(slice_str(where), "https://"),
                              .timeout_ms = timeout_ms};
    if (n == 0 || n >= sizeof s->where)
        return diag_set(d, ERR_TOO_LARGE, "that is no URL and no folder's path");
    memcpy(s->where, where, n);
    return 0;
}

static int get_url(const struct tile_source *s, const char *path, size_t max, struct buf *out,
                   struct diag *d)
{
    char url[TILE_SOURCE_WHERE + 128];
    struct http_result r;
    snprintf(url, sizeof url, "%s/%s", s->where, path);
    int rc = http_fetch(url, "GET", SLICE_NONE, SLICE_NONE, max, s->timeout_ms, &r, d);
    if (rc != 0)
        return rc;
    if (r.status == 404 || r.status == 410)
        rc = diag_set(d, ERR_NOT_FOUND, "it is not there (%d)", r.status);
    else if (r.status != 200)
        rc = diag_set(d, ERR_HTTP, "status %d", r.status);
    else
        buf_slice(out, buf_view(&r.body));
    http_result_free(&r);
    return rc;
}

static int read_all(int fd, size_t max, struct buf *out, struct diag *d)
{
    const size_t before = out->n;
    for (;;) {
        uint8_t piece[16384];
        ssize_t n = read(fd, piece, sizeof piece);
        if (n == 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return diag_set(d, err_from_errno(errno), "%s", strerror(errno));
        if ((size_t)n > max - (out->n - before))
            return diag_set(d, ERR_TOO_LARGE, "it is larger than the %zu bytes allowed", max);
        buf_add(out, piece, (size_t)n);
    }
}

static int get_file(const struct tile_source *s, const char *path, size_t max, struct buf *out,
                    struct diag *d)
{
    char file[TILE_SOURCE_WHERE + 128];
    snprintf(file, sizeof file, "%s/%s", s->where, path);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return diag_set(d, err_from_errno(errno), "%s", strerror(errno));
    int rc = read_all(fd, max, out, d);
    close(fd);
    return rc;
}

int tile_source_get(const struct tile_source *s, const char *path, size_t max, struct buf *out,
                    struct diag *d)
{
    int rc = s->is_url ? get_url(s, path, max, out, d) : get_file(s, path, max, out, d);
    if (rc == 0 && out->failed)
        rc = diag_set(d, ERR_TOO_LARGE, "it is larger than there is room for");
    if (rc != 0)
        diag_where(d, "%s/%s", s->where, path);
    return rc;
}

static int get_tile(const struct tile_source *s, const struct tile_id *id, struct buf *out)
{
    char path[TILE_PATH_MAX];
    tile_path(id, path);
    return tile_source_get(s, path, id->entries ? TILE_BUNDLE_MAX : TILE_BYTES, out, s->diag);
}

/* Bytes of the first `width` of a tile's hashes or a bundle's entries; SIZE_MAX: there are fewer.
 */
static size_t length_of(const struct tile_id *id, struct slice bytes)
{
    struct slice rest = bytes, entry;
    bool bad = false;
    if (!id->entries)
        return bytes.n >= id->width * MERKLE_HASH ? id->width * MERKLE_HASH : SIZE_MAX;
    for (unsigned i = 0; i < id->width; i++)
        if (!tile_bundle_next(&rest, &entry, &bad))
            return SIZE_MAX;
    return bytes.n - rest.n;
}

int tile_source_fetch(void *ctx, const struct tile_id *id, struct buf *out)
{
    const struct tile_source *s = ctx;
    const size_t before = out->n;
    struct tile_id full = *id;
    full.width = TILE_WIDTH;
    int rc = get_tile(s, id, out);
    bool stands_in = rc == ERR_NOT_FOUND && id->width < TILE_WIDTH;
    if (stands_in) {
        out->n = before;
        rc = get_tile(s, &full, out);
    }
    if (rc != 0)
        return rc;
    struct slice got = slice_of(out->p + before, out->n - before);
    size_t n = length_of(id, got);
    if (n == SIZE_MAX || (n != got.n && !stands_in)) {
        char path[TILE_PATH_MAX];
        tile_path(id, path);
        diag_set(s->diag, ERR_CORRUPT, "%zu bytes are not %u of its %s", got.n, id->width,
                 id->entries ? "entries" : "hashes");
        return diag_where(s->diag, "%s/%s", s->where, path), ERR_CORRUPT;
    }
    out->n = before + n;
    return 0;
}
