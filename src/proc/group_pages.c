#include "proc/group_pages.h"

#include "base/err.h"
#include "proc/group_int.h"
#include "proc/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PARENT "parent"

/* --- the parent --- */

static int make(const char *name, int *fd, struct diag *d)
{
    *fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0 || ftruncate(*fd, (off_t)sizeof(struct tally_page)) != 0 ||
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return diag_set(d, err_from_errno(errno), "no page for what %s counts: %s", name,
                        strerror(errno));
    return 0;
}

static void *map(int fd, bool writable)
{
    void *p = mmap(NULL, sizeof(struct tally_page), writable ? PROT_READ | PROT_WRITE : PROT_READ,
                   MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

int group_pages_make(struct group *g, struct diag *d)
{
    int err = make(PARENT, &g->page, d);
    struct tally_page *own = err == 0 ? map(g->page, true) : NULL;
    if (err == 0 && own == NULL)
        err = diag_set(d, ERR_NOMEM, "no memory for what the parent counts");
    for (size_t i = 0; err == 0 && i < g->n; i++)
        err = make(g->inst[i].name, &g->inst[i].page, d);
    if (err == 0)
        tally_use(own);
    return err;
}

static void send_page(struct group_inst *to, const char *name, int fd, bool writable)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int copy = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (copy < 0 || to->line == NULL ||
        ipc_send(to->line, GROUP_PAGE, 0, 0, slice_str(name), copy, true) != 0) {
        report(REPORT_ERROR, "page", "%s does not get the page of %s", to->name, name);
        if (copy >= 0)
            close(copy);
    }
}

static void send_statm(struct group_inst *to, const char *name, pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 &&
        (to->line == NULL || ipc_send(to->line, GROUP_STATM, 0, 0, slice_str(name), fd, true) != 0))
        close(fd);
}

void group_pages_send(struct group_inst *k)
{
    struct group *g = k->group;
    if (!k->entry->watches) {
        send_page(k, k->name, k->page, true);
        return;
    }
    k->sees = true;
    send_page(k, PARENT, g->page, false);
    send_statm(k, PARENT, getpid());
    for (size_t i = 0; i < g->n; i++) { /* in their order: group_pages.h */
        send_page(k, g->inst[i].name, g->inst[i].page, &g->inst[i] == k);
        if (g->inst[i].pid > 0)
            send_statm(k, g->inst[i].name, g->inst[i].pid);
    }
}

void group_pages_started(struct group_inst *k)
{
    struct group *g = k->group;
    for (size_t i = 0; i < g->n; i++)
        if (&g->inst[i] != k && g->inst[i].sees && g->inst[i].line != NULL)
            send_statm(&g->inst[i], k->name, k->pid);
}

static unsigned word_of(size_t child, enum group_pages_word w)
{
    return TALLY_OWN + (unsigned)child * GROUP_PAGES_EACH + (unsigned)w;
}

void group_pages_note(const struct group_inst *k)
{
    size_t i = (size_t)(k - k->group->inst);
    unsigned since = word_of(i, GROUP_PAGES_SINCE);
    bool was_ready = tally_own(word_of(i, GROUP_PAGES_READY)) != 0;
    tally_set(word_of(i, GROUP_PAGES_PID), (uint64_t)k->pid);
    tally_set(word_of(i, GROUP_PAGES_RESTARTS), k->restarts);
    tally_set(word_of(i, GROUP_PAGES_READY), k->ready);
    if (was_ready != k->ready || tally_own(since) == 0)
        tally_set(since, (uint64_t)loop_wall_ms(k->group->loop));
}

void group_pages_free(struct group *g)
{
    if (g->page >= 0)
        close(g->page);
    for (size_t i = 0; i < g->n; i++)
        if (g->inst[i].page >= 0)
            close(g->inst[i].page);
}

/* --- a child --- */

static struct group_process *place(struct group_pages *p, struct slice name)
{
    for (size_t i = 0; i < p->n; i++)
        if (slice_eq_str(name, p->at[i].name))
            return &p->at[i];
    struct group_process *one = p->n < ARRAY_LEN(p->at) ? &p->at[p->n] : NULL;
    if (one == NULL || !slice_cstr(name, one->name, sizeof one->name))
        return NULL;
    one->page = NULL;
    one->statm = -1;
    p->n++;
    return one;
}

void group_pages_take(struct group_pages *p, const char *self, bool statm, struct slice name,
                      int fd)
{
    struct group_process *one = place(p, name);
    if (statm && one != NULL) {
        if (one->statm >= 0)
            close(one->statm);
        one->statm = fd;
        return;
    }
    bool own = slice_eq_str(name, self);
    if (one != NULL && one->page == NULL) {
        struct tally_page *page = map(fd, own);
        one->page = page;
        if (own && page != NULL)
            tally_use(page);
    }
    close(fd);
}

uint64_t group_pages_get(const struct group_pages *p, size_t child, enum group_pages_word w)
{
    return p->n > 0 && p->at[0].page != NULL ? tally_get(p->at[0].page, word_of(child, w)) : 0;
}

int64_t group_pages_resident(const struct group_process *p)
{
    char text[128];
    struct slice rest, word;
    uint64_t pages = 0;
    ssize_t n = p->statm < 0 ? -1 : pread(p->statm, text, sizeof text - 1, 0);
    if (n <= 0)
        return -1;
    rest = slice_of(text, (size_t)n);
    bool ok =
        slice_next(&rest, ' ', &word) && slice_next(&rest, ' ', &word) && slice_u64(word, &pages);
    return ok ? (int64_t)pages * sysconf(_SC_PAGESIZE) : -1;
}
