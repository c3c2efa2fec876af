#include "gateway/conffile.h"
#include "base/cursor.h"
#include "base/err.h"
#include "proc/fs.h"

#include <stdio.h>
#include <string.h>

#define CONF_ARENA (16u << 20)
#define FILE_MAX (1u << 20)
#define PACK_TEXT_MAX (4u << 20)

/* Absolute, or below the configuration file's folder. */
static void path_of(const struct conffile *c, struct slice name, char *out, size_t cap)
{
    if (name.n > 0 && name.p[0] == '/')
        snprintf(out, cap, "%.*s", SLICE_ARG(name));
    else
        snprintf(out, cap, "%s/%.*s", c->folder, SLICE_ARG(name));
}

static int load(void *ctx, const char *name, struct slice *bytes, struct diag *d)
{
    struct conffile *c = ctx;
    char path[2048];
    struct buf b;
    *bytes = SLICE_NONE;
    if (name == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the configuration");
    path_of(c, slice_str(name), path, sizeof path);
    buf_init(&b, FILE_MAX);
    int rc = fs_read(path, &b, d);
    *bytes = arena_dup(c->a, buf_view(&b));
    buf_free(&b);
    return rc;
}

/* The folder of the configuration's own keys, journals and state, made absolute to the file. */
static void settle_dir(struct conffile *c)
{
    char path[2048];
    path_of(c, c->conf.dir, path, sizeof path);
    c->conf.dir = arena_dup(c->a, slice_str(path));
    path_of(c, c->conf.anchor, path, sizeof path);
    c->conf.anchor = arena_dup(c->a, slice_str(path));
}

/* The text, in memory of its own. */
static int read_text(const char *path, struct conffile *out, struct diag *d)
{
    memset(out, 0, sizeof *out);
    buf_init(&out->text, FILE_MAX);
    out->a = arena_new(CONF_ARENA);
    if (out->a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the configuration");
    const char *slash = strrchr(path, '/');
    snprintf(out->folder, sizeof out->folder, "%.*s", slash == NULL ? 1 : (int)(slash - path),
             slash == NULL ? "." : path);
    return fs_read(path, &out->text, d);
}

int conffile_read(const char *path, struct conffile *out, struct diag *d)
{
    int rc = read_text(path, out, d);
    if (rc == 0)
        rc = serverconf_parse(out->a, buf_view(&out->text), load, out, &out->conf, d);
    if (rc != 0) {
        diag_where(d, "%s", path);
        return rc;
    }
    settle_dir(out);
    return 0;
}

int conffile_check(const char *path, struct conffile *out, conf_tell tell, void *ctx,
                   struct diag *d)
{
    int rc = read_text(path, out, d);
    if (rc == 0)
        rc = serverconf_check(out->a, buf_view(&out->text), load, out, &out->conf, tell, ctx);
    if (rc == 0)
        settle_dir(out);
    return rc;
}

void conffile_free(struct conffile *c)
{
    buf_free(&c->text);
    arena_free(c->a);
    c->a = NULL;
}

/* Called again and again while c lives: what is read goes through memory of its own. */
int conffile_inline(const struct conffile *c, struct buf *out, struct diag *d)
{
    struct conffile once = *c;
    once.a = arena_new(CONF_ARENA);
    if (once.a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the configuration");
    int rc = serverconf_inline(once.a, buf_view(&c->text), load, &once, out, d);
    if (rc == 0 && arena_failed(once.a))
        rc = diag_set(d, ERR_TOO_LARGE, "the files of the configuration are too large");
    arena_free(once.a);
    return rc;
}

int conffile_pack(const char *path, struct buf *out, struct diag *d)
{
    struct conffile c;
    struct buf text, anchor;
    char anchor_path[2048];
    buf_init(&text, PACK_TEXT_MAX);
    buf_init(&anchor, FILE_MAX);
    int rc = conffile_read(path, &c, d);
    rc = rc != 0 ? rc : conffile_inline(&c, &text, d);
    if (rc == 0 && slice_cstr(c.conf.anchor, anchor_path, sizeof anchor_path)) {
        rc = fs_read(anchor_path, &anchor, d); /* the folder is in the path already */
        rc = rc == ERR_NOT_FOUND ? 0 : rc;
    }
    if (rc == 0) {
        wr_var(out, buf_view(&text));
        wr_var(out, buf_view(&anchor));
        if (out->failed)
            rc = diag_set(d, ERR_TOO_LARGE, "the configuration is too large");
    }
    buf_free(&text);
    buf_free(&anchor);
    conffile_free(&c);
    return rc;
}

int conffile_unpack(struct slice packed, struct conffile *out, struct diag *d)
{
    struct rd r = rd_of(packed);
    memset(out, 0, sizeof *out);
    buf_init(&out->text, PACK_TEXT_MAX);
    out->a = arena_new(CONF_ARENA);
    if (out->a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the configuration");
    buf_slice(&out->text, rd_var(&r, PACK_TEXT_MAX));
    out->anchor = arena_dup(out->a, rd_var(&r, PACK_TEXT_MAX));
    if (r.bad || out->text.failed)
        return diag_set(d, ERR_CORRUPT, "a configuration was handed over incomplete");
    return serverconf_parse(out->a, buf_view(&out->text), NULL, NULL, &out->conf, d);
}
