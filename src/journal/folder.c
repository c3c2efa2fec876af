#include "journal/folder.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS 16

/* Room for one more of `size` bytes; NULL without memory. */
static void *grown(void *p, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return p;
    size_t more = *room == 0 ? 64 : *room * 2;
    void *q = realloc(p, more * size);
    if (q != NULL)
        *room = more;
    return q;
}

static void add_segment(struct folder *f, uint64_t first)
{
    uint64_t *p = grown(f->segments, f->count, &f->room, sizeof *p);
    if (p == NULL) {
        f->nomem = true;
        return;
    }
    f->segments = p;
    p[f->count++] = first;
}

static void add_stray(struct folder *f, struct slice name)
{
    char(*p)[IO_NAME_MAX] = grown(f->strays, f->stray_count, &f->stray_room, sizeof *p);
    if (p == NULL) {
        f->nomem = true;
        return;
    }
    f->strays = p;
    if (slice_cstr(name, p[f->stray_count], IO_NAME_MAX))
        f->stray_count++;
}

/* "<16 digits>.<kind>" */
static bool split(struct slice name, uint64_t *first, struct slice *kind)
{
    if (name.n < DIGITS + 2 || name.p[DIGITS] != '.' ||
        !slice_hex64(slice_sub(name, 0, DIGITS), first))
        return false;
    *kind = slice_from(name, DIGITS + 1);
    return true;
}

static void each_name(void *arg, const char *text)
{
    struct folder *f = arg;
    struct slice name = slice_str(text), kind;
    uint64_t first;
    if (slice_eq_str(name, "head.new") || slice_eq_str(name, "erase.new"))
        add_stray(f, name);
    if (!split(name, &first, &kind))
        return;
    if (slice_eq_str(kind, "seg"))
        add_segment(f, first);
    else if (slice_eq_str(kind, "salt") || slice_eq_str(kind, "idx") || slice_eq_str(kind, "new"))
        add_stray(f, name); /* until its segment is found */
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The last segment is open: an index of it was written by a run that ended before it went on. */
static bool is_needed(const struct folder *f, const char *text)
{
    uint64_t first;
    struct slice kind;
    if (!split(slice_str(text), &first, &kind) || slice_eq_str(kind, "new") || f->count == 0)
        return false;
    if (slice_eq_str(kind, "idx") && first == f->segments[f->count - 1])
        return false;
    return bsearch(&first, f->segments, f->count, sizeof first, by_number) != NULL;
}

int folder_read(const struct io_disk *k, struct folder *f, struct diag *d)
{
    *f = (struct folder){0};
    int rc = io_list(k, each_name, f, d);
    if (rc == 0 && f->nomem)
        rc = diag_set(d, ERR_NOMEM, "no memory for the names of the segments");
    if (rc != 0) {
        folder_free(f);
        return rc;
    }
    if (f->count > 0)
        qsort(f->segments, f->count, sizeof *f->segments, by_number);
    size_t kept = 0;
    for (size_t i = 0; i < f->stray_count; i++)
        if (!is_needed(f, f->strays[i]))
            memmove(f->strays[kept++], f->strays[i], IO_NAME_MAX);
    f->stray_count = kept;
    return 0;
}

void folder_free(struct folder *f)
{
    free(f->segments);
    free(f->strays);
    *f = (struct folder){0};
}
