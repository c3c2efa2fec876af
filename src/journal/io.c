#include "journal/io.h"
#include "base/err.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int real_open(void *ctx, const char *path, int flags)
{
    (void)ctx;
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

static int real_close(void *ctx, int fd)
{
    (void)ctx;
    return close(fd) < 0 ? -errno : 0;
}

static ssize_t real_pread(void *ctx, int fd, void *p, size_t n, uint64_t off)
{
    (void)ctx;
    ssize_t got = pread(fd, p, n, (off_t)off);
    return got < 0 ? -errno : got;
}

static ssize_t real_pwrite(void *ctx, int fd, const void *p, size_t n, uint64_t off)
{
    (void)ctx;
    ssize_t put = pwrite(fd, p, n, (off_t)off);
    return put < 0 ? -errno : put;
}

static int real_fdatasync(void *ctx, int fd)
{
    (void)ctx;
    return fdatasync(fd) < 0 ? -errno : 0;
}

static int real_truncate(void *ctx, int fd, uint64_t size)
{
    (void)ctx;
    return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

static int64_t real_size(void *ctx, int fd)
{
    (void)ctx;
    struct stat st;
    return fstat(fd, &st) < 0 ? -errno : st.st_size;
}

static int real_lock(void *ctx, int fd)
{
    (void)ctx;
    return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

static int real_mkdir(void *ctx, const char *path)
{
    (void)ctx;
    return mkdir(path, 0700) < 0 ? -errno : 0;
}

static int real_unlink(void *ctx, const char *path)
{
    (void)ctx;
    return unlink(path) < 0 ? -errno : 0;
}

static int real_rename(void *ctx, const char *from, const char *to)
{
    (void)ctx;
    return rename(from, to) < 0 ? -errno : 0;
}

static int real_sync_dir(void *ctx, const char *path)
{
    (void)ctx;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static int real_list(void *ctx, const char *path, void (*each)(void *arg, const char *name),
                     void *arg)
{
    (void)ctx;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return -errno;
    errno = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL; errno = 0)
        each(arg, e->d_name);
    int rc = -errno;
    closedir(dir);
    return rc;
}

static int real_rmdir(void *ctx, const char *path)
{
    (void)ctx;
    return rmdir(path) < 0 ? -errno : 0;
}

const struct journal_io io_real = {
    .open = real_open,
    .close = real_close,
    .pread = real_pread,
    .pwrite = real_pwrite,
    .fdatasync = real_fdatasync,
    .truncate = real_truncate,
    .size = real_size,
    .lock = real_lock,
    .mkdir = real_mkdir,
    .unlink = real_unlink,
    .rename = real_rename,
    .sync_dir = real_sync_dir,
    .list = real_list,
    .rmdir = real_rmdir,
};

/* The sentence for a failed call; `result` is its -errno. */
static int failed(const struct io_disk *k, const char *name, const char *doing, int64_t result,
                  struct diag *d)
{
    int e = (int)-result;
    int code = diag_set(d, err_from_errno(e), "cannot %s: %s", doing, strerror(e));
    diag_where(d, "%s/%s", k->dir, name);
    return code;
}

static void path_of(const struct io_disk *k, const char *name, char out[IO_PATH_MAX])
{
    snprintf(out, IO_PATH_MAX, "%s%s%s", k->dir, name[0] != 0 ? "/" : "", name);
}

int io_init(struct io_disk *k, const char *dir, const struct journal_io *io, void *ctx,
            struct diag *d)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    if (n == 0 || n >= sizeof k->dir)
        return diag_set(d, ERR_USAGE, "the journal's folder needs a name of 1 to %zu bytes",
                        sizeof k->dir - 1);
    *k = (struct io_disk){.io = io != NULL ? io : &io_real, .ctx = ctx};
    memcpy(k->dir, dir, n);
    return 0;
}

int io_open(const struct io_disk *k, const char *name, int flags, struct io_file *f, struct diag *d)
{
    char path[IO_PATH_MAX];
    path_of(k, name, path);
    *f = IO_NO_FILE;
    int fd = k->io->open(k->ctx, path, flags);
    if (fd < 0)
        return failed(k, name, "open", fd, d);
    *f = (struct io_file){.disk = k, .fd = fd};
    snprintf(f->name, sizeof f->name, "%s", name);
    return 0;
}

void io_close(struct io_file *f)
{
    if (f->fd >= 0)
        f->disk->io->close(f->disk->ctx, f->fd);
    f->fd = -1;
}

int io_read(const struct io_file *f, void *p, size_t n, uint64_t off, size_t *got, struct diag *d)
{
    size_t have = 0;
    while (have < n) {
        ssize_t r =
            f->disk->io->pread(f->disk->ctx, f->fd, (uint8_t *)p + have, n - have, off + have);
        if (r == -EINTR)
            continue;
        if (r < 0)
            return failed(f->disk, f->name, "read", r, d);
        if (r == 0)
            break;
        have += (size_t)r;
    }
    *got = have;
    return 0;
}

int io_read_all(const struct io_file *f, void *p, size_t n, uint64_t off, struct diag *d)
{
    size_t got;
    int rc = io_read(f, p, n, off, &got, d);
    if (rc != 0 || got == n)
        return rc;
    diag_set(d, ERR_CORRUPT, "the file ends at offset %llu, bytes up to %llu are missing",
             (unsigned long long)(off + got), (unsigned long long)(off + n));
    diag_where(d, "%s/%s", f->disk->dir, f->name);
    return ERR_CORRUPT;
}

int io_write(const struct io_file *f, const void *p, size_t n, uint64_t off, struct diag *d)
{
    size_t put = 0;
    while (put < n) {
        ssize_t r =
            f->disk->io->pwrite(f->disk->ctx, f->fd, (const uint8_t *)p + put, n - put, off + put);
        if (r == -EINTR)
            continue;
        if (r == 0)
            r = -ENOSPC; /* nothing fits, and no reason is given */
        if (r < 0)
            return failed(f->disk, f->name, "write", r, d);
        put += (size_t)r;
    }
    return 0;
}

int io_sync(const struct io_file *f, struct diag *d)
{
    int r = f->disk->io->fdatasync(f->disk->ctx, f->fd);
    return r < 0 ? failed(f->disk, f->name, "sync", r, d) : 0;
}

int io_size(const struct io_file *f, uint64_t *size, struct diag *d)
{
    int64_t r = f->disk->io->size(f->disk->ctx, f->fd);
    if (r < 0)
        return failed(f->disk, f->name, "tell the size of", r, d);
    *size = (uint64_t)r;
    return 0;
}

int io_truncate(const struct io_file *f, uint64_t size, struct diag *d)
{
    int r = f->disk->io->truncate(f->disk->ctx, f->fd, size);
    return r < 0 ? failed(f->disk, f->name, "cut", r, d) : 0;
}

int io_lock(const struct io_file *f, struct diag *d)
{
    int r = f->disk->io->lock(f->disk->ctx, f->fd);
    if (r == -EWOULDBLOCK) {
        diag_set(d, ERR_EXISTS, "another process writes this journal");
        diag_where(d, "%s", f->disk->dir);
        return ERR_EXISTS;
    }
    return r < 0 ? failed(f->disk, f->name, "lock", r, d) : 0;
}

/* The folder that holds `path`, as far as its text says. */
static void parent_of(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        strcpy(path, ".");
    else if (slash == path)
        path[1] = 0;
    else
        *slash = 0;
}

int io_mkdir(const struct io_disk *k, const char *name, struct diag *d)
{
    char path[IO_PATH_MAX];
    path_of(k, name, path);
    int made = k->io->mkdir(k->ctx, path);
    if (made < 0 && made != -EEXIST)
        return failed(k, name, "make", made, d);
    /* Also when it was there: the run that made it may have died before this sync. A folder above
     * that is closed to us means that somebody else made it, and answers for it. */
    parent_of(path);
    int r = k->io->sync_dir(k->ctx, path);
    if (made == -EEXIST && (r == -EACCES || r == -EPERM))
        return 0;
    return r < 0 ? failed(k, name, "sync the folder above", r, d) : 0;
}

int io_unlink(const struct io_disk *k, const char *name, struct diag *d)
{
    char path[IO_PATH_MAX];
    path_of(k, name, path);
    int r = k->io->unlink(k->ctx, path);
    return r < 0 && r != -ENOENT ? failed(k, name, "remove", r, d) : 0;
}

int io_rmdir(const struct io_disk *k, const char *name, struct diag *d)
{
    char path[IO_PATH_MAX];
    path_of(k, name, path);
    int r = k->io->rmdir(k->ctx, path);
    return r < 0 && r != -ENOENT ? failed(k, name, "remove", r, d) : 0;
}

int io_sync_dir(const struct io_disk *k, const char *name, struct diag *d)
{
    char path[IO_PATH_MAX];
    path_of(k, name, path);
    int r = k->io->sync_dir(k->ctx, path);
    return r < 0 ? failed(k, name, "sync the folder", r, d) : 0;
}

int io_list(const struct io_disk *k, void (*each)(void *arg, const char *name), void *arg,
            struct diag *d)
{
    int r = k->io->list(k->ctx, k->dir, each, arg);
    return r < 0 ? failed(k, "", "list the folder", r, d) : 0;
}

int io_rename(const struct io_disk *k, const char *from, const char *to, struct diag *d)
{
    char a[IO_PATH_MAX], b[IO_PATH_MAX];
    path_of(k, from, a);
    path_of(k, to, b);
    int r = k->io->rename(k->ctx, a, b);
    if (r < 0)
        return failed(k, to, "rename to", r, d);
    parent_of(b);
    r = k->io->sync_dir(k->ctx, b);
    return r < 0 ? failed(k, to, "sync the folder of", r, d) : 0;
}

int io_replace(const struct io_disk *k, const char *name, struct slice bytes, struct diag *d)
{
    char apart[IO_NAME_MAX];
    snprintf(apart, sizeof apart, "%.*s.new", IO_NAME_MAX - 5, name);
    struct io_file f;
    int rc = io_open(k, apart, O_RDWR | O_CREAT | O_TRUNC, &f, d);
    if (rc != 0)
        return rc;
    rc = io_write(&f, bytes.p, bytes.n, 0, d);
    if (rc == 0)
        rc = io_sync(&f, d);
    io_close(&f);
    if (rc == 0)
        rc = io_rename(k, apart, name, d);
    return rc;
}
