#include "ledger/ledger_store.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/hex.h"
#include "crypto/digest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static const char MAGIC[] = "SLSTAGE1";

#define MAGIC_LEN 8
#define DIGEST_LEN 32
#define FILES_MAX 64 /* in a stage */
#define FOLDERS 64   /* that are known to be there */
#define GUARD "guard"
#define CHECKPOINT "checkpoint"
#define CHECKPOINT_NEW "checkpoint.new"

struct ledger_store {
    struct io_disk disk, lock;
    struct io_file guard;                 /* open and locked between lock_begin and its end */
    struct io_file swap;                  /* the new checkpoint, with room for its bytes */
    char known[FOLDERS][LEDGER_PATH_MAX]; /* folders made or found */
    size_t next_known;
};

static int new_store(const char *dir, const char *lock_dir, const struct journal_io *io,
                     void *io_ctx, struct ledger_store **out, struct diag *d)
{
    struct ledger_store *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the ledger's files");
    s->guard = s->swap = IO_NO_FILE;
    int rc = io_init(&s->disk, dir, io, io_ctx, d);
    rc = rc != 0 ? rc : io_init(&s->lock, lock_dir, io, io_ctx, d);
    if (rc != 0) {
        free(s);
        return rc;
    }
    *out = s;
    return 0;
}

static int read_from(const struct io_disk *k, const char *path, struct buf *out, struct diag *d)
{
    struct io_file f;
    uint64_t size = 0;
    size_t got = 0;
    int rc = io_open(k, path, O_RDONLY, &f, d);
    if (rc != 0)
        return rc;
    rc = io_size(&f, &size, d);
    uint8_t *to = rc == 0 && size <= out->max ? buf_room(out, (size_t)size) : NULL;
    if (rc == 0 && to == NULL)
        rc = diag_set(d, ERR_TOO_LARGE, "the file is larger than a ledger's file can be");
    rc = rc != 0 ? rc : io_read(&f, to, (size_t)size, 0, &got, d);
    io_close(&f);
    if (rc == 0)
        out->n += got;
    else
        diag_where(d, "%s", path);
    return rc;
}

int ledger_store_open(const char *dir, const char *lock_dir, const struct journal_io *io,
                      void *io_ctx, struct ledger_store **out, struct diag *d)
{
    return new_store(dir, lock_dir, io, io_ctx, out, d);
}

void ledger_store_close(struct ledger_store *s)
{
    if (s == NULL)
        return;
    ledger_store_lock_abandon(s);
    free(s);
}

/* --- files --- */

/* A folder that goes is not known to be there any more. */
static void forget_folder(struct ledger_store *s, const char *path)
{
    for (size_t i = 0; i < FOLDERS; i++)
        if (strcmp(s->known[i], path) == 0)
            s->known[i][0] = 0;
}

int ledger_store_read(struct ledger_store *s, const char *path, struct buf *out, struct diag *d)
{
    return read_from(&s->disk, path, out, d);
}

int ledger_store_replace(struct ledger_store *s, const char *path, struct slice bytes,
                         struct diag *d)
{
    return io_replace(&s->disk, path, bytes, d);
}

int ledger_store_remove(struct ledger_store *s, const char *path, struct diag *d)
{
    return io_unlink(&s->disk, path, d);
}

int ledger_store_remove_folder(struct ledger_store *s, const char *path, struct diag *d)
{
    forget_folder(s, path);
    return io_rmdir(&s->disk, path, d);
}

int ledger_store_list(struct ledger_store *s, const char *path,
                      void (*each)(void *arg, const char *name), void *arg, struct diag *d)
{
    char full[IO_PATH_MAX];
    struct io_disk k;
    struct diag own = {0};
    snprintf(full, sizeof full, "%s/%s", s->disk.dir, path);
    int rc = io_init(&k, full, s->disk.io, s->disk.ctx, d);
    rc = rc != 0 ? rc : io_list(&k, each, arg, &own);
    if (rc != 0 && rc != ERR_NOT_FOUND && d != NULL)
        *d = own;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* --- folders --- */

static bool is_known(const struct ledger_store *s, const char *folder)
{
    for (size_t i = 0; i < FOLDERS; i++)
        if (strcmp(s->known[i], folder) == 0)
            return true;
    return false;
}

/* The folders that a path goes through, each made and its name durable. */
static int make_folders(struct ledger_store *s, const char *path, struct diag *d)
{
    char folder[LEDGER_PATH_MAX];
    int rc = 0;
    for (const char *slash = strchr(path, '/'); rc == 0 && slash != NULL;
         slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        if (is_known(s, folder))
            continue;
        rc = io_mkdir(&s->disk, folder, d);
        if (rc == 0)
            memcpy(s->known[s->next_known++ % FOLDERS], folder, sizeof folder);
    }
    return rc;
}

int ledger_store_make(const char *dir, const char *lock_dir, const struct journal_io *io,
                      void *io_ctx, struct slice checkpoint, struct diag *d)
{
    static const char *const folders[] = {"public/", "staging/", "heads/", "evidence/", "anchors/"};
    struct ledger_store *s;
    struct buf there;
    int rc = new_store(dir, lock_dir, io, io_ctx, &s, d);
    if (rc != 0)
        return rc;
    buf_init(&there, LEDGER_CHECKPOINT_MAX);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(folders); i++)
        rc = make_folders(s, folders[i], d);
    rc = rc != 0 ? rc : io_mkdir(&s->lock, "", d);
    if (rc == 0 && (ledger_store_read(s, "public/checkpoint", &there, NULL) == 0 ||
                    read_from(&s->lock, CHECKPOINT, &there, NULL) == 0))
        rc = diag_set(d, ERR_EXISTS, "there is a ledger in %s already", dir);
    rc = rc != 0 ? rc : io_replace(&s->lock, CHECKPOINT, checkpoint, d);
    rc = rc != 0 ? rc : ledger_store_replace(s, "public/checkpoint", checkpoint, d);
    buf_free(&there);
    ledger_store_close(s);
    return rc;
}

/* --- stages --- */

void ledger_store_stage_begin(struct buf *b, uint64_t size, const struct merkle_hash *root,
                              uint32_t files)
{
    buf_add(b, MAGIC, MAGIC_LEN);
    wr_u64(b, size);
    buf_add(b, root->b, MERKLE_HASH);
    wr_u32(b, files);
}

void ledger_store_stage_add(struct buf *b, const char *path, struct slice bytes)
{
    size_t n = strlen(path);
    if (n >= LEDGER_PATH_MAX)
        b->failed = true;
    wr_u16(b, (uint16_t)n);
    buf_add(b, path, n);
    wr_var(b, bytes);
}

void ledger_store_stage_end(struct buf *b)
{
    struct digest sum;
    if (b->failed)
        return;
    digest_of(DIGEST_SHA256, buf_view(b), &sum);
    buf_slice(b, digest_slice(&sum));
}

static void stage_name(uint64_t size, const struct merkle_hash *root, char out[IO_NAME_MAX])
{
    char hex[2 * MERKLE_HASH + 1];
    hex_print(slice_of(root->b, MERKLE_HASH), hex);
    snprintf(out, IO_NAME_MAX, "staging/%llu-%s", (unsigned long long)size, hex);
}

int ledger_store_stage_write(struct ledger_store *s, uint64_t size, const struct merkle_hash *root,
                             struct slice stage, struct diag *d)
{
    char name[IO_NAME_MAX];
    struct io_file f;
    stage_name(size, root, name);
    int rc = io_open(&s->disk, name, O_RDWR | O_CREAT | O_TRUNC, &f, d);
    if (rc != 0)
        return rc;
    rc = io_write(&f, stage.p, stage.n, 0, d);
    rc = rc != 0 ? rc : io_sync(&f, d);
    io_close(&f);
    return rc != 0 ? rc : io_sync_dir(&s->disk, "staging", d);
}

/* The next file of a stage whose cursor stands behind the head. */
static bool next_file(struct rd *r, char path[LEDGER_PATH_MAX], struct slice *bytes)
{
    struct slice name = rd_bytes(r, rd_u16(r));
    *bytes = rd_var(r, LEDGER_STAGE_MAX);
    return !r->bad && name.n > 0 && slice_cstr(name, path, LEDGER_PATH_MAX);
}

static bool stage_is_whole(struct slice stage, uint64_t size, const struct merkle_hash *root)
{
    char path[LEDGER_PATH_MAX];
    struct slice bytes;
    struct digest sum;
    if (stage.n < MAGIC_LEN + 8 + MERKLE_HASH + 4 + DIGEST_LEN)
        return false;
    struct slice body = slice_sub(stage, 0, stage.n - DIGEST_LEN);
    digest_of(DIGEST_SHA256, body, &sum);
    struct rd r = rd_of(body);
    if (!slice_eq(digest_slice(&sum), slice_from(stage, body.n)) ||
        !slice_eq(rd_bytes(&r, MAGIC_LEN), slice_of(MAGIC, MAGIC_LEN)) || rd_u64(&r) != size ||
        !slice_eq(rd_bytes(&r, MERKLE_HASH), slice_of(root->b, MERKLE_HASH)))
        return false;
    uint32_t files = rd_u32(&r);
    bool ok = files <= FILES_MAX;
    for (uint32_t i = 0; ok && i < files; i++)
        ok = next_file(&r, path, &bytes);
    return ok && rd_done(&r);
}

int ledger_store_stage_read(struct ledger_store *s, uint64_t size, const struct merkle_hash *root,
                            struct buf *out, struct diag *d)
{
    char name[IO_NAME_MAX];
    stage_name(size, root, name);
    int rc = read_from(&s->disk, name, out, d);
    if (rc == 0 && !stage_is_whole(buf_view(out), size, root)) {
        rc = diag_set(d, ERR_CORRUPT, "the staging file is damaged");
        diag_where(d, "%s", name);
    }
    return rc;
}

struct dropping {
    struct ledger_store *s;
    char keep[IO_NAME_MAX];
    int rc;
    struct diag *d;
};

static void drop_one(void *arg, const char *name)
{
    struct dropping *k = arg;
    char path[IO_NAME_MAX];
    snprintf(path, sizeof path, "staging/%.100s", name);
    if (k->rc == 0 && name[0] != '.' && strcmp(path, k->keep) != 0)
        k->rc = io_unlink(&k->s->disk, path, k->d);
}

int ledger_store_stage_drop(struct ledger_store *s, uint64_t size, const struct merkle_hash *root,
                            struct diag *d)
{
    struct dropping k = {.s = s, .d = d};
    if (root != NULL)
        stage_name(size, root, k.keep);
    int rc = ledger_store_list(s, "staging", drop_one, &k, d);
    return rc != 0 ? rc : k.rc;
}

/* --- the lock --- */

int ledger_store_lock_read(struct ledger_store *s, struct buf *out, struct diag *d)
{
    return read_from(&s->lock, CHECKPOINT, out, d);
}

static int compare(struct ledger_store *s, struct slice expected, struct diag *d)
{
    struct buf there;
    buf_init(&there, LEDGER_CHECKPOINT_MAX);
    int rc = read_from(&s->lock, CHECKPOINT, &there, d);
    if (rc == 0 && !slice_eq(buf_view(&there), expected))
        rc = diag_set(d, ERR_EXISTS,
                      "another process has committed a round of this ledger: two must never write");
    buf_free(&there);
    return rc;
}

/* A file of n bytes, on the disk: whatever is short of space is short of it now. */
static int make_room(struct ledger_store *s, size_t n, struct diag *d)
{
    uint8_t blank[512] = {0};
    int rc = io_open(&s->lock, CHECKPOINT_NEW, O_RDWR | O_CREAT | O_TRUNC, &s->swap, d);
    for (size_t at = 0; rc == 0 && at < n; at += sizeof blank)
        rc = io_write(&s->swap, blank, n - at < sizeof blank ? n - at : sizeof blank, at, d);
    return rc != 0 ? rc : io_sync(&s->swap, d);
}

int ledger_store_lock_begin(struct ledger_store *s, struct slice expected, size_t n, struct diag *d)
{
    int rc = io_open(&s->lock, GUARD, O_RDWR | O_CREAT, &s->guard, d);
    rc = rc != 0 ? rc : io_lock(&s->guard, d);
    rc = rc != 0 ? rc : compare(s, expected, d);
    rc = rc != 0 ? rc : make_room(s, n, d);
    if (rc != 0)
        ledger_store_lock_abandon(s);
    return rc;
}

int ledger_store_lock_commit(struct ledger_store *s, struct slice bytes, struct diag *d)
{
    int rc = io_write(&s->swap, bytes.p, bytes.n, 0, d);
    rc = rc != 0 ? rc : io_sync(&s->swap, d);
    rc = rc != 0 ? rc : io_rename(&s->lock, CHECKPOINT_NEW, CHECKPOINT, d);
    ledger_store_lock_abandon(s);
    return rc;
}

void ledger_store_lock_abandon(struct ledger_store *s)
{
    io_close(&s->swap);
    io_close(&s->guard);
}

/* --- publishing --- */

static int publish_one(struct ledger_store *s, const char *path, struct slice bytes, struct diag *d)
{
    struct buf there;
    buf_init(&there, LEDGER_STAGE_MAX);
    int rc = read_from(&s->disk, path, &there, d);
    if (rc == 0 && !slice_eq(buf_view(&there), bytes)) {
        rc = diag_set(d, ERR_CORRUPT,
                      "the published file has other bytes than the round that is committed: it is "
                      "left alone, and nothing more is published");
        diag_where(d, "%s", path);
    } else if (rc == 0 || rc == ERR_NOT_FOUND) {
        rc = make_folders(s, path, d);
        rc = rc != 0 ? rc : ledger_store_replace(s, path, bytes, d);
    }
    buf_free(&there);
    return rc;
}

int ledger_store_publish(struct ledger_store *s, struct slice stage, struct diag *d)
{
    char path[LEDGER_PATH_MAX];
    struct slice bytes;
    struct rd r = rd_of(slice_sub(stage, 0, stage.n - DIGEST_LEN));
    rd_bytes(&r, MAGIC_LEN + 8 + MERKLE_HASH);
    uint32_t files = rd_u32(&r);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < files; i++)
        rc = next_file(&r, path, &bytes) ? publish_one(s, path, bytes, d)
                                         : diag_set(d, ERR_CORRUPT, "the staging file is damaged");
    return rc;
}
