#include "monitor/monitor_look.h"
#include "base/err.h"
#include "monitor/monitor_rounds.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_MS 60000 /* a cosignature's or a round's time may differ by so much from ours */
#define SENTENCE 1024

static void tell(struct monitor *m, enum monitor_found what, const char *sentence)
{
    printf("%s: %s\n", what == MONITOR_MISBEHAVES ? "misbehaves" : "alarm", sentence);
    fflush(stdout);
    if (what == MONITOR_MISBEHAVES)
        m->counts.misdeeds++;
    else
        m->counts.alarms++;
    m->found = what > m->found ? what : m->found;
    m->worst = what > m->worst ? what : m->worst;
}

void monitor_tell(struct monitor *m, enum monitor_found what, const char *fmt, ...)
{
    char sentence[SENTENCE];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    tell(m, what, sentence);
}

/* The tiles at the edge of the tree of now, as the log serves them. */
static void keep_edge(struct monitor *m, const char *folder, uint64_t size)
{
    char path[TILE_PATH_MAX], name[TILE_PATH_MAX];
    struct buf b;
    buf_init(&b, TILE_BYTES);
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        struct tile_id id = {.level = level};
        unsigned partial;
        uint64_t full = tile_count(level, size, &partial);
        if (full == 0 && partial == 0)
            break;
        id.index = partial > 0 ? full : full - 1;
        id.width = partial > 0 ? partial : TILE_WIDTH;
        buf_reset(&b);
        struct diag d = {0};
        tile_path(&id, path);
        snprintf(name, sizeof name, "%s", path);
        for (char *p = name; *p != '\0'; p++)
            if (*p == '/')
                *p = '_';
        if (tile_source_get(&m->source, path, TILE_BYTES, &b, &d) != 0 ||
            monitor_state_keep(folder, name, buf_view(&b), &d) != 0)
            printf("note: a tile could not be kept: %s: %s\n", d.where, d.text);
    }
    buf_free(&b);
}

static uint64_t size_of(struct slice note)
{
    struct note n;
    struct checkpoint c;
    return note_parse(note, &n, NULL) == 0 && checkpoint_parse(n.text, &c, NULL) == 0 ? c.size : 0;
}

void monitor_accuse(struct monitor *m, struct slice a, struct slice b, const char *fmt, ...)
{
    char sentence[SENTENCE], folder[MONITOR_STATE_PATH];
    struct diag d = {0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    tell(m, MONITOR_MISBEHAVES, sentence);
    int rc = monitor_state_evidence(&m->state, m->now_ms, sentence, folder, &d);
    rc = rc != 0 ? rc : monitor_state_keep(folder, "a", a, &d);
    if (rc == 0 && b.n > 0)
        rc = monitor_state_keep(folder, "b", b, &d);
    if (rc == 0)
        keep_edge(m, folder, size_of(a) > size_of(b) ? size_of(a) : size_of(b));
    if (rc == 0)
        printf("evidence: %s\n", folder);
    else
        printf("evidence could not be kept: %s: %s\n", d.where, d.text);
    fflush(stdout);
}

/* --- the checkpoint --- */

struct view {
    struct slice bytes;
    struct note note;
    struct checkpoint cp;
    struct tile_tree *tree; /* of its size, trusted when not NULL */
};

/* Signed by a log of the policy: from here on it is evidence, whatever else it lacks. */
static bool open_view(struct monitor *m, struct view *v)
{
    const struct note_key *keys[POLICY_LOGS];
    struct note_seen seen;
    struct diag d = {0};
    for (size_t i = 0; i < m->policy->n_logs; i++)
        keys[i] = &m->policy->log[i].key;
    int rc = note_parse(v->bytes, &v->note, &d);
    rc = rc != 0 ? rc : note_open(&v->note, keys, m->policy->n_logs, &seen, &d);
    rc = rc != 0 ? rc : checkpoint_parse(v->note.text, &v->cp, &d);
    if (rc != 0)
        monitor_accuse(m, v->bytes, SLICE_NONE, "the checkpoint is none of this log: %s", d.text);
    return rc == 0;
}

/* Builds the tree of a checkpoint from the tiles of now; *bad: they do not give its root. */
static int trust(struct monitor *m, struct view *v, bool *bad, struct diag *d)
{
    *bad = false;
    m->source.diag = d;
    v->tree = tile_tree_new(tile_source_fetch, &m->source, v->cp.size);
    if (v->tree == NULL)
        return diag_set(d, ERR_NOMEM, "no memory");
    int rc = v->cp.size == 0 ? 0 : tile_tree_trust(v->tree, &v->cp.root, d);
    *bad = rc == ERR_INVALID_HASH_CHAIN || rc == ERR_CORRUPT ||
           (v->cp.size == 0 && !checkpoint_is_sound(&v->cp));
    return rc;
}

/* Is the older one a prefix of the tree of v? */
static int is_prefix(struct view *v, const struct witness_state *older, bool *yes, struct diag *d)
{
    struct merkle_hash root;
    int rc = merkle_root_at(tile_tree_get, v->tree, older->size, &root);
    if (rc != 0)
        return rc == ERR_INVALID_HASH_CHAIN || rc == ERR_CORRUPT
                   ? (*yes = false, 0)
                   : diag_set(d, rc, "the tiles cannot be read");
    *yes = memcmp(root.b, older->root.b, MERKLE_HASH) == 0;
    return 0;
}

static void contradiction(struct monitor *m, const struct view *v)
{
    monitor_accuse(m, buf_view(&m->state.note), v->bytes,
                   "two checkpoints that contradict each other, both signed by the log: of %" PRIu64
                   " and of %" PRIu64 " leaves",
                   m->state.last.size, v->cp.size);
}

/* A smaller one than the last: late, or another history. The last one's tree decides. */
static int judge_smaller(struct monitor *m, struct view *v, struct diag *d)
{
    struct view last = {.bytes = buf_view(&m->state.note)};
    const struct witness_state older = {.size = v->cp.size, .root = v->cp.root};
    bool yes = false, bad = false;
    int rc = note_parse(last.bytes, &last.note, d);
    rc = rc != 0 ? rc : checkpoint_parse(last.note.text, &last.cp, d);
    rc = rc != 0 ? rc : trust(m, &last, &bad, d);
    if (rc == 0)
        rc = is_prefix(&last, &older, &yes, d);
    tile_tree_free(last.tree);
    if (bad || (rc == 0 && !yes)) {
        contradiction(m, v);
        return 0;
    }
    if (rc == 0 || rc == ERR_NOT_FOUND) {
        monitor_tell(m, MONITOR_ALARM,
                     "the log shows an older checkpoint than before: of %" PRIu64
                     " leaves after one of %" PRIu64,
                     v->cp.size, m->state.last.size);
        rc = 0;
    }
    return rc;
}

/* *usable: the checkpoint goes on from the last one, and v->tree is trusted. */
static int judge_growth(struct monitor *m, struct view *v, bool *usable, struct diag *d)
{
    bool bad = false, yes = true;
    *usable = false;
    if (m->state.begun && v->cp.size < m->state.last.size)
        return judge_smaller(m, v, d);
    if (m->state.begun && v->cp.size == m->state.last.size &&
        memcmp(v->cp.root.b, m->state.last.root.b, MERKLE_HASH) != 0) {
        contradiction(m, v);
        return 0;
    }
    int rc = trust(m, v, &bad, d);
    if (bad) {
        monitor_accuse(m, v->bytes, SLICE_NONE,
                       "the tiles do not give the root that was signed for %" PRIu64
                       " leaves: %s: %s",
                       v->cp.size, d->where, d->text);
        return 0;
    }
    if (rc == ERR_NOT_FOUND) {
        monitor_tell(m, MONITOR_ALARM, "a tile of %" PRIu64 " leaves is not there: %s", v->cp.size,
                     d->where);
        return 0;
    }
    if (rc == 0 && m->state.begun)
        rc = is_prefix(v, &m->state.last, &yes, d);
    if (rc == 0 && !yes)
        contradiction(m, v);
    *usable = rc == 0 && yes;
    return rc;
}

/* --- its witnesses --- */

static void judge_times(struct monitor *m, const struct policy_verdict *p)
{
    for (size_t i = 0; i < m->policy->n_witnesses; i++) {
        int64_t off = (int64_t)p->times[i] * 1000 - m->now_ms;
        if ((p->witnesses & 1u << i) == 0 || off <= CLOCK_MS)
            continue;
        monitor_tell(m, MONITOR_ALARM, "the clock of %.*s is %" PRId64 " s ahead of ours",
                     SLICE_ARG(note_key_name(&m->policy->witness[i].key)), off / 1000);
    }
}

static void judge_quorum(struct monitor *m, struct view *v)
{
    struct policy_verdict p = {.log = 0};
    struct diag d = {0};
    int rc = policy_check(m->policy, &v->note, &p, &d);
    m->counts.needed = m->policy->needs_witnesses ? policy_needs(m->policy) : 0;
    m->counts.cosignatures = (unsigned)__builtin_popcount(p.witnesses);
    if (rc != 0)
        monitor_tell(m, MONITOR_ALARM, "the checkpoint of %" PRIu64 " leaves is not believed: %s",
                     v->cp.size, d.text);
    else
        judge_times(m, &p);
}

/* What one witness serves of this log, against the log's own tree. */
static void compare(struct monitor *m, struct view *v, const struct policy_witness *w,
                    struct slice bytes)
{
    const struct note_key *keys[POLICY_LOGS + 1];
    struct view theirs = {.bytes = bytes};
    struct note_seen seen;
    struct diag d = {0};
    bool yes = true;
    size_t n = 0;
    for (; n < m->policy->n_logs; n++)
        keys[n] = &m->policy->log[n].key;
    keys[n] = &w->key;
    int rc = note_parse(bytes, &theirs.note, &d);
    rc = rc != 0 ? rc : note_open(&theirs.note, keys, n + 1, &seen, &d);
    rc = rc != 0 ? rc : checkpoint_parse(theirs.note.text, &theirs.cp, &d);
    if (rc != 0 || (seen.keys & ~(UINT64_C(1) << n)) == 0) {
        monitor_tell(m, MONITOR_ALARM, "what %.*s serves of this log is no checkpoint of it: %s",
                     SLICE_ARG(w->name), rc != 0 ? d.text : "the log's signature is missing");
        return;
    }
    if (theirs.cp.size > v->cp.size)
        return; /* the next look will have it */
    const struct witness_state older = {.size = theirs.cp.size, .root = theirs.cp.root};
    if (is_prefix(v, &older, &yes, &d) == 0 && !yes)
        monitor_accuse(m, bytes, v->bytes,
                       "the witness %.*s was shown another history: of %" PRIu64
                       " leaves, not that of the log's %" PRIu64,
                       SLICE_ARG(w->name), theirs.cp.size, v->cp.size);
}

static void ask_witnesses(struct monitor *m, struct view *v)
{
    char path[76];
    struct buf b;
    buf_init(&b, NOTE_MAX);
    witness_path(v->cp.origin, path);
    for (size_t i = 0; i < m->policy->n_witnesses; i++) {
        const struct policy_witness *w = &m->policy->witness[i];
        struct tile_source at;
        struct diag d = {0};
        char url[TILE_SOURCE_WHERE];
        buf_reset(&b);
        if (w->url.n == 0 || !slice_cstr(w->url, url, sizeof url) ||
            tile_source_init(&at, url, m->source.timeout_ms, &d) != 0)
            continue;
        if (tile_source_get(&at, path, NOTE_MAX, &b, &d) == 0)
            compare(m, v, w, buf_view(&b));
    }
    buf_free(&b);
}

/* --- one look --- */

static int take(struct monitor *m, struct view *v, struct diag *d)
{
    bool fresh = !m->state.begun || v->cp.size != m->state.last.size ||
                 !slice_eq(v->bytes, buf_view(&m->state.note));
    if (!fresh)
        return 0;
    m->counts.fresh_ms = m->now_ms;
    if (!m->state.begun && !m->full)
        m->state.entries = v->cp.size > 0 ? v->cp.size - 1 : 0;
    int rc = monitor_state_take(&m->state, &v->cp, v->bytes, d);
    return rc;
}

static int judge(struct monitor *m, struct view *v, struct diag *d)
{
    bool usable;
    int rc = 0;
    if (!open_view(m, v))
        return 0;
    if (!m->state.begun || !slice_eq(v->bytes, buf_view(&m->state.note)))
        rc = monitor_state_seen(&m->state, v->bytes, d);
    rc = rc != 0 ? rc : judge_growth(m, v, &usable, d);
    if (rc != 0 || !usable)
        return rc;
    judge_quorum(m, v);
    if (m->ask_witnesses)
        ask_witnesses(m, v);
    rc = take(m, v, d);
    rc = rc != 0 ? rc : monitor_rounds_read(m, v->tree, v->cp.size, d);
    int wrote = monitor_state_write(&m->state, rc == 0 ? d : NULL);
    return rc != 0 ? rc : wrote;
}

int monitor_look(struct monitor *m, int64_t now_ms, struct diag *d)
{
    struct view *v = calloc(1, sizeof *v);
    struct buf b;
    if (v == NULL)
        return diag_set(d, ERR_NOMEM, "no memory");
    m->now_ms = now_ms;
    m->found = MONITOR_FINE;
    m->counts.looks++;
    if (m->counts.fresh_ms == 0)
        m->counts.fresh_ms = now_ms;
    buf_init(&b, NOTE_MAX);
    int rc = tile_source_get(&m->source, "checkpoint", NOTE_MAX, &b, d);
    v->bytes = buf_view(&b);
    rc = rc != 0 ? rc : judge(m, v, d);
    if (rc != 0)
        m->counts.unreachable++;
    if (m->stale_ms > 0 && now_ms - m->counts.fresh_ms > m->stale_ms)
        monitor_tell(m, MONITOR_ALARM, "no new checkpoint for %" PRId64 " s",
                     (now_ms - m->counts.fresh_ms) / 1000);
    tile_tree_free(v->tree);
    buf_free(&b);
    free(v);
    return rc;
}
