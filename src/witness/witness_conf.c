#include "witness/witness_conf.h"
#include "base/err.h"
#include "keys/keystore.h"
#include "proc/command.h"
#include "proc/fs.h"

#include <stdio.h>
#include <string.h>

#define WORKERS_MAX 16
#define NAME_MAX_BYTES 255

#define S(key, kind, fallback, help)                                                               \
    {                                                                                              \
        "witness", key, kind, false, fallback, help                                                \
    }

const struct conf_rule witness_conf_rules[] = {
    S("name", CONF_TEXT, NULL, "the witness's name, as it stands in its signatures"),
    S("dir", CONF_TEXT, ".", "folder of the key, the store and the evidence"),
    S("listen", CONF_TEXT, "127.0.0.1:7380", "where logs hand in their checkpoints"),
    S("health", CONF_TEXT, NULL,
      "where /healthz and /metrics are served, or off; port 4007 of listen's loopback address, or "
      "of 127.0.0.1, unless told"),
    S("logs", CONF_TEXT, NULL, "file with the logs' keys, a vkey a line; the file logs in dir"),
    S("workers", CONF_NUMBER, "2", "processes that take requests, 1 to 16"),
    S("user", CONF_TEXT, NULL,
      "the user that all processes but the parent run as when started as root; else unchanged"),
};
const size_t witness_conf_rule_count = ARRAY_LEN(witness_conf_rules);

int witness_conf_check_name(const char *name, struct diag *d)
{
    size_t n = strlen(name);
    if (n == 0 || n > NAME_MAX_BYTES)
        return diag_set(d, ERR_USAGE, "a witness's name has 1 to %d characters", NAME_MAX_BYTES);
    for (size_t i = 0; i < n; i++)
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '+')
            return diag_set(d, ERR_USAGE,
                            "the name \"%s\": ASCII without blanks and without + stands in a "
                            "witness's name, such as w1.example.org",
                            name);
    return 0;
}

void witness_conf_path(const struct witness_conf *c, const char *what, char *out, size_t cap)
{
    snprintf(out, cap, "%s/%s", c->dir, what);
}

static int check_vkey(const struct witness_conf *c, const struct note_key *k, struct diag *d)
{
    if (k->type != NOTE_COSIGNATURE)
        return diag_set(d, ERR_SYNTAX, "it is not a witness's key");
    if (!slice_eq_str(note_key_name(k), c->name))
        return diag_set(d, ERR_USAGE,
                        "it is the key of %s, but the configuration says name = %s: a witness "
                        "keeps its name",
                        k->name, c->name);
    return keystore_check(c->dir, WITNESS_KEY, k->pkey, d);
}

int witness_conf_vkey(const struct witness_conf *c, struct note_key *out, struct diag *d)
{
    char path[1200];
    struct buf text;
    buf_init(&text, 4096);
    memset(out, 0, sizeof *out);
    witness_conf_path(c, WITNESS_VKEY, path, sizeof path);
    int rc = fs_read(path, &text, d);
    rc = rc != 0 ? rc : note_key_parse(slice_trim(buf_view(&text)), out, d);
    buf_free(&text);
    if (rc == 0 && (rc = check_vkey(c, out, d)) != 0)
        note_key_free(out);
    if (rc != 0)
        diag_where(d, "%s", path);
    return rc;
}

/* Beside the configuration's folder when relative, as `dir` is. */
static const char *logs_path(struct witness_conf *c, const char *path, const char *logs)
{
    const char *slash = strrchr(path, '/');
    if (logs == NULL)
        return arena_printf(c->a, "%s/logs", c->dir);
    if (logs[0] == '/' || slash == NULL)
        return logs;
    return arena_printf(c->a, "%.*s/%s", (int)(slash - path), path, logs);
}

int witness_conf_read(const char *path, struct witness_conf *out, struct diag *d)
{
    struct conf k;
    memset(out, 0, sizeof *out);
    out->a = arena_new(1u << 20);
    if (out->a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the configuration");
    int rc = command_config(path, "witness", witness_conf_rules, witness_conf_rule_count, out->a,
                            &k, out->dir, sizeof out->dir, d);
    if (rc != 0)
        return rc;
    int64_t workers = conf_number(&k, conf_find(&k, "witness", ""), "workers");
    out->name = command_text(out->a, &k, "witness", "name");
    out->user = command_text(out->a, &k, "witness", "user");
    out->listen = command_text(out->a, &k, "witness", "listen");
    out->health = command_text(out->a, &k, "witness", "health");
    out->logs = logs_path(out, path, command_text(out->a, &k, "witness", "logs"));
    if (out->name == NULL)
        return diag_set(d, ERR_USAGE, "%s: [witness] must say name = NAME", path);
    if (workers < 1 || workers > WORKERS_MAX)
        return diag_set(d, ERR_USAGE, "%s: workers: 1 to %d", path, WORKERS_MAX);
    out->workers = (int)workers;
    if (arena_failed(out->a))
        return diag_set(d, ERR_NOMEM, "no memory for the configuration");
    return witness_conf_check_name(out->name, d);
}

void witness_conf_free(struct witness_conf *c)
{
    arena_free(c->a);
    c->a = NULL;
}
