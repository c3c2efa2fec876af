/* A configuration directory on disk (globalconf.md 8), compiled. */
#include "base/err.h"
#include "base/timeval.h"
#include "wire/json.h"
#include "wire/uri.h"
#include "xroad/globalconf.h"

#include <string.h>

#define INSTANCES_MAX 256
#define METADATA_MAX 65536
#define FETCH_DEFAULT 1200
#define MEMORY_MAX (1u << 30)

struct files {
    const struct globalconf_file *v;
    size_t n;
};

/* The file "<folder>/<name>"; NULL when absent. */
static const struct globalconf_file *find(const struct files *f, struct slice folder,
                                          const char *name)
{
    for (size_t i = 0; i < f->n; i++) {
        struct slice path = slice_str(f->v[i].path);
        size_t slash = slice_find(path, '/');
        if (slash != SIZE_MAX && slice_eq(slice_sub(path, 0, slash), folder) &&
            slice_eq_str(slice_from(path, slash + 1), name))
            return &f->v[i];
    }
    return NULL;
}

/* Version and expiry of a part. What is missing or cannot be read means version 2 and for ever. */
static void metadata(const struct files *f, struct slice folder, const char *name, int *version,
                     int64_t *expires_ms)
{
    *version = PARAMS_VERSION_MIN;
    *expires_ms = INT64_MAX;
    const struct globalconf_file *file = find(f, folder, name);
    json_t *root = file == NULL ? NULL : json_parse(file->bytes, METADATA_MAX, NULL);
    uint64_t v;
    const char *text = json_string_value(json_object_get(root, "configurationVersion"));
    if (slice_u64(slice_str(text), &v) && v <= 1000)
        *version = (int)v;
    text = json_string_value(json_object_get(root, "expirationDate"));
    if (!timeval_parse_iso(slice_str(text), expires_ms))
        *expires_ms = INT64_MAX;
    json_decref(root);
}

/* The folder's name is the instance's identifier in form encoding. */
static bool names_instance(struct slice folder, struct slice instance)
{
    struct buf name;
    buf_init(&name, folder.n + 1);
    bool same = uri_form_decode(folder, &name) == 0 && slice_eq(buf_view(&name), instance);
    buf_free(&name);
    return same;
}

static int read_private(struct arena *a, const struct files *f, struct slice folder,
                        struct globalconf_input *in, struct diag *d)
{
    const struct globalconf_file *file = find(f, folder, "private-params.xml");
    int version;
    if (file == NULL)
        return 0;
    struct params_private *p = arena_alloc(a, sizeof *p);
    if (p == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the global configuration");
    metadata(f, folder, "private-params.xml.metadata", &version, &in->private_expires_ms);
    int err = params_private_parse(a, file->bytes, version, p, d);
    if (err != 0) {
        diag_where(d, "%s", file->path);
        return err;
    }
    in->priv = p;
    return 0;
}

static void read_optional(struct arena *a, const struct files *f, struct slice folder,
                          struct globalconf_input *in)
{
    const struct globalconf_file *file = find(f, folder, "nextupdate-params.xml");
    in->verify_next_update = file == NULL || params_next_update(a, file->bytes);
    file = find(f, folder, "fetchinterval-params.xml");
    in->fetch_interval_s = file == NULL ? FETCH_DEFAULT : params_fetch_interval(a, file->bytes);
}

static int read_instance(struct arena *a, const struct files *f, const struct globalconf_file *file,
                         struct slice folder, struct slice own, struct globalconf_input *in,
                         struct diag *d)
{
    int version;
    struct params_shared *p = arena_alloc(a, sizeof *p);
    if (p == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the global configuration");
    *in = (struct globalconf_input){.shared = p, .private_expires_ms = INT64_MAX};
    metadata(f, folder, "shared-params.xml.metadata", &version, &in->shared_expires_ms);
    int err = params_shared_parse(a, file->bytes, version, p, d);
    if (err == 0 && !names_instance(folder, p->instance))
        err = diag_set(d, ERR_GC_INSTANCE, "the parameters are of instance \"%.*s\"",
                       SLICE_ARG(slice_sub(p->instance, 0, 60)));
    if (err != 0) {
        diag_where(d, "%s", file->path);
        return err;
    }
    if (!slice_eq(p->instance, own))
        return 0;
    read_optional(a, f, folder, in);
    return read_private(a, f, folder, in, d);
}

static int read_all(struct arena *a, const struct files *f, struct buf *image, struct diag *d)
{
    struct globalconf_input *in = arena_alloc(a, INSTANCES_MAX * sizeof *in);
    struct slice own = SLICE_NONE;
    size_t n = 0, own_index = SIZE_MAX;
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->v[i].path, "instance-identifier") == 0)
            own = slice_trim(f->v[i].bytes);
    if (own.n == 0)
        return diag_set(d, ERR_MALFORMED_GLOBAL_CONF, "there is no instance-identifier");
    for (size_t i = 0; in != NULL && i < f->n; i++) {
        struct slice path = slice_str(f->v[i].path);
        size_t slash = slice_find(path, '/');
        if (slash == SIZE_MAX || !slice_eq_str(slice_from(path, slash + 1), "shared-params.xml"))
            continue;
        if (n == INSTANCES_MAX)
            return diag_set(d, ERR_TOO_LARGE, "there are more than %d instances", INSTANCES_MAX);
        int err = read_instance(a, f, &f->v[i], slice_sub(path, 0, slash), own, &in[n], d);
        if (err != 0)
            return err;
        if (slice_eq(in[n].shared->instance, own))
            own_index = n;
        n++;
    }
    if (own_index == SIZE_MAX)
        return diag_set(d, ERR_MALFORMED_GLOBAL_CONF,
                        "there are no shared parameters of the own instance \"%.*s\"",
                        SLICE_ARG(slice_sub(own, 0, 60)));
    return globalconf_compile(in, n, own_index, image, d);
}

int globalconf_from_files(const struct globalconf_file *files, size_t n, struct buf *image,
                          struct diag *d)
{
    struct arena *a = arena_new(MEMORY_MAX);
    if (a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the global configuration");
    struct files f = {files, n};
    int err = read_all(a, &f, image, d);
    arena_free(a);
    return err;
}
