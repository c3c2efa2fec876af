#include "proc/confdir.h"
#include "base/err.h"
#include "base/timeval.h"
#include "proc/fs.h"
#include "wire/json.h"
#include "xroad/globalconf.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PART_MAX (32u << 20)
#define ARENA_MAX (256u << 20)
#define FILES_MAX 1024
#define PATH_CAP 2048

/* application/x-www-form-urlencoded, as X-Road names the folders; but no name leads out of the
 * folder or is hidden in it. */
static void form_encode(struct slice s, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n && n + 4 < cap; i++) {
        uint8_t c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || (c == '.' && i > 0) || c == '*';
        if (plain)
            out[n++] = (char)c;
        else if (c == ' ')
            out[n++] = '+';
        else
            n += (size_t)snprintf(out + n, cap - n, "%%%02X", c);
    }
    out[n] = 0;
}

static void part_path(const char *folder, struct slice instance, struct slice name,
                      const char *suffix, char *out)
{
    char enc[512];
    form_encode(instance, enc, sizeof enc);
    snprintf(out, PATH_CAP, "%s/%s/%.*s%s", folder, enc, SLICE_ARG(name), suffix);
}

static int read_file(struct arena *a, const char *path, struct slice *out)
{
    struct buf b;
    buf_init(&b, PART_MAX);
    int rc = fs_read(path, &b, NULL);
    if (rc == 0)
        *out = arena_dup(a, buf_view(&b));
    buf_free(&b);
    return rc == 0 && arena_failed(a) ? ERR_NOMEM : rc;
}

int confdir_read(struct arena *a, const char *folder, struct slice instance, struct slice name,
                 struct slice *bytes)
{
    char path[PATH_CAP];
    part_path(folder, instance, name, "", path);
    return read_file(a, path, bytes);
}

/* The metadata's expiry and version; the defaults where they are missing. */
static void read_metadata(struct arena *a, const char *folder, struct slice instance,
                          int64_t *expires_ms, int *version)
{
    char path[PATH_CAP];
    struct slice text;
    uint64_t v;
    *expires_ms = INT64_MAX;
    *version = PARAMS_VERSION_MIN;
    part_path(folder, instance, SLICE_LIT("shared-params.xml"), ".metadata", path);
    if (read_file(a, path, &text) != 0)
        return;
    json_t *j = json_parse(text, 65536, NULL);
    const char *when = json_string_value(json_object_get(j, "expirationDate"));
    const char *ver = json_string_value(json_object_get(j, "configurationVersion"));
    if (when != NULL && !timeval_parse_iso(slice_str(when), expires_ms))
        *expires_ms = INT64_MAX;
    if (ver != NULL && slice_u64(slice_str(ver), &v) && v <= PARAMS_VERSION_MAX)
        *version = (int)v;
    json_decref(j);
}

int64_t confdir_expires(struct arena *a, const char *folder, struct slice instance)
{
    int64_t ms;
    int version;
    read_metadata(a, folder, instance, &ms, &version);
    return ms;
}

int confdir_sources(struct arena *a, const char *folder, struct slice instance,
                    struct params_shared *out)
{
    struct arena *file = arena_new(ARENA_MAX);
    struct slice xml;
    int64_t ms;
    int version;
    int rc = file == NULL
                 ? ERR_NOMEM
                 : confdir_read(file, folder, instance, SLICE_LIT("shared-params.xml"), &xml);
    if (rc == 0) {
        read_metadata(a, folder, instance, &ms, &version);
        rc = params_shared_sources(a, xml, version, out, NULL);
    }
    arena_free(file);
    return rc;
}

static void metadata(const struct directory_part *p, struct slice instance, int64_t expires_ms,
                     int version, struct buf *out)
{
    struct json_out j;
    char when[TIMEVAL_TEXT], ver[16];
    timeval_print_iso(expires_ms, false, when);
    snprintf(ver, sizeof ver, "%d", version);
    json_begin(&j, out);
    json_open(&j, '{');
    if (p->identifier.n > 0)
        json_kslice(&j, "contentIdentifier", p->identifier);
    json_kslice(&j, "instanceIdentifier", p->instance.n > 0 ? p->instance : instance);
    json_kstr(&j, "expirationDate", when);
    json_kslice(&j, "contentLocation", p->location);
    json_kstr(&j, "configurationVersion", ver);
    json_close(&j, '}');
}

static int write_metadata(const char *folder, struct slice instance, const struct directory_part *p,
                          int64_t expires_ms, int version, struct diag *d)
{
    char path[PATH_CAP];
    struct buf text;
    buf_init(&text, 65536);
    metadata(p, instance, expires_ms, version, &text);
    part_path(folder, instance, p->file_name, ".metadata", path);
    int rc = fs_write(path, buf_view(&text), 0644, d);
    buf_free(&text);
    return rc;
}

static int write_content(const char *folder, struct slice instance, const struct directory_part *p,
                         struct slice bytes, struct diag *d)
{
    char path[PATH_CAP];
    struct slice old = SLICE_NONE;
    struct arena *a = arena_new(ARENA_MAX);
    bool same = a != NULL && confdir_read(a, folder, instance, p->file_name, &old) == 0 &&
                slice_eq(old, bytes);
    arena_free(a);
    if (same)
        return 0;
    part_path(folder, instance, p->file_name, "", path);
    return fs_write(path, bytes, 0644, d);
}

int confdir_write(const char *folder, struct slice instance, const struct directory_part *p,
                  struct slice bytes, int64_t expires_ms, int version, struct diag *d)
{
    char path[PATH_CAP], enc[512];
    form_encode(instance, enc, sizeof enc);
    snprintf(path, sizeof path, "%s/%s", folder, enc);
    int rc = fs_mkdirs(path, 0755, d);
    part_path(folder, instance, p->file_name, ".metadata", path);
    /* Content without metadata would hold for ever: a new part's metadata come first. */
    if (rc == 0 && !fs_exists(path))
        rc = write_metadata(folder, instance, p, expires_ms, version, d);
    rc = rc != 0 || bytes.p == NULL ? rc : write_content(folder, instance, p, bytes, d);
    rc = rc != 0 ? rc : write_metadata(folder, instance, p, expires_ms, version, d);
    return rc == 0 ? 0
                   : diag_set(d, ERR_GC_PART_SAVE, "%.*s cannot be written below %s",
                              SLICE_ARG(p->file_name), folder);
}

/* Is the file one of the parts, or the metadata of one? */
static bool is_of(const char *file, const struct slice *names, size_t n)
{
    struct slice f = slice_str(file);
    if (slice_ends(f, ".metadata"))
        f.n -= strlen(".metadata");
    for (size_t i = 0; i < n; i++)
        if (slice_eq(f, names[i]))
            return true;
    return false;
}

void confdir_keep(const char *folder, struct slice instance, const struct slice *names, size_t n)
{
    char path[PATH_CAP], file[PATH_CAP + 300], enc[512];
    form_encode(instance, enc, sizeof enc);
    snprintf(path, sizeof path, "%s/%s", folder, enc);
    DIR *dir = opendir(path);
    struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.' && !is_of(e->d_name, names, n))
            unlink(file); /* what cannot be removed now is tried again in the next round */
    }
    if (dir != NULL)
        closedir(dir);
}

int confdir_own(const char *folder, struct slice instance, struct diag *d)
{
    char path[PATH_CAP];
    struct buf now;
    snprintf(path, sizeof path, "%s/instance-identifier", folder);
    buf_init(&now, 4096);
    bool same = fs_read(path, &now, NULL) == 0 && slice_eq(buf_view(&now), instance);
    buf_free(&now);
    return same ? 0 : fs_write(path, instance, 0644, d);
}

/* --- reading all --- */

struct reading {
    struct arena *a;
    struct globalconf_file *f;
    size_t n;
};

static bool is_part(const char *name)
{
    struct slice s = slice_str(name);
    return slice_ends(s, ".xml") || slice_ends(s, ".metadata");
}

static void read_instance(struct reading *r, const char *folder, const char *instance)
{
    char path[PATH_CAP];
    snprintf(path, sizeof path, "%s/%s", folder, instance);
    DIR *dir = opendir(path);
    struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        struct globalconf_file *f = &r->f[r->n];
        if (!is_part(e->d_name) || r->n == FILES_MAX)
            continue;
        f->path = arena_printf(r->a, "%s/%s", instance, e->d_name);
        snprintf(path, sizeof path, "%s/%s/%s", folder, instance, e->d_name);
        if (f->path != NULL && read_file(r->a, path, &f->bytes) == 0)
            r->n++;
    }
    if (dir != NULL)
        closedir(dir);
}

static int read_folder(struct reading *r, const char *folder, struct diag *d)
{
    char path[PATH_CAP];
    snprintf(path, sizeof path, "%s/instance-identifier", folder);
    r->f[0].path = "instance-identifier";
    if (read_file(r->a, path, &r->f[0].bytes) != 0)
        return diag_set(d, ERR_MALFORMED_GLOBAL_CONF,
                        "%s holds no global configuration: no file instance-identifier", folder);
    r->n = 1;
    DIR *dir = opendir(folder);
    struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL)
        if (e->d_name[0] != '.')
            read_instance(r, folder, e->d_name);
    if (dir != NULL)
        closedir(dir);
    return arena_failed(r->a) ? diag_set(d, ERR_TOO_LARGE, "the global configuration is too large")
                              : 0;
}

int confdir_compile(const char *folder, struct buf *image, struct diag *d)
{
    struct reading r = {.a = arena_new(ARENA_MAX)};
    int rc = ERR_NOMEM;
    if (r.a != NULL)
        r.f = arena_zalloc(r.a, FILES_MAX * sizeof *r.f);
    if (r.f != NULL)
        rc = read_folder(&r, folder, d);
    if (rc == 0)
        rc = globalconf_from_files(r.f, r.n, image, d);
    arena_free(r.a);
    return rc;
}
