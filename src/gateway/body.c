#include "gateway/body.h"
#include "base/err.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define MEMORY_HARD (4u << 20) /* what may gather while the file is being asked for */
#define GATHER (8u << 10)      /* small pieces that go to the file together */

static size_t held_by_all; /* bytes that the bodies of this process hold in memory */

static void count_memory(struct body *b)
{
    held_by_all += b->mem.n;
    held_by_all -= b->counted;
    b->counted = b->mem.n;
}

static void drop_memory(struct body *b)
{
    buf_free(&b->mem);
    count_memory(b);
}

void body_init(struct body *b, struct ask *ask, void (*on_spool)(void *), void *ctx)
{
    memset(b, 0, sizeof *b);
    b->ask = ask;
    b->fd = -1;
    b->hold = true;
    b->on_spool = on_spool;
    b->ctx = ctx;
    buf_init(&b->mem, MEMORY_HARD);
}

void body_free(struct body *b)
{
    ask_cancel(b->ask, b->asking);
    b->asking = 0;
    digest_ctx_free(b->digester);
    b->digester = NULL;
    drop_memory(b);
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
}

/* Moves what is in memory, and the piece behind it, to the end of the file. */
static int spill(struct body *b, struct slice piece, struct diag *d)
{
    struct slice first = buf_view(&b->mem);
    while (first.n + piece.n > 0) {
        struct iovec iov[2] = {{(void *)(uintptr_t)first.p, first.n},
                               {(void *)(uintptr_t)piece.p, piece.n}};
        ssize_t n = pwritev(b->fd, iov, 2, (off_t)b->spooled);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return diag_set(d, err_from_errno(errno),
                            "a large body cannot be written to its file: %s", strerror(errno));
        size_t of_first = (size_t)n < first.n ? (size_t)n : first.n;
        first = slice_from(first, of_first);
        piece = slice_from(piece, (size_t)n - of_first);
        b->spooled += (uint64_t)n;
    }
    drop_memory(b);
    return 0;
}

static void on_file(void *ctx, int fd, const struct diag *why)
{
    struct body *b = ctx;
    b->asking = 0;
    b->fd = fd;
    if (why != NULL)
        b->failed = *why;
    else if (spill(b, SLICE_NONE, &b->failed) != 0 && b->failed.code == 0)
        b->failed.code = ERR_IO;
    b->on_spool(b->ctx);
}

static void keep(struct body *b, struct slice piece)
{
    buf_slice(&b->mem, piece);
    count_memory(b);
    size_t most = held_by_all > BODY_MEMORY_ALL ? BODY_MEMORY_LEAST : BODY_MEMORY;
    if (b->mem.n > most)
        b->large = true;
}

static int hold(struct body *b, struct slice piece, struct diag *d)
{
    if (b->fd >= 0 && b->mem.n + piece.n > GATHER)
        return spill(b, piece, d);
    keep(b, piece);
    if (b->mem.failed)
        return diag_set(d, ERR_TOO_LARGE, "a body came faster than its file could be opened");
    if (!b->large || b->fd >= 0)
        return 0;
    if (b->asking == 0) {
        b->asking = ask_spool(b->ask, on_file, b, d);
        if (b->asking == 0)
            return d == NULL ? ERR_IO : d->code;
    }
    return ERR_AGAIN;
}

static int count(struct body *b, struct slice piece, struct diag *d)
{
    if (b->failed.code != 0) {
        if (d != NULL)
            *d = b->failed;
        return b->failed.code;
    }
    b->present = true;
    if (piece.n == 0)
        return 0;
    if (b->digester == NULL) {
        b->digester = digest_ctx_new();
        if (b->digester == NULL)
            return diag_set(d, ERR_NOMEM, "no memory for a body's digest");
        digest_begin(b->digester, DIGEST_SHA512);
    }
    digest_add(b->digester, piece);
    b->size += piece.n;
    return 0;
}

int body_add(struct body *b, struct slice piece, struct diag *d)
{
    int rc = count(b, piece, d);
    return rc != 0 || !b->hold || piece.n == 0 ? rc : hold(b, piece, d);
}

int body_take(struct body *b, struct slice piece, struct diag *d)
{
    int rc = count(b, piece, d);
    if (rc != 0 || !b->hold)
        return rc;
    keep(b, piece);
    return b->mem.failed ? diag_set(d, ERR_TOO_LARGE, "a body came faster than it could flow on")
                         : 0;
}

void body_finish(struct body *b)
{
    if (b->digester != NULL)
        digest_end(b->digester, &b->digest);
    else
        digest_of(DIGEST_SHA512, SLICE_NONE, &b->digest);
}

int body_settle(struct body *b, struct diag *d)
{
    return b->fd < 0 ? 0 : spill(b, SLICE_NONE, d);
}

void body_stream(struct body *b)
{
    b->hold = false;
    drop_memory(b);
}

int body_read(struct body *b, uint64_t offset, uint8_t *out, size_t cap, size_t *n, struct diag *d)
{
    *n = 0;
    if (offset < b->spooled) {
        if (cap > b->spooled - offset)
            cap = (size_t)(b->spooled - offset);
        ssize_t got = pread(b->fd, out, cap, (off_t)offset);
        if (got <= 0)
            return diag_set(d, ERR_IO, "a large body cannot be read back: %s", strerror(errno));
        *n = (size_t)got;
        return 0;
    }
    struct slice rest = slice_from(buf_view(&b->mem), (size_t)(offset - b->spooled));
    *n = rest.n < cap ? rest.n : cap;
    if (*n > 0)
        memcpy(out, rest.p, *n);
    return 0;
}
