#include "registry/registry_conf.h"
#include "base/err.h"
#include "proc/fs.h"
#include "registry/date.h"

#define WORKERS_MAX 16

const struct conf_rule registry_conf_rules[] = {
    {"registry", "name", CONF_TEXT, false, "population", "what the register calls itself"},
    {"registry", "listen", CONF_TEXT, false, "127.0.0.1:9001", "numeric address and port"},
    {"registry", "health", CONF_TEXT, false, NULL,
     "where /healthz and /metrics are served, or off; port 4005 of listen's loopback address, or "
     "of "
     "127.0.0.1, unless told"},
    {"registry", "database", CONF_TEXT, false, NULL, "path of the SQLite file"},
    {"registry", "dir", CONF_TEXT, false, NULL,
     "folder of the control socket; the database's folder when absent"},
    {"registry", "user", CONF_TEXT, false, NULL,
     "the user that all processes but the parent run as when started as root; else unchanged"},
    {"registry", "people", CONF_NUMBER, false, "100000", "how many people init makes"},
    {"registry", "seed", CONF_NUMBER, false, "2026", "what init draws them from"},
    {"registry", "date", CONF_TEXT, false, "2026-01-01", "the day up to which they have lived"},
    {"registry", "workers", CONF_NUMBER, false, "1", "processes that answer, 1 to 16"},
};
const size_t registry_conf_rule_count = ARRAY_LEN(registry_conf_rules);

/* The folder of a path: "." when it names none. */
static const char *folder_of(struct arena *a, struct slice path)
{
    size_t n = path.n;
    while (n > 0 && path.p[n - 1] != '/')
        n--;
    if (n == 0)
        return ".";
    return arena_cstr(a, slice_sub(path, 0, n > 1 ? n - 1 : 1));
}

static int read_listen(struct slice listen, struct registry_conf *out, struct diag *d)
{
    size_t at = listen.n;
    uint64_t port;
    while (at > 0 && listen.p[at - 1] != ':')
        at--;
    if (at < 2 || !slice_u64(slice_from(listen, at), &port) || port == 0 || port > 65535)
        return diag_set(d, ERR_USAGE, "listen: expected an address and port such as %s",
                        "127.0.0.1:9001");
    struct slice host = slice_sub(listen, 0, at - 1);
    if (host.p[0] == '[' && slice_ends(host, "]"))
        host = slice_sub(host, 1, host.n - 2);
    out->host = arena_cstr(out->a, host);
    out->port = (uint16_t)port;
    return 0;
}

static int read_census(const struct conf *c, const struct conf_section *s,
                       struct registry_conf *out, struct diag *d)
{
    int64_t people = conf_number(c, s, "people"), workers = conf_number(c, s, "workers");
    if (people < 1 || people > POPULATION_MAX)
        return diag_set(d, ERR_USAGE, "people: 1 to %d", POPULATION_MAX);
    if (workers < 1 || workers > WORKERS_MAX)
        return diag_set(d, ERR_USAGE, "workers: 1 to %d", WORKERS_MAX);
    if (!date_parse(conf_text(c, s, "date"), &out->census.as_of))
        return diag_set(d, ERR_USAGE, "date: expected a day such as 2026-01-01");
    out->workers = (int)workers;
    out->census.name = out->name;
    out->census.people = (uint32_t)people;
    out->census.seed = (uint64_t)conf_number(c, s, "seed");
    return 0;
}

int registry_conf_parse(struct slice text, struct registry_conf *out, struct diag *d)
{
    struct conf c;
    *out = (struct registry_conf){.a = arena_new(64u << 10)};
    if (out->a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the configuration");
    int rc = conf_parse(out->a, text, registry_conf_rules, registry_conf_rule_count, &c, d);
    if (rc != 0)
        return rc;
    const struct conf_section *s = conf_find(&c, "registry", "");
    struct slice database = conf_text(&c, s, "database"), dir = conf_text(&c, s, "dir");
    if (database.n == 0)
        return diag_set(d, ERR_USAGE, "[registry] must say database = PATH");
    struct slice user = conf_text(&c, s, "user");
    out->user = user.n > 0 ? arena_cstr(out->a, user) : NULL;
    out->name = arena_cstr(out->a, conf_text(&c, s, "name"));
    out->database = arena_cstr(out->a, database);
    out->listen = arena_cstr(out->a, conf_text(&c, s, "listen"));
    out->health = arena_cstr(out->a, conf_text(&c, s, "health"));
    out->dir = dir.n > 0 ? arena_cstr(out->a, dir) : folder_of(out->a, database);
    rc = read_listen(conf_text(&c, s, "listen"), out, d);
    if (rc == 0)
        rc = read_census(&c, s, out, d);
    return rc == 0 && arena_failed(out->a)
               ? diag_set(d, ERR_NOMEM, "no memory for the configuration")
               : rc;
}

/* A relative path of the file is below the file's own folder. */
static const char *below(struct arena *a, const char *folder, const char *path)
{
    return path[0] == '/' ? path : arena_printf(a, "%s/%s", folder, path);
}

int registry_conf_read(const char *path, struct registry_conf *out, struct diag *d)
{
    struct buf text;
    buf_init(&text, 1u << 20);
    *out = (struct registry_conf){0};
    int rc = fs_read(path, &text, d);
    if (rc == 0 && registry_conf_parse(buf_view(&text), out, d) != 0)
        rc = diag_where(d, "%s", path);
    buf_free(&text);
    if (rc == 0) {
        const char *folder = folder_of(out->a, slice_str(path));
        out->database = below(out->a, folder, out->database);
        out->dir = below(out->a, folder, out->dir);
    }
    if (rc == 0 && arena_failed(out->a))
        rc = diag_set(d, ERR_NOMEM, "no memory for the configuration");
    return rc;
}

void registry_conf_free(struct registry_conf *c)
{
    arena_free(c->a);
    c->a = NULL;
}
