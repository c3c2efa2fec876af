#include "cli/globalconf_dir.h"

#include "base/err.h"
#include "proc/fs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 512
#define FILE_MAX (32u << 20)
#define IMAGE_MAX (256u << 20)

struct file {
    char path[640]; /* below the directory */
    struct buf bytes;
};

struct files {
    struct file f[FILES_MAX];
    size_t n;
};

static int read_file(struct files *files, const char *dir, const char *path, struct diag *d)
{
    if (files->n == FILES_MAX)
        return diag_set(d, ERR_TOO_LARGE, "%s holds more than %d files", dir, FILES_MAX);
    struct file *f = &files->f[files->n];
    char full[4096];
    if (snprintf(f->path, sizeof f->path, "%s", path) >= (int)sizeof f->path ||
        snprintf(full, sizeof full, "%s/%s", dir, path) >= (int)sizeof full)
        return diag_set(d, ERR_TOO_LARGE, "the path %s/%s is too long", dir, path);
    buf_init(&f->bytes, FILE_MAX);
    files->n++;
    return fs_read(full, &f->bytes, d);
}

typedef int (*visit)(struct files *files, const char *dir, const char *path, struct diag *d);

/* Calls for each regular file (or folder) in dir/sub that has no leading dot. */
static int each(struct files *files, const char *dir, const char *sub, bool folders, visit fn,
                struct diag *d)
{
    char full[4096];
    if (snprintf(full, sizeof full, "%s/%s", dir, sub) >= (int)sizeof full)
        return diag_set(d, ERR_TOO_LARGE, "the path %s/%s is too long", dir, sub);
    DIR *h = opendir(full);
    if (h == NULL)
        return diag_set(d, err_from_errno(errno), "cannot open the folder %s: %s", full,
                        strerror(errno));
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(h)) != NULL;) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dirfd(h), e->d_name, &st, 0) != 0)
            continue;
        if (folders ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
            continue;
        char path[640];
        int n = snprintf(path, sizeof path, "%s%s%s", sub, sub[0] != 0 ? "/" : "", e->d_name);
        rc = n < (int)sizeof path
                 ? fn(files, dir, path, d)
                 : diag_set(d, ERR_TOO_LARGE, "the name %s is too long", e->d_name);
    }
    closedir(h);
    return rc;
}

static int read_instance(struct files *files, const char *dir, const char *path, struct diag *d)
{
    return each(files, dir, path, false, read_file, d);
}

static int compile(const struct files *files, struct cli_globalconf *out, struct diag *d)
{
    struct globalconf_file *list = calloc(files->n, sizeof *list);
    if (list == NULL)
        return diag_set(d, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < files->n; i++)
        list[i] = (struct globalconf_file){files->f[i].path, buf_view(&files->f[i].bytes)};
    int rc = globalconf_from_files(list, files->n, &out->image, d);
    free(list);
    return rc != 0 ? rc : globalconf_open(buf_view(&out->image), &out->g, d);
}

int cli_globalconf_load(const char *dir, struct cli_globalconf *out, struct diag *d)
{
    out->g = NULL;
    buf_init(&out->image, IMAGE_MAX);
    struct files *files = calloc(1, sizeof *files);
    if (files == NULL)
        return diag_set(d, ERR_NOMEM, "out of memory");
    int rc = read_file(files, dir, "instance-identifier", d);
    if (rc == 0)
        rc = each(files, dir, "", true, read_instance, d);
    if (rc == 0)
        rc = compile(files, out, d);
    for (size_t i = 0; i < files->n; i++)
        buf_free(&files->f[i].bytes);
    free(files);
    if (rc != 0)
        cli_globalconf_free(out);
    return rc;
}

void cli_globalconf_free(struct cli_globalconf *c)
{
    globalconf_close(c->g);
    buf_free(&c->image);
    c->g = NULL;
}
