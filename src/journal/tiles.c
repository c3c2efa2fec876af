/*
 * The files tiles/0 … tiles/7, each nothing but hashes of 32 bytes:
 *
 *   tiles/0  hash i is the leaf hash of record i
 *   tiles/k  hash i is that of the perfect subtree over the hashes 256 i … 256 i + 255 of
 * tiles/k-1, written once these are all known; the file is made with its first hash
 *
 * A hash that was written never changes, and is on disk only for records that had been synced
 * before. So, after a cut of the power, what stands in its place is the hash, or the beginning of
 * it followed by zeros or the end of the file. Anything else is damage.
 */
#include "journal/tiles.h"
#include "base/err.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BITS 8 /* of a tile's width */
#define LEAVES_MAX (512u << 20)
#define UPPERS_MAX (8u << 20)

struct upper {
    unsigned level;
    uint64_t index;
    struct merkle_hash hash;
};

static int open_level(struct tiles *t, unsigned level, int flags, struct diag *d)
{
    char name[IO_NAME_MAX];
    snprintf(name, sizeof name, "tiles/%u", level);
    return io_open(t->disk, name, flags, &t->level[level], d);
}

int tiles_open(struct tiles *t, const struct io_disk *k, bool read_only, struct diag *d)
{
    t->disk = k;
    t->size = t->written = 0;
    t->checking = false;
    t->new_names = !read_only; /* perhaps made by a run that ended before it synced the folder */
    buf_init(&t->leaves, LEAVES_MAX);
    buf_init(&t->uppers, UPPERS_MAX);
    for (unsigned i = 0; i < TILES_LEVELS; i++)
        t->level[i] = IO_NO_FILE;
    int rc = read_only ? 0 : io_mkdir(k, "tiles", d);
    if (rc == 0)
        rc = open_level(t, 0, read_only ? O_RDONLY : O_RDWR | O_CREAT, d);
    for (unsigned i = 1; i < TILES_LEVELS && rc == 0; i++) {
        struct diag why;
        rc = open_level(t, i, read_only ? O_RDONLY : O_RDWR, &why);
        if (rc == ERR_NOT_FOUND) { /* and none above it */
            rc = 0;
            break;
        }
        if (rc != 0 && d != NULL)
            *d = why;
    }
    if (rc != 0)
        tiles_close(t);
    return rc;
}

void tiles_close(struct tiles *t)
{
    for (unsigned i = 0; i < TILES_LEVELS; i++)
        io_close(&t->level[i]);
    buf_free(&t->leaves);
    buf_free(&t->uppers);
}

int tiles_stored(const struct tiles *t, uint64_t *whole, uint64_t *begun, struct diag *d)
{
    uint64_t bytes;
    int rc = io_size(&t->level[0], &bytes, d);
    if (rc != 0)
        return rc;
    *whole = bytes / MERKLE_HASH;
    *begun = *whole + (bytes % MERKLE_HASH != 0);
    return 0;
}

/* n hashes of one level; ERR_CORRUPT when they are not there. A reader opens files that the writer
 * has made since. */
static int read_hashes(const struct tiles *t, unsigned level, uint64_t index,
                       struct merkle_hash *out, size_t n, struct diag *d)
{
    const struct io_file *f = &t->level[level];
    if (f->fd >= 0)
        return io_read_all(f, out, n * MERKLE_HASH, index * MERKLE_HASH, d);
    char name[IO_NAME_MAX];
    struct io_file now;
    snprintf(name, sizeof name, "tiles/%u", level);
    int rc = io_open(t->disk, name, O_RDONLY, &now, d);
    if (rc != 0)
        return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
    rc = io_read_all(&now, out, n * MERKLE_HASH, index * MERKLE_HASH, d);
    io_close(&now);
    return rc;
}

int tiles_start(struct tiles *t, uint64_t size, struct diag *d)
{
    buf_reset(&t->leaves);
    buf_reset(&t->uppers);
    t->size = t->written = size;
    for (unsigned i = 0; i < TILES_LEVELS; i++) {
        uint64_t n = size >> (BITS * i);
        size_t part = n % TILES_WIDTH;
        int rc = part == 0 ? 0 : read_hashes(t, i, n - part, t->part[i], part, d);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* The root of the perfect subtree over n hashes, a power of two; uses them up. */
static struct merkle_hash fold(struct merkle_hash *h, size_t n)
{
    for (; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++)
            merkle_node(&h[2 * i], &h[2 * i + 1], &h[i]);
    return h[0];
}

int tiles_add(struct tiles *t, const struct merkle_hash *leaf, struct diag *d)
{
    struct upper u = {.level = 0, .index = t->size, .hash = *leaf};
    /* Room first, so that a failure changes nothing. */
    if (buf_room(&t->leaves, MERKLE_HASH) == NULL ||
        buf_room(&t->uppers, TILES_LEVELS * sizeof u) == NULL) {
        t->leaves.failed = t->uppers.failed = false;
        return diag_set(d, ERR_NOMEM, "no memory for the tree's hashes");
    }
    buf_add(&t->leaves, leaf, MERKLE_HASH);
    t->size++;
    for (;;) {
        size_t at = u.index % TILES_WIDTH;
        t->part[u.level][at] = u.hash;
        if (at != TILES_WIDTH - 1 || u.level == TILES_LEVELS - 1)
            return 0;
        u.hash = fold(t->part[u.level], TILES_WIDTH);
        u.level++;
        u.index /= TILES_WIDTH;
        buf_add(&t->uppers, &u, sizeof u);
    }
}

/* Whether a hash on disk may be the beginning of `want`, cut off by a power failure. */
static bool is_torn(const uint8_t *there, size_t n, const uint8_t *want)
{
    size_t same = 0;
    while (same < n && there[same] == want[same])
        same++;
    for (size_t i = same; i < n; i++)
        if (there[i] != 0)
            return false;
    return true;
}

/* Compares with what is on disk already. */
static int check_stored(const struct io_file *f, uint64_t index, const uint8_t *want, size_t n,
                        struct diag *d)
{
    uint8_t there[TILES_WIDTH * MERKLE_HASH];
    for (size_t at = 0; at < n;) {
        size_t part = n - at < sizeof there ? n - at : sizeof there, got;
        int rc = io_read(f, there, part, index * MERKLE_HASH + at, &got, d);
        if (rc != 0)
            return rc;
        for (size_t i = 0; i < got; i += MERKLE_HASH) {
            size_t len = got - i < MERKLE_HASH ? got - i : MERKLE_HASH;
            if (is_torn(there + i, len, want + at + i))
                continue;
            diag_set(d, ERR_CORRUPT,
                     "hash %" PRIu64 " is not that of the records: it, a record or a salt was "
                     "changed",
                     index + (at + i) / MERKLE_HASH);
            diag_where(d, "%s/%s", f->disk->dir, f->name);
            return ERR_CORRUPT;
        }
        if (got < part)
            break;
        at += part;
    }
    return 0;
}

static int write_hashes(struct tiles *t, unsigned level, uint64_t index, struct slice hashes,
                        struct diag *d)
{
    struct io_file *f = &t->level[level];
    int rc = 0;
    if (f->fd < 0) {
        rc = open_level(t, level, O_RDWR | O_CREAT, d);
        t->new_names = true;
    }
    if (rc == 0 && t->checking)
        rc = check_stored(f, index, hashes.p, hashes.n, d);
    if (rc == 0)
        rc = io_write(f, hashes.p, hashes.n, index * MERKLE_HASH, d);
    return rc;
}

int tiles_mend(struct tiles *t, uint64_t size, struct diag *d)
{
    for (unsigned i = 1; i < TILES_LEVELS; i++) {
        uint64_t bytes = 0, want = size >> (BITS * i);
        int rc = t->level[i].fd >= 0 ? io_size(&t->level[i], &bytes, d) : 0;
        for (uint64_t at = bytes / MERKLE_HASH; rc == 0 && at < want; at++) {
            struct merkle_hash tile[TILES_WIDTH], hash;
            rc = read_hashes(t, i - 1, at * TILES_WIDTH, tile, TILES_WIDTH, d);
            if (rc != 0)
                break;
            hash = fold(tile, TILES_WIDTH);
            rc = write_hashes(t, i, at, slice_of(hash.b, MERKLE_HASH), d);
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

int tiles_flush(struct tiles *t, struct diag *d)
{
    for (size_t at = 0; at < t->uppers.n; at += sizeof(struct upper)) {
        struct upper u;
        memcpy(&u, t->uppers.p + at, sizeof u);
        int rc = write_hashes(t, u.level, u.index, slice_of(u.hash.b, MERKLE_HASH), d);
        if (rc != 0)
            return rc;
    }
    if (t->leaves.n > 0) {
        int rc = write_hashes(t, 0, t->written, buf_view(&t->leaves), d);
        if (rc != 0)
            return rc;
    }
    t->written = t->size;
    buf_reset(&t->leaves);
    buf_reset(&t->uppers);
    return 0;
}

int tiles_sync(struct tiles *t, struct diag *d)
{
    int rc = 0;
    for (unsigned i = 0; i < TILES_LEVELS && rc == 0; i++)
        if (t->level[i].fd >= 0)
            rc = io_sync(&t->level[i], d);
    if (rc == 0 && t->new_names) {
        rc = io_sync_dir(t->disk, "tiles", d);
        t->new_names = rc != 0;
    }
    return rc;
}

int tiles_leaves(const struct tiles *t, uint64_t index, struct merkle_hash *out, size_t n,
                 size_t *got, struct diag *d)
{
    size_t bytes;
    int rc = io_read(&t->level[0], out, n * MERKLE_HASH, index * MERKLE_HASH, &bytes, d);
    *got = rc == 0 ? bytes / MERKLE_HASH : 0;
    return rc;
}

int tiles_get(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out)
{
    const struct tiles_look *l = ctx;
    struct merkle_hash part[TILES_WIDTH];
    size_t n = (size_t)1 << level % BITS;
    int rc = read_hashes(l->t, level / BITS, index << level % BITS, part, n, l->d);
    if (rc == 0)
        *out = fold(part, n);
    return rc;
}

int tiles_root(const struct tiles *t, uint64_t size, struct merkle_hash *out, struct diag *d)
{
    struct tiles_look l = {t, d};
    return merkle_root_at(tiles_get, &l, size, out);
}

int tiles_verify(const struct tiles *t, uint64_t size, struct diag *d)
{
    for (unsigned i = 0; i + 1 < TILES_LEVELS; i++) {
        uint64_t above = size >> (BITS * (i + 1));
        for (uint64_t at = 0; at < above; at++) {
            struct merkle_hash tile[TILES_WIDTH], hash;
            int rc = read_hashes(t, i, at * TILES_WIDTH, tile, TILES_WIDTH, d);
            if (rc == 0)
                rc = read_hashes(t, i + 1, at, &hash, 1, d);
            if (rc != 0)
                return rc;
            struct merkle_hash want = fold(tile, TILES_WIDTH);
            if (memcmp(&want, &hash, sizeof hash) == 0)
                continue;
            diag_set(d, ERR_CORRUPT,
                     "hash %" PRIu64 " is not that of its tile in %s/tiles/%u: one of them was "
                     "changed",
                     at, t->disk->dir, i);
            diag_where(d, "%s/tiles/%u", t->disk->dir, i + 1);
            return ERR_CORRUPT;
        }
    }
    return 0;
}
