#include "cli/globalconf_dir.h"
#include "base/err.h"
#include "proc/confdir.h"
#include "proc/fs.h"

#include <dirent.h>
#include <stdio.h>

#define IMAGE_MAX (256u << 20)

int cli_globalconf_load(const char *dir, struct cli_globalconf *out, struct diag *d)
{
    buf_init(&out->image, IMAGE_MAX);
    out->g = NULL;
    int rc = confdir_compile(dir, &out->image, d);
    rc = rc != 0 ? rc : globalconf_open(buf_view(&out->image), &out->g, d);
    if (rc != 0)
        cli_globalconf_free(out);
    return rc;
}

void cli_globalconf_free(struct cli_globalconf *c)
{
    globalconf_close(c->g);
    c->g = NULL;
    buf_free(&c->image);
}

static bool is_conf(const char *path)
{
    char mark[4096];
    snprintf(mark, sizeof mark, "%s/instance-identifier", path);
    return fs_exists(mark);
}

int cli_globalconf_find(const char *dir, char *out, size_t cap, struct diag *d)
{
    snprintf(out, cap, "%s/globalconf", dir);
    bool found = is_conf(out);
    DIR *h = found ? NULL : opendir(dir);
    struct dirent *e;
    while (!found && h != NULL && (e = readdir(h)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(out, cap, "%s/%s/globalconf", dir, e->d_name);
        found = is_conf(out);
    }
    if (h != NULL)
        closedir(h);
    return found ? 0
                 : diag_set(d, ERR_NOT_FOUND,
                            "there is no global configuration below %s: say --globalconf DIR", dir);
}
