#include "proc/fs.h"

#include "base/err.h"
#include "proc/report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP (64u << 10)
#define SAY_EVERY 60

static int fail(struct diag *d, const char *what, const char *path)
{
    int e = errno;
    return diag_set(d, err_from_errno(e), "cannot %s %s: %s", what, path, strerror(e));
}

static int read_all(int fd, const char *path, struct buf *out, struct diag *d)
{
    for (;;) {
        size_t left = out->max - out->n;
        size_t step = left < READ_STEP ? left : READ_STEP;
        if (step == 0) {
            uint8_t more;
            ssize_t n = read(fd, &more, 1);
            if (n < 0)
                return fail(d, "read", path);
            if (n == 0)
                return 0;
            return diag_set(d, ERR_TOO_LARGE, "%s is larger than the %zu bytes allowed", path,
                            out->max);
        }
        uint8_t *to = buf_room(out, step);
        if (to == NULL)
            return diag_set(d, ERR_NOMEM, "no memory to read %s", path);
        ssize_t n = read(fd, to, step);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(d, "read", path);
        if (n == 0)
            return 0;
        out->n += (size_t)n;
    }
}

int fs_read(const char *path, struct buf *out, struct diag *d)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(d, "open", path);
    int err = read_all(fd, path, out, d);
    close(fd);
    return err;
}

static int write_all(int fd, struct slice data)
{
    while (data.n > 0) {
        ssize_t n = write(fd, data.p, data.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data = slice_from(data, (size_t)n);
    }
    return 0;
}

/* The rename is durable only once the folder that holds the name is synced. */
static int sync_parent(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    snprintf(dir, sizeof dir, "%.*s", n > 0 ? (int)n : 1, slash == NULL ? "." : path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int r = fsync(fd);
    int e = errno;
    close(fd);
    errno = e;
    return r;
}

int fs_write(const char *path, struct slice data, unsigned mode, struct diag *d)
{
    char temp[PATH_MAX];
    int n = snprintf(temp, sizeof temp, "%s.%ld.tmp", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temp)
        return diag_set(d, ERR_USAGE, "the path %s is too long", path);
    /* A file of that name was left by a crash, or laid there: never written into. */
    if (unlink(temp) < 0 && errno != ENOENT)
        return fail(d, "replace", temp);
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(d, "create", temp);
    /* fchmod: the mode asked for, whatever the umask says */
    bool ok = write_all(fd, data) == 0 && fchmod(fd, (mode_t)mode) == 0 && fsync(fd) == 0;
    int err = ok ? 0 : fail(d, "write", temp);
    close(fd);
    if (err == 0 && rename(temp, path) < 0)
        err = fail(d, "replace", path);
    if (err != 0) {
        unlink(temp);
        return err;
    }
    if (sync_parent(path) < 0)
        return fail(d, "sync the folder of", path);
    return 0;
}

static int make_one(const char *path, unsigned mode, struct diag *d)
{
    struct stat st;
    if (mkdir(path, (mode_t)mode) == 0)
        return 0;
    if (errno == EEXIST && stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        return diag_set(d, ERR_EXISTS, "%s is there and is no folder", path);
    }
    return fail(d, "make the folder", path);
}

int fs_mkdirs(const char *path, unsigned mode, struct diag *d)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return diag_set(d, ERR_USAGE, "the path %s is empty or too long", path);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        if (part[i] != '/')
            continue;
        part[i] = 0;
        int err = make_one(part, mode, d);
        if (err != 0)
            return err;
        part[i] = '/';
    }
    return make_one(part, mode, d);
}

bool fs_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

void fs_wait_for_space(const struct diag *why)
{
    static unsigned times;
    if (times++ % SAY_EVERY == 0)
        report_diag(REPORT_ERROR, "waiting_for_space", NULL, why);
    sleep(1);
}
