#include "witness/witness_logs.h"
#include "base/err.h"
#include "base/map.h"
#include "proc/fs.h"
#include "tlog/checkpoint.h"

#include <stdlib.h>
#include <string.h>

struct witness_logs {
    struct note_key *keys; /* room for all lines: addresses stay */
    size_t n;
    struct map *by_origin;
    struct map *by_public; /* a key stands in the file once, whatever the name */
};

static int known_already(const struct witness_logs *l, const struct note_key *k, struct diag *d)
{
    const struct note_key *other = map_get(l->by_public, slice_of(k->public, sizeof k->public));
    if (other == NULL)
        return 0;
    return diag_set(d, ERR_EXISTS, "the key of %s stands there already, as %s", k->name,
                    other->name);
}

static int add_origin(struct witness_logs *l, const struct note_key *k, struct diag *d)
{
    struct witness_log *log = map_get(l->by_origin, note_key_name(k));
    if (log == NULL) {
        log = calloc(1, sizeof *log);
        if (log == NULL || map_put(l->by_origin, note_key_name(k), log) != 0) {
            free(log);
            return diag_set(d, ERR_NOMEM, "no memory for a log");
        }
    }
    if (log->n == WITNESS_LOG_KEYS_MAX)
        return diag_set(d, ERR_TOO_LARGE, "%s has more than %d keys", k->name,
                        WITNESS_LOG_KEYS_MAX);
    log->key[log->n++] = k;
    return 0;
}

static int add(struct witness_logs *l, struct slice vkey, struct diag *d)
{
    struct note_key *k = &l->keys[l->n];
    int rc = note_key_parse(vkey, k, d);
    if (rc != 0)
        return rc;
    l->n++; /* it is freed with the list, whatever follows */
    if (k->type != NOTE_ED25519)
        return diag_set(d, ERR_SYNTAX, "%s is a witness's key, not a log's", k->name);
    if (!checkpoint_is_origin(note_key_name(k)))
        return diag_set(d, ERR_SYNTAX, "%s is no name that a log can have as origin", k->name);
    rc = known_already(l, k, d);
    if (rc == 0 && map_put(l->by_public, slice_of(k->public, sizeof k->public), k) != 0)
        rc = diag_set(d, ERR_NOMEM, "no memory for a log");
    return rc != 0 ? rc : add_origin(l, k, d);
}

static size_t lines_of(struct slice text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n < WITNESS_LOGS_MAX ? n : WITNESS_LOGS_MAX;
}

static int add_all(struct witness_logs *l, struct slice text, struct diag *d)
{
    struct slice line;
    for (unsigned at = 1; text.n > 0 && slice_next(&text, '\n', &line); at++) {
        line = slice_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        int rc = l->n == WITNESS_LOGS_MAX
                     ? diag_set(d, ERR_TOO_LARGE, "more than %d keys", WITNESS_LOGS_MAX)
                     : add(l, line, d);
        if (rc != 0)
            return diag_where(d, "line %u", at);
    }
    return 0;
}

int witness_logs_parse(struct slice text, struct witness_logs **out, struct diag *d)
{
    *out = NULL;
    struct witness_logs *l = calloc(1, sizeof *l);
    if (l == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the logs");
    l->keys = calloc(lines_of(text), sizeof *l->keys);
    l->by_origin = map_new(WITNESS_LOGS_MAX, 0);
    l->by_public = map_new(WITNESS_LOGS_MAX, 0);
    int rc = l->keys == NULL || l->by_origin == NULL || l->by_public == NULL
                 ? diag_set(d, ERR_NOMEM, "no memory for the logs")
                 : add_all(l, text, d);
    if (rc != 0) {
        witness_logs_free(l);
        return rc;
    }
    *out = l;
    return 0;
}

int witness_logs_load(const char *path, struct buf *text, struct diag *d)
{
    return fs_exists(path) ? fs_read(path, text, d) : 0;
}

int witness_logs_read(const char *path, struct witness_logs **out, struct diag *d)
{
    struct buf text;
    *out = NULL;
    buf_init(&text, WITNESS_LOGS_FILE);
    int rc = witness_logs_load(path, &text, d);
    if (rc == 0 && (rc = witness_logs_parse(buf_view(&text), out, d)) != 0)
        diag_where(d, "%s", path);
    buf_free(&text);
    return rc;
}

void witness_logs_free(struct witness_logs *l)
{
    struct slice key;
    void *log;
    if (l == NULL)
        return;
    for (size_t at = 0; l->by_origin != NULL && map_next(l->by_origin, &at, &key, &log);)
        free(log);
    map_free(l->by_origin);
    map_free(l->by_public);
    for (size_t i = 0; i < l->n; i++)
        note_key_free(&l->keys[i]);
    free(l->keys);
    free(l);
}

size_t witness_logs_count(const struct witness_logs *l)
{
    return l->n;
}

const struct note_key *witness_logs_at(const struct witness_logs *l, size_t i)
{
    return &l->keys[i];
}

const struct witness_log *witness_logs_find(const struct witness_logs *l, struct slice origin)
{
    return map_get(l->by_origin, origin);
}
