/*
 * Every call of the journal that touches the disk goes through a table, so that tests can cut the
 * power, fill the disk or fail a sync at any step. io_real is the kernel's.
 */
#ifndef SILD_JOURNAL_IO_H
#define SILD_JOURNAL_IO_H

#include "base/attr.h"
#include "base/diag.h"
#include "base/slice.h"

#include <sys/types.h>

/* Each call returns 0 or what its POSIX namesake returns, and -errno when it fails. */
struct journal_io {
    int (*open)(void *ctx, const char *path, int flags); /* O_RDONLY or O_RDWR, O_CREAT, O_TRUNC */
    int (*close)(void *ctx, int fd);
    ssize_t (*pread)(void *ctx, int fd, void *p, size_t n, uint64_t off);
    ssize_t (*pwrite)(void *ctx, int fd, const void *p, size_t n, uint64_t off);
    int (*fdatasync)(void *ctx, int fd); /* bytes and length of the file, not its name */
    int (*truncate)(void *ctx, int fd, uint64_t size);
    int64_t (*size)(void *ctx, int fd);
    int (*lock)(void *ctx, int fd); /* exclusive, without waiting: -EWOULDBLOCK */
    int (*mkdir)(void *ctx, const char *path);
    int (*unlink)(void *ctx, const char *path);
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*sync_dir)(void *ctx, const char *path); /* names made, removed or changed in it */
    int (*list)(void *ctx, const char *path, void (*each)(void *arg, const char *name), void *arg);
    int (*rmdir)(void *ctx, const char *path);
};

extern const struct journal_io io_real;

#define IO_PATH_MAX 512
#define IO_NAME_MAX 128 /* with the folders below the disk's own */

/* A journal's folder and the table it is reached through. */
struct io_disk {
    const struct journal_io *io;
    void *ctx;
    char dir[IO_PATH_MAX - IO_NAME_MAX];
};

/* An open file of it; fd is -1 while there is none. */
struct io_file {
    const struct io_disk *disk;
    int fd;
    char name[IO_NAME_MAX]; /* in the folder */
};

#define IO_NO_FILE ((struct io_file){NULL, -1, ""})

/* dir must fit; a NULL table is the real disk. */
int io_init(struct io_disk *k, const char *dir, const struct journal_io *io, void *ctx,
            struct diag *d) MUST_USE;
/* ERR_NOT_FOUND when it does not exist and flags lack O_CREAT. */
int io_open(const struct io_disk *k, const char *name, int flags, struct io_file *f,
            struct diag *d) MUST_USE;
/* Harmless when it is not open. Errors are of no use: what counts was synced. */
void io_close(struct io_file *f);

/* Reads until n bytes or the end of the file; *got how many. */
int io_read(const struct io_file *f, void *p, size_t n, uint64_t off, size_t *got,
            struct diag *d) MUST_USE;
/* All n bytes, or ERR_CORRUPT: the file is shorter than it must be. */
int io_read_all(const struct io_file *f, void *p, size_t n, uint64_t off, struct diag *d) MUST_USE;
/* All n bytes, going on after short writes. */
int io_write(const struct io_file *f, const void *p, size_t n, uint64_t off,
             struct diag *d) MUST_USE;
/* A failure means that what was written since the last sync may be lost, now and silently later. */
int io_sync(const struct io_file *f, struct diag *d) MUST_USE;
int io_size(const struct io_file *f, uint64_t *size, struct diag *d) MUST_USE;
int io_truncate(const struct io_file *f, uint64_t size, struct diag *d) MUST_USE;

/* ERR_EXISTS when another process holds the lock. */
int io_lock(const struct io_file *f, struct diag *d) MUST_USE;
/* Makes a folder (name in the journal's, "" for the journal's own) if it is missing; syncs the one
 * above. */
int io_mkdir(const struct io_disk *k, const char *name, struct diag *d) MUST_USE;
/* A missing file is no error. */
int io_unlink(const struct io_disk *k, const char *name, struct diag *d) MUST_USE;
/* An empty folder; a missing one is no error. */
int io_rmdir(const struct io_disk *k, const char *name, struct diag *d) MUST_USE;
/* "" is the journal's own folder. */
int io_sync_dir(const struct io_disk *k, const char *name, struct diag *d) MUST_USE;
int io_list(const struct io_disk *k, void (*each)(void *arg, const char *name), void *arg,
            struct diag *d) MUST_USE;
/* Gives a finished and synced file its final name, in the same folder, and syncs that. */
int io_rename(const struct io_disk *k, const char *from, const char *to, struct diag *d) MUST_USE;
/* A small file at once: written apart, synced, renamed, folder synced. */
int io_replace(const struct io_disk *k, const char *name, struct slice bytes,
               struct diag *d) MUST_USE;

#endif
