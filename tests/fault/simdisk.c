#include "simdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FILES 2048
#define FDS 64
#define PATH 128
#define SECTOR 512

struct bytes {
    uint8_t *p;
    size_t n;
};

/* A write or a cut that is not synced yet. */
struct change {
    bool is_cut;
    bool lost; /* a sync of it failed: it will not survive, whatever comes after */
    uint64_t off;
    struct bytes data;
};

struct node {
    struct bytes now, synced;
    struct change *changes;
    size_t count, room;
    bool locked;
};

/* A name, as processes see it and as it is on disk: numbers of nodes, -1 for none. */
struct name {
    char path[PATH];
    int now, synced;
    bool is_dir;
};

struct simdisk {
    struct node nodes[FILES];
    int node_count;
    struct name names[FILES];
    int name_count;
    int fds[FDS];
    enum simdisk_fault fault;
    uint64_t step, at, times;
    bool struck;
    bool dark; /* the power went before this call */
};

static void *must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

static void resize(struct bytes *b, size_t n)
{
    if (n > b->n) {
        b->p = must(realloc(b->p, n + 1));
        memset(b->p + b->n, 0, n - b->n);
    }
    b->n = n;
}

static void put(struct bytes *b, uint64_t off, const uint8_t *p, size_t n)
{
    if (n == 0)
        return;
    if (off + n > b->n)
        resize(b, off + n);
    memcpy(b->p + off, p, n);
}

static void copy(struct bytes *to, const struct bytes *from)
{
    to->n = 0;
    put(to, 0, from->p, from->n);
    to->n = from->n;
}

static uint64_t next_random(uint64_t *s)
{
    uint64_t z = *s += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

struct simdisk *simdisk_new(void)
{
    struct simdisk *s = must(calloc(1, sizeof *s));
    memset(s->fds, -1, sizeof s->fds);
    return s;
}

static void forget_changes(struct node *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->changes[i].data.p);
    n->count = 0;
}

void simdisk_free(struct simdisk *s)
{
    for (int i = 0; i < s->node_count; i++) {
        forget_changes(&s->nodes[i]);
        free(s->nodes[i].changes);
        free(s->nodes[i].now.p);
        free(s->nodes[i].synced.p);
    }
    free(s);
}

void simdisk_arm(struct simdisk *s, enum simdisk_fault fault, uint64_t step, uint64_t times)
{
    s->fault = fault;
    s->at = step;
    s->times = times;
    s->step = 0;
    s->struck = s->dark = false;
}

uint64_t simdisk_steps(const struct simdisk *s)
{
    return s->step;
}

bool simdisk_struck(const struct simdisk *s)
{
    return s->struck;
}

enum call { READ, WRITE, SYNC, OTHER };

/* Counts the call; what happens to it. */
static enum simdisk_fault strike(struct simdisk *s, enum call call)
{
    s->step++;
    if (s->fault == SIMDISK_NONE || s->step < s->at)
        return SIMDISK_NONE;
    if (s->fault == SIMDISK_POWER) {
        s->dark = s->struck;
        s->struck = true;
        return SIMDISK_POWER;
    }
    bool fits = s->fault == SIMDISK_EIO || (call == WRITE && s->fault == SIMDISK_FULL) ||
                (call <= WRITE && s->fault == SIMDISK_SHORT);
    if (!fits || s->times == 0)
        return SIMDISK_NONE;
    s->times--;
    s->struck = true;
    return s->fault;
}

static struct name *find(struct simdisk *s, const char *path)
{
    for (int i = 0; i < s->name_count; i++)
        if (strcmp(s->names[i].path, path) == 0)
            return &s->names[i];
    return NULL;
}

static struct name *find_or_make(struct simdisk *s, const char *path)
{
    struct name *n = find(s, path);
    if (n != NULL)
        return n;
    for (int i = 0; i < s->name_count && n == NULL; i++)
        if (s->names[i].now < 0 && s->names[i].synced < 0)
            n = &s->names[i];
    if ((n == NULL && s->name_count == FILES) || strlen(path) >= PATH)
        abort();
    if (n == NULL)
        n = &s->names[s->name_count++];
    *n = (struct name){.now = -1, .synced = -1};
    strcpy(n->path, path);
    return n;
}

/* Nodes that no name and no descriptor leads to are used again. */
static int new_node(struct simdisk *s)
{
    bool used[FILES] = {false};
    for (int i = 0; i < s->name_count; i++) {
        if (s->names[i].now >= 0)
            used[s->names[i].now] = true;
        if (s->names[i].synced >= 0)
            used[s->names[i].synced] = true;
    }
    for (int i = 0; i < FDS; i++)
        if (s->fds[i] >= 0)
            used[s->fds[i]] = true;
    for (int i = 0; i < FILES; i++) {
        if (used[i])
            continue;
        struct node *n = &s->nodes[i];
        forget_changes(n);
        n->now.n = n->synced.n = 0;
        n->locked = false;
        if (i >= s->node_count)
            s->node_count = i + 1;
        return i;
    }
    abort();
}

static struct change *new_change(struct node *n)
{
    if (n->count == n->room) {
        n->room = n->room == 0 ? 16 : n->room * 2;
        n->changes = must(realloc(n->changes, n->room * sizeof *n->changes));
    }
    struct change *c = &n->changes[n->count++];
    *c = (struct change){0};
    return c;
}

static void truncate_node(struct node *n, uint64_t size)
{
    struct change *c = new_change(n);
    c->is_cut = true;
    c->off = size;
    resize(&n->now, size);
}

static int sim_open(void *ctx, const char *path, int flags)
{
    struct simdisk *s = ctx;
    if (strike(s, OTHER) != SIMDISK_NONE)
        return -EIO;
    struct name *n = find(s, path);
    if (n != NULL && n->is_dir)
        return -EISDIR;
    if (n == NULL || n->now < 0) {
        if (!(flags & O_CREAT))
            return -ENOENT;
        n = find_or_make(s, path);
        n->now = new_node(s);
    } else if (flags & O_TRUNC) {
        truncate_node(&s->nodes[n->now], 0);
    }
    for (int fd = 0; fd < FDS; fd++) {
        if (s->fds[fd] < 0) {
            s->fds[fd] = n->now;
            return fd;
        }
    }
    return -EMFILE;
}

static struct node *node_of(struct simdisk *s, int fd)
{
    if (fd < 0 || fd >= FDS || s->fds[fd] < 0)
        abort(); /* a descriptor that was never opened, or closed before */
    return &s->nodes[s->fds[fd]];
}

static int sim_close(void *ctx, int fd)
{
    struct simdisk *s = ctx;
    if (fd >= 0 && fd < FDS && s->fds[fd] >= 0)
        node_of(s, fd)->locked = false;
    s->fds[fd] = -1;
    return 0;
}

static ssize_t sim_pread(void *ctx, int fd, void *p, size_t n, uint64_t off)
{
    struct simdisk *s = ctx;
    enum simdisk_fault f = strike(s, READ);
    if (f != SIMDISK_NONE && f != SIMDISK_SHORT)
        return -EIO;
    struct node *node = node_of(s, fd);
    if (off >= node->now.n || n == 0)
        return 0;
    if (n > node->now.n - off)
        n = node->now.n - off;
    if (f == SIMDISK_SHORT)
        n = (n + 1) / 2;
    memcpy(p, node->now.p + off, n);
    return (ssize_t)n;
}

static ssize_t sim_pwrite(void *ctx, int fd, const void *p, size_t n, uint64_t off)
{
    struct simdisk *s = ctx;
    enum simdisk_fault f = strike(s, WRITE);
    size_t part = f == SIMDISK_NONE ? n : f == SIMDISK_EIO || s->dark ? 0 : n / 2;
    struct node *node = node_of(s, fd);
    if (part > 0) {
        struct change *c = new_change(node);
        c->off = off;
        put(&c->data, 0, p, part);
        put(&node->now, off, p, part);
    }
    if (f == SIMDISK_NONE || (f == SIMDISK_SHORT && part > 0))
        return (ssize_t)part;
    if (f == SIMDISK_FULL)
        return part > 0 && s->times % 2 == 0 ? (ssize_t)part : -ENOSPC;
    return f == SIMDISK_SHORT ? -EINTR : -EIO;
}

/* Brings to disk what `how` and chance leave of a change. */
static void apply(struct node *n, const struct change *c, enum simdisk_cut how, uint64_t *seed)
{
    bool chance = how == SIMDISK_PREFIXES || how == SIMDISK_SECTORS;
    if (c->lost || how == SIMDISK_DROP_ALL || (chance && next_random(seed) % 4 == 0))
        return;
    if (c->is_cut) {
        resize(&n->synced, c->off);
        return;
    }
    if (how == SIMDISK_KEEP_ALL) {
        put(&n->synced, c->off, c->data.p, c->data.n);
        return;
    }
    if (how == SIMDISK_PREFIXES) {
        size_t part = (size_t)(next_random(seed) % (c->data.n + 1));
        if (next_random(seed) % 4 == 0 && c->off + c->data.n > n->synced.n)
            resize(&n->synced, c->off + c->data.n); /* the length came through, the bytes not */
        put(&n->synced, c->off, c->data.p, part);
        return;
    }
    for (size_t at = 0; at < c->data.n;) {
        size_t part = SECTOR - (c->off + at) % SECTOR;
        if (part > c->data.n - at)
            part = c->data.n - at;
        if (next_random(seed) % 2 == 0)
            put(&n->synced, c->off + at, c->data.p + at, part);
        at += part;
    }
}

static int sim_fdatasync(void *ctx, int fd)
{
    struct simdisk *s = ctx;
    enum simdisk_fault f = strike(s, SYNC);
    struct node *n = node_of(s, fd);
    if (f == SIMDISK_EIO)
        for (size_t i = 0; i < n->count; i++)
            n->changes[i].lost = true;
    if (f != SIMDISK_NONE)
        return -EIO;
    /* Lost changes stay visible to processes and never reach the disk. */
    for (size_t i = 0; i < n->count; i++)
        apply(n, &n->changes[i], SIMDISK_KEEP_ALL, NULL);
    forget_changes(n);
    return 0;
}

static int sim_truncate(void *ctx, int fd, uint64_t size)
{
    struct simdisk *s = ctx;
    if (strike(s, OTHER) != SIMDISK_NONE)
        return -EIO;
    truncate_node(node_of(s, fd), size);
    return 0;
}

static int64_t sim_size(void *ctx, int fd)
{
    struct simdisk *s = ctx;
    if (strike(s, OTHER) != SIMDISK_NONE)
        return -EIO;
    return (int64_t)node_of(s, fd)->now.n;
}

static int sim_lock(void *ctx, int fd)
{
    struct simdisk *s = ctx;
    if (strike(s, OTHER) != SIMDISK_NONE)
        return -EIO;
    struct node *n = node_of(s, fd);
    if (n->locked)
        return -EWOULDBLOCK;
    n->locked = true;
    return 0;
}

static int sim_mkdir(void *ctx, const char *path)
{
    struct simdisk *s = ctx;
    if (strike(s, OTHER) != SIMDISK_NONE)
        return -EIO;
    struct name *n = find_or_make(s, path);
    if (n->now >= 0)
        return -EEXIST;
    n->is_dir = true;
    n->now = new_node(s);
    return 0;
}

static int sim_unlink(void *ctx, const char *path)
{
    struct simdisk *s = ctx;
    if (strike(s, OTHER) != SIMDISK_NONE)
        return -EIO;
    struct name *n = find(s, path);
    if (n == NULL || n->now < 0)
        return -ENOENT;
    n->now = -1;
    return 0;
}

static bool is_in(const char *path, const char *folder);

static int sim_rmdir(void *ctx, const char *path)
{
    struct simdisk *s = ctx;
    if (strike(s, OTHER) != SIMDISK_NONE)
        return -EIO;
    struct name *n = find(s, path);
    if (n == NULL || n->now < 0)
        return -ENOENT;
    for (int i = 0; i < s->name_count; i++)
        if (s->names[i].now >= 0 && is_in(s->names[i].path, path))
            return -ENOTEMPTY;
    n->now = -1;
    return 0;
}

static int sim_rename(void *ctx, const char *from, const char *to)
{
    struct simdisk *s = ctx;
    if (strike(s, OTHER) != SIMDISK_NONE)
        return -EIO;
    struct name *a = find(s, from), *b = find_or_make(s, to);
    if (a == NULL || a->now < 0)
        return -ENOENT;
    b->now = a->now;
    a->now = -1;
    return 0;
}

/* Whether path is right in the folder. */
static bool is_in(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    if (strcmp(folder, ".") == 0)
        return strchr(path, '/') == NULL;
    return strncmp(path, folder, n) == 0 && path[n] == '/' && strchr(path + n + 1, '/') == NULL;
}

static int sim_sync_dir(void *ctx, const char *path)
{
    struct simdisk *s = ctx;
    if (strike(s, SYNC) != SIMDISK_NONE)
        return -EIO;
    for (int i = 0; i < s->name_count; i++)
        if (is_in(s->names[i].path, path))
            s->names[i].synced = s->names[i].now;
    return 0;
}

static int sim_list(void *ctx, const char *path, void (*each)(void *arg, const char *name),
                    void *arg)
{
    struct simdisk *s = ctx;
    if (strike(s, OTHER) != SIMDISK_NONE)
        return -EIO;
    struct name *dir = find(s, path);
    if (dir == NULL || dir->now < 0)
        return -ENOENT;
    for (int i = 0; i < s->name_count; i++)
        if (s->names[i].now >= 0 && is_in(s->names[i].path, path))
            each(arg, strrchr(s->names[i].path, '/') + 1);
    return 0;
}

const struct journal_io simdisk_io = {
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwrite = sim_pwrite,
    .fdatasync = sim_fdatasync,
    .truncate = sim_truncate,
    .size = sim_size,
    .lock = sim_lock,
    .mkdir = sim_mkdir,
    .unlink = sim_unlink,
    .rename = sim_rename,
    .sync_dir = sim_sync_dir,
    .list = sim_list,
    .rmdir = sim_rmdir,
};

static bool survives(enum simdisk_cut how, uint64_t *seed)
{
    return how == SIMDISK_KEEP_ALL || (how != SIMDISK_DROP_ALL && next_random(seed) % 2 == 0);
}

/* A name in a folder whose own name is lost is lost with it. */
static bool has_folder(struct simdisk *s, const char *path)
{
    char up[PATH];
    strcpy(up, path);
    for (char *slash; (slash = strrchr(up, '/')) != NULL;) {
        *slash = 0;
        struct name *n = find(s, up);
        if (n == NULL || n->synced < 0)
            return false;
    }
    return true;
}

void simdisk_restart(struct simdisk *s, enum simdisk_cut how, uint64_t seed)
{
    memset(s->fds, -1, sizeof s->fds);
    simdisk_arm(s, SIMDISK_NONE, 0, 0);
    for (int i = 0; i < s->node_count; i++) {
        struct node *n = &s->nodes[i];
        n->locked = false;
        if (how == SIMDISK_KEEP_ALL)
            continue; /* nothing is lost, and nothing is synced by it */
        for (size_t c = 0; c < n->count; c++)
            apply(n, &n->changes[c], how, &seed);
        forget_changes(n);
        copy(&n->now, &n->synced);
    }
    if (how == SIMDISK_KEEP_ALL)
        return;
    for (int i = 0; i < s->name_count; i++) {
        struct name *n = &s->names[i];
        if (n->now != n->synced && survives(how, &seed))
            n->synced = n->now;
    }
    for (int i = 0; i < s->name_count; i++)
        if (!has_folder(s, s->names[i].path))
            s->names[i].synced = -1;
    for (int i = 0; i < s->name_count; i++)
        s->names[i].now = s->names[i].synced;
}

void simdisk_put(struct simdisk *s, const char *path, const void *p, size_t n)
{
    struct name *name = find_or_make(s, path);
    if (name->now < 0)
        name->now = name->synced = new_node(s);
    struct node *node = &s->nodes[name->now];
    forget_changes(node);
    node->now.n = 0;
    put(&node->now, 0, p, n);
    copy(&node->synced, &node->now);
}

const uint8_t *simdisk_get(struct simdisk *s, const char *path, size_t *n)
{
    struct name *name = find(s, path);
    if (name == NULL || name->now < 0)
        return NULL;
    *n = s->nodes[name->now].now.n;
    return s->nodes[name->now].now.p;
}
