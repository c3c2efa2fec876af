#include "monitor/monitor_state.h"
#include "base/base64.h"
#include "base/err.h"
#include "base/timeval.h"
#include "proc/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_MAX (128u << 20)
#define HEAD SLICE_LIT("sild/monitor@v1")
#define EVIDENCE_MAX 1000 /* folders; then the oldest must be taken away by a person */

static void path_of(const struct monitor_state *s, const char *name, char out[MONITOR_STATE_PATH])
{
    snprintf(out, MONITOR_STATE_PATH, "%s/%s", s->dir, name);
}

struct monitor_known *monitor_state_find(struct monitor_state *s, struct slice name)
{
    return map_get(s->by_name, name);
}

static bool make_room(struct monitor_state *s)
{
    if (s->n < s->cap)
        return true;
    size_t cap = s->cap == 0 ? 64 : s->cap * 2;
    struct monitor_known **more = realloc(s->known, cap * sizeof(struct monitor_known *));
    if (more == NULL)
        return false;
    s->known = more;
    s->cap = cap;
    return true;
}

struct monitor_known *monitor_state_add(struct monitor_state *s, struct slice vkey)
{
    struct monitor_known *k = make_room(s) ? calloc(1, sizeof *k) : NULL;
    if (k == NULL)
        return NULL;
    if (note_key_parse(vkey, &k->key, NULL) != 0 ||
        map_put(s->by_name, note_key_name(&k->key), k) != 0) {
        note_key_free(&k->key);
        free(k);
        return NULL;
    }
    s->known[s->n++] = k;
    s->changed = true;
    return k;
}

/* --- reading --- */

static bool take_bytes(struct slice base64, uint8_t *out, size_t n)
{
    struct buf b;
    buf_init(&b, n);
    bool ok = base64_decode(&b, base64, false) == 0 && b.n == n;
    if (ok)
        memcpy(out, b.p, n);
    buf_free(&b);
    return ok;
}

static bool parse_known(struct monitor_state *s, struct slice line)
{
    struct slice size, root;
    struct merkle_hash hash;
    uint64_t number;
    if (!slice_next(&line, ' ', &size) || !slice_next(&line, ' ', &root) || line.p == NULL ||
        !slice_u64(size, &number) || !take_bytes(root, hash.b, MERKLE_HASH))
        return false;
    struct monitor_known *k = monitor_state_add(s, line);
    if (k == NULL)
        return false;
    k->size = number;
    k->root = hash;
    return true;
}

static bool parse_record(struct monitor_state *s, struct slice text)
{
    s->has_record = !slice_eq_str(text, "-");
    return !s->has_record || take_bytes(text, s->record, ROUND_RECORD);
}

static bool parse_state(struct monitor_state *s, struct slice text)
{
    struct slice line;
    if (!slice_next(&text, '\n', &line) || !slice_eq(line, HEAD) ||
        !slice_next(&text, '\n', &line) || !slice_skip(&line, SLICE_LIT("entries ")) ||
        !slice_u64(line, &s->entries) || !slice_next(&text, '\n', &line) ||
        !slice_skip(&line, SLICE_LIT("record ")) || !parse_record(s, line))
        return false;
    while (slice_next(&text, '\n', &line) && line.n > 0)
        if (!parse_known(s, line))
            return false;
    return text.n == 0;
}

static int parse_checkpoint(struct monitor_state *s, struct diag *d)
{
    struct note n;
    struct checkpoint c;
    int rc = note_parse(buf_view(&s->note), &n, d);
    rc = rc != 0 ? rc : checkpoint_parse(n.text, &c, d);
    if (rc != 0)
        return rc;
    s->last = (struct witness_state){.size = c.size, .root = c.root};
    s->begun = true;
    return 0;
}

static int read_all(struct monitor_state *s, struct diag *d)
{
    char path[MONITOR_STATE_PATH];
    struct buf text;
    path_of(s, "checkpoint", path);
    if (!fs_exists(path))
        return 0;
    int rc = fs_read(path, &s->note, d);
    rc = rc != 0 ? rc : parse_checkpoint(s, d);
    if (rc != 0)
        return diag_where(d, "%s", path);
    path_of(s, "state", path);
    buf_init(&text, STATE_MAX);
    rc = fs_read(path, &text, d);
    if (rc == 0 && !parse_state(s, buf_view(&text)))
        rc = diag_set(d, ERR_CORRUPT, "%s is not what a monitor wrote", path);
    buf_free(&text);
    s->changed = false;
    return rc;
}

int monitor_state_open(struct monitor_state *s, const char *dir, struct diag *d)
{
    char path[MONITOR_STATE_PATH];
    memset(s, 0, sizeof *s);
    buf_init(&s->note, NOTE_MAX);
    if (strlen(dir) >= MONITOR_STATE_DIR)
        return diag_set(d, ERR_TOO_LARGE, "the folder's path is too long");
    snprintf(s->dir, sizeof s->dir, "%s", dir);
    s->by_name = map_new(MONITOR_STATE_NAMES, (uint64_t)(uintptr_t)s);
    if (s->by_name == NULL)
        return diag_set(d, ERR_NOMEM, "no memory");
    path_of(s, "evidence", path);
    int rc = fs_mkdirs(path, 0755, d);
    return rc != 0 ? rc : read_all(s, d);
}

void monitor_state_free(struct monitor_state *s)
{
    for (size_t i = 0; i < s->n; i++) {
        note_key_free(&s->known[i]->key);
        free(s->known[i]);
    }
    free(s->known);
    map_free(s->by_name);
    buf_free(&s->note);
}

/* --- writing --- */

static void print_state(const struct monitor_state *s, struct buf *b)
{
    buf_slice(b, HEAD);
    buf_printf(b, "\nentries %llu\nrecord ", (unsigned long long)s->entries);
    if (s->has_record)
        base64_append(b, slice_of(s->record, ROUND_RECORD));
    else
        buf_byte(b, '-');
    buf_byte(b, '\n');
    for (size_t i = 0; i < s->n; i++) {
        const struct monitor_known *k = s->known[i];
        buf_printf(b, "%llu ", (unsigned long long)k->size);
        base64_append(b, slice_of(k->root.b, MERKLE_HASH));
        buf_byte(b, ' ');
        note_key_print(&k->key, b);
        buf_byte(b, '\n');
    }
}

int monitor_state_write(struct monitor_state *s, struct diag *d)
{
    char path[MONITOR_STATE_PATH];
    struct buf b;
    if (!s->changed)
        return 0;
    /* The state first: entries read beyond the last checkpoint are read again, no harm. */
    buf_init(&b, STATE_MAX);
    print_state(s, &b);
    path_of(s, "state", path);
    int rc = b.failed ? diag_set(d, ERR_TOO_LARGE, "too many journals to keep")
                      : fs_write(path, buf_view(&b), 0644, d);
    buf_free(&b);
    if (rc == 0 && s->begun) {
        path_of(s, "checkpoint", path);
        rc = fs_write(path, buf_view(&s->note), 0644, d);
    }
    s->changed = rc != 0;
    return rc;
}

int monitor_state_take(struct monitor_state *s, const struct checkpoint *c, struct slice note,
                       struct diag *d)
{
    buf_reset(&s->note);
    buf_slice(&s->note, note);
    if (s->note.failed)
        return diag_set(d, ERR_NOMEM, "no memory");
    s->last = (struct witness_state){.size = c->size, .root = c->root};
    s->begun = true;
    s->changed = true;
    return 0;
}

int monitor_state_seen(struct monitor_state *s, struct slice note, struct diag *d)
{
    char path[MONITOR_STATE_PATH];
    struct buf b;
    path_of(s, "seen", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return diag_set(d, err_from_errno(errno), "%s: %s", path, strerror(errno));
    buf_init(&b, NOTE_MAX + 1);
    buf_slice(&b, note);
    buf_byte(&b, '\n');
    ssize_t n = write(fd, b.p, b.n);
    int rc = n == (ssize_t)b.n ? 0 : diag_set(d, ERR_IO, "%s cannot be written", path);
    buf_free(&b);
    close(fd);
    return rc;
}

int monitor_state_evidence(struct monitor_state *s, int64_t now_ms, const char *sentence,
                           char out[MONITOR_STATE_PATH], struct diag *d)
{
    char at[TIMEVAL_TEXT];
    timeval_print_iso(now_ms, true, at);
    for (unsigned i = 0; i < EVIDENCE_MAX; i++) {
        snprintf(out, MONITOR_STATE_PATH, "%s/evidence/%s-%u", s->dir, at, i);
        if (fs_exists(out))
            continue;
        int rc = fs_mkdirs(out, 0755, d);
        return rc != 0 ? rc : monitor_state_keep(out, "what", slice_str(sentence), d);
    }
    return diag_set(d, ERR_TOO_LARGE, "%s/evidence is full", s->dir);
}

int monitor_state_keep(const char *folder, const char *name, struct slice bytes, struct diag *d)
{
    char path[MONITOR_STATE_PATH + 128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fs_write(path, bytes, 0644, d);
}
