#include "ledger/ledger_files.h"
#include "base/err.h"
#include "ledger/ledger_facts.h"
#include "tlog/tile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (64u << 10)
#define PATH_BYTES 200

struct ledger_files {
    char public[1100];
};

struct ledger_sending {
    int fd;
    uint64_t at, size;
};

/* How a file is served. */
struct kind {
    const char *type, *headers;
};
static const struct kind changing = {"text/plain; charset=utf-8",
                                     "Cache-Control: no-cache\r\n"
                                     "Access-Control-Allow-Origin: *\r\n"};
static const struct kind lasting = {"application/octet-stream",
                                    "Cache-Control: public, max-age=31536000, immutable\r\n"
                                    "Access-Control-Allow-Origin: *\r\n"};
#define MISSING                                                                                    \
    SLICE_LIT("Cache-Control: no-store\r\n"                                                        \
              "Access-Control-Allow-Origin: *\r\n")

struct ledger_files *ledger_files_new(const char *dir)
{
    struct ledger_files *f = calloc(1, sizeof *f);
    if (f != NULL)
        snprintf(f->public, sizeof f->public, "%s/public", dir);
    return f;
}

void ledger_files_free(struct ledger_files *f)
{
    free(f);
}

/* The kind of file at this path below public; NULL: there can be none. */
static const struct kind *kind_of(struct slice path)
{
    static const char *const names[] = {"checkpoint", "journals", "policy"};
    struct tile_id id;
    uint64_t n;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_eq_str(path, names[i]))
            return &changing;
    if (tile_parse(path, &id) == 0)
        return &lasting;
    if (slice_starts(path, "rounds/") && tile_index_parse(slice_from(path, 7), &n) == 0)
        return &lasting;
    return NULL;
}

static void missing(struct http_exchange *x)
{
    tally_add(LEDGER_FACTS_MISSING, 1);
    http_reply(x, 404, "text/plain; charset=utf-8", MISSING, SLICE_LIT("there is no such file\n"));
}

/* A regular file for reading; -1 with errno. */
static int open_file(const struct ledger_files *f, struct slice path, uint64_t *size)
{
    char full[sizeof f->public + PATH_BYTES];
    struct stat st;
    snprintf(full, sizeof full, "%s/%.*s", f->public, SLICE_ARG(path));
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *size = (uint64_t)st.st_size;
        return fd;
    }
    close(fd);
    errno = ENOENT;
    return -1;
}

int ledger_files_read(struct ledger_files *f, const char *path, struct buf *out)
{
    uint64_t size = 0;
    int fd = open_file(f, slice_str(path), &size);
    if (fd < 0)
        return err_from_errno(errno);
    uint8_t *to = size <= out->max ? buf_room(out, (size_t)size) : NULL;
    ssize_t n = to == NULL ? 0 : pread(fd, to, (size_t)size, 0);
    close(fd);
    if (to == NULL)
        return ERR_TOO_LARGE;
    if (n < 0 || (uint64_t)n != size)
        return ERR_IO;
    out->n += (size_t)n;
    return 0;
}

/* Sends on until the queue is full; false when all is sent or the file cannot be read. */
static bool send_more(struct ledger_sending *s, struct http_exchange *x)
{
    static uint8_t piece[PIECE];
    while (s->at < s->size && http_queued(x) < CONN_QUEUE_MARK) {
        ssize_t n = pread(s->fd, piece, sizeof piece, (off_t)s->at);
        if (n <= 0) {
            http_abort(x);
            return false;
        }
        if ((uint64_t)n > s->size - s->at)
            n = (ssize_t)(s->size - s->at);
        http_write(x, slice_of(piece, (size_t)n));
        s->at += (uint64_t)n;
    }
    if (s->at < s->size)
        return true;
    http_end(x);
    return false;
}

struct ledger_sending *ledger_files_get(struct ledger_files *f, struct http_exchange *x,
                                        struct slice target)
{
    char headers[256];
    struct slice path = slice_from(target, 1);
    const struct kind *kind =
        target.n > 0 && target.p[0] == '/' && path.n < PATH_BYTES ? kind_of(path) : NULL;
    struct ledger_sending *s = kind == NULL ? NULL : calloc(1, sizeof *s);
    if (kind == NULL || s == NULL) {
        missing(x);
        return NULL;
    }
    s->fd = open_file(f, path, &s->size);
    if (s->fd < 0) {
        free(s);
        missing(x);
        return NULL;
    }
    tally_add(LEDGER_FACTS_FILES, 1);
    snprintf(headers, sizeof headers, "Content-Type: %s\r\n%s", kind->type, kind->headers);
    http_respond(x, 200, NULL, slice_str(headers), HTTP_SEND_LENGTH, s->size);
    if (send_more(s, x))
        return s;
    ledger_files_end(s);
    return NULL;
}

void ledger_files_drain(struct ledger_sending *s, struct http_exchange *x)
{
    if (s->at < s->size)
        send_more(s, x);
}

void ledger_files_end(struct ledger_sending *s)
{
    if (s == NULL)
        return;
    close(s->fd);
    free(s);
}
