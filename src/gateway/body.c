#include "gateway/body.h"
#include "base/err.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_HARD (4u << 20) /* what may gather while the file is being asked for */
#define GATHER (64u << 10)     /* what is written to a file at once */

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

static int write_file(struct body *b, struct slice bytes, struct diag *d)
{
    while (bytes.n > 0) {
        ssize_t n = pwrite(b->fd, bytes.p, bytes.n, (off_t)b->spooled);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return diag_set(d, n < 0 ? err_from_errno(errno) : ERR_IO,
                            "a large body cannot be written to its file: %s",
                            n < 0 ? strerror(errno) : "nothing was taken");
        bytes = slice_from(bytes, (size_t)n);
        b->spooled += (uint64_t)n;
    }
    return 0;
}

/* --- on the way to the files: one body's bytes at a time --- */

static struct {
    struct body *of; /* NULL: nobody's */
    size_t n;
    uint8_t bytes[GATHER];
} gathered;

/* If it fails, the body they are of has failed. */
static void write_gathered(void)
{
    if (gathered.of != NULL)
        (void)write_file(gathered.of, slice_of(gathered.bytes, gathered.n), &gathered.of->failed);
    gathered.of = NULL;
    gathered.n = 0;
}

static void gather(struct body *b, struct slice piece)
{
    while (piece.n > 0 && b->failed.code == 0) {
        if (gathered.of != b || gathered.n == GATHER)
            write_gathered();
        gathered.of = b;
        struct slice fits = slice_sub(piece, 0, GATHER - gathered.n);
        memcpy(gathered.bytes + gathered.n, fits.p, fits.n);
        gathered.n += fits.n;
        piece = slice_from(piece, fits.n);
    }
}

static int tell_failed(const struct body *b, struct diag *d)
{
    if (b->failed.code != 0 && d != NULL)
        *d = b->failed;
    return b->failed.code;
}

/* --- life --- */

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
    if (gathered.of == b) {
        gathered.of = NULL;
        gathered.n = 0;
    }
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
}

/* --- adding --- */

static void on_file(void *ctx, int fd, const struct diag *why)
{
    struct body *b = ctx;
    b->asking = 0;
    b->fd = fd;
    if (why != NULL)
        b->failed = *why;
    else if (write_file(b, buf_view(&b->mem), &b->failed) == 0)
        drop_memory(b);
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
    if (b->fd >= 0) {
        gather(b, piece);
        return tell_failed(b, d);
    }
    keep(b, piece);
    if (b->mem.failed)
        return diag_set(d, ERR_TOO_LARGE, "a body came faster than its file could be opened");
    if (!b->large)
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
    if (b->failed.code != 0)
        return tell_failed(b, d);
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

int body_finish(struct body *b, struct diag *d)
{
    if (gathered.of == b)
        write_gathered();
    if (b->digester != NULL)
        digest_end(b->digester, &b->digest);
    else
        digest_of(DIGEST_SHA512, SLICE_NONE, &b->digest);
    return tell_failed(b, d);
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
