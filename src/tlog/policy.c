#include "tlog/policy.h"

#include <stdlib.h>

#include "base/err.h"
#include "tlog/lines.h"

#define NONE "none"

static int bad(struct diag *d, const char *why, struct slice word)
{
    diag_set(d, ERR_SYNTAX, "%s: %.*s", why, SLICE_ARG(slice_sub(word, 0, 100)));
    diag_rule(d, "C2SP tlog-policy");
    return ERR_SYNTAX;
}

/* The next word of a line; blanks and tabs part words. */
static bool next_word(struct slice *line, struct slice *word)
{
    size_t i = 0, n;
    while (i < line->n && (line->p[i] == ' ' || line->p[i] == '\t'))
        i++;
    for (n = i; n < line->n && line->p[n] != ' ' && line->p[n] != '\t';)
        n++;
    *word = slice_sub(*line, i, n - i);
    *line = slice_from(*line, n);
    return word->n > 0;
}

/* An url may follow as the last word. */
static bool take_url(struct slice *line, struct slice *url)
{
    struct slice more;
    *url = SLICE_NONE;
    return !next_word(line, url) || !next_word(line, &more);
}

static bool same_public(const struct note_key *a, const struct note_key *b)
{
    return memcmp(a->public, b->public, sizeof a->public) == 0;
}

static int find_witness(const struct policy *p, struct slice name)
{
    for (size_t i = 0; i < p->n_witnesses; i++)
        if (slice_eq(p->witness[i].name, name))
            return (int)i;
    return -1;
}

static int find_group(const struct policy *p, struct slice name)
{
    for (size_t i = 0; i < p->n_groups; i++)
        if (slice_eq(p->group[i].name, name))
            return (int)i;
    return -1;
}

static bool name_free(const struct policy *p, struct slice name)
{
    return !slice_eq_str(name, NONE) && find_witness(p, name) < 0 && find_group(p, name) < 0;
}

static int parse_key(struct slice *line, enum note_type type, struct note_key *out, struct diag *d)
{
    struct slice vkey;
    if (!next_word(line, &vkey))
        return bad(d, "the key is missing", vkey);
    int rc = note_key_parse(vkey, out, d);
    if (rc == 0 && out->type != (uint8_t)type)
        rc = bad(d, "this key is of the wrong type for its line", vkey);
    return rc;
}

static int parse_log(struct policy *p, struct slice *line, struct diag *d)
{
    if (p->n_logs == POLICY_LOGS)
        return diag_set(d, ERR_TOO_LARGE, "more than %d logs", POLICY_LOGS);
    struct policy_log *l = &p->log[p->n_logs++];
    int rc = parse_key(line, NOTE_ED25519, &l->key, d);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i + 1 < p->n_logs; i++)
        if (same_public(&p->log[i].key, &l->key))
            return bad(d, "the same key twice among logs", note_key_name(&l->key));
    return take_url(line, &l->url) ? 0 : bad(d, "words after the url", *line);
}

static int parse_witness(struct policy *p, struct slice *line, struct diag *d)
{
    if (p->n_witnesses == POLICY_WITNESSES)
        return diag_set(d, ERR_TOO_LARGE, "more than %d witnesses", POLICY_WITNESSES);
    struct slice name;
    if (!next_word(line, &name) || !name_free(p, name))
        return bad(d, "a witness has no name of its own", name);
    struct policy_witness *w = &p->witness[p->n_witnesses++];
    w->name = name;
    int rc = parse_key(line, NOTE_COSIGNATURE, &w->key, d);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i + 1 < p->n_witnesses; i++)
        if (same_public(&p->witness[i].key, &w->key))
            return bad(d, "the same key twice among witnesses", name);
    return take_url(line, &w->url) ? 0 : bad(d, "words after the url", *line);
}

/* Nobody may count twice, so a name is a member once in the whole file. */
static bool is_member(const struct policy *p, uint32_t witness, uint32_t group)
{
    for (size_t i = 0; i < p->n_groups; i++)
        if ((p->group[i].witnesses & witness) != 0 || (p->group[i].groups & group) != 0)
            return true;
    return false;
}

static int parse_members(struct policy *p, struct policy_group *g, struct slice *line, unsigned *n,
                         struct diag *d)
{
    struct slice word;
    for (*n = 0; next_word(line, &word); ++*n) {
        int w = find_witness(p, word), in = find_group(p, word);
        uint32_t wbit = w < 0 ? 0 : UINT32_C(1) << w, gbit = in < 0 ? 0 : UINT32_C(1) << in;
        if (wbit == 0 && gbit == 0)
            return bad(d, "no witness or group above has this name", word);
        if (is_member(p, wbit, gbit) || (g->witnesses & wbit) != 0 || (g->groups & gbit) != 0)
            return bad(d, "a member for the second time", word);
        g->witnesses |= wbit;
        g->groups |= gbit;
    }
    return 0;
}

static int parse_group(struct policy *p, struct slice *line, struct diag *d)
{
    if (p->n_groups == POLICY_GROUPS)
        return diag_set(d, ERR_TOO_LARGE, "more than %d groups", POLICY_GROUPS);
    struct slice name, how;
    struct policy_group g = {0};
    unsigned n;
    uint64_t k = 0;
    if (!next_word(line, &name) || !name_free(p, name) || !next_word(line, &how))
        return bad(d, "a group has no name of its own, or no number", name);
    int rc = parse_members(p, &g, line, &n, d);
    if (rc != 0)
        return rc;
    if (slice_eq_str(how, "all"))
        k = n;
    else if (slice_eq_str(how, "any"))
        k = 1;
    else if (!lines_number(how, &k))
        return bad(d, "a group needs all, any or a number", how);
    if (k < 1 || k > n)
        return bad(d, "a group cannot need so many of its members", how);
    g.name = name;
    g.k = (unsigned)k;
    p->group[p->n_groups++] = g;
    return 0;
}

static int parse_line(struct policy *p, struct slice line, struct slice *quorum, struct diag *d)
{
    struct slice word;
    if (!next_word(&line, &word) || word.p[0] == '#')
        return 0;
    if (slice_eq_str(word, "log"))
        return parse_log(p, &line, d);
    if (slice_eq_str(word, "witness"))
        return parse_witness(p, &line, d);
    if (slice_eq_str(word, "group"))
        return parse_group(p, &line, d);
    if (!slice_eq_str(word, "quorum"))
        return bad(d, "a line may begin with log, witness, group or quorum, not with", word);
    struct slice more;
    if (quorum->n > 0 || !next_word(&line, quorum) || next_word(&line, &more))
        return bad(d, "one quorum line with one name is needed", line);
    return 0;
}

static int set_quorum(struct policy *p, struct slice name, struct diag *d)
{
    if (name.n == 0)
        return bad(d, "the quorum is missing", name);
    if (slice_eq_str(name, NONE))
        return 0;
    int w = find_witness(p, name), g = find_group(p, name);
    if (w < 0 && g < 0)
        return bad(d, "the quorum's name is not known", name);
    p->needs_witnesses = true;
    p->quorum_is_group = g >= 0;
    p->quorum = (unsigned)(g >= 0 ? g : w);
    return 0;
}

static bool bytes_ok(struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((text.p[i] < 0x20 && text.p[i] != '\n' && text.p[i] != '\t') || text.p[i] == 0x7F)
            return false;
    return true;
}

static int parse(struct policy *p, struct diag *d)
{
    struct slice rest = buf_view(&p->text), line, quorum = SLICE_NONE;
    if (!bytes_ok(rest))
        return bad(d, "a policy has no control characters but tab and line end", SLICE_LIT(""));
    for (unsigned n = 1; slice_next(&rest, '\n', &line); n++) {
        int rc = parse_line(p, line, &quorum, d);
        if (rc != 0) {
            diag_where(d, "line %u", n);
            return rc;
        }
    }
    return set_quorum(p, quorum, d);
}

int policy_parse(struct slice text, struct policy **out, struct diag *d)
{
    *out = NULL;
    if (text.n > POLICY_MAX)
        return diag_set(d, ERR_TOO_LARGE, "a policy of more than %u bytes", POLICY_MAX);
    struct policy *p = calloc(1, sizeof *p);
    if (p == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a policy");
    buf_init(&p->text, POLICY_MAX);
    buf_slice(&p->text, text);
    int rc = p->text.failed ? diag_set(d, ERR_NOMEM, "no memory for a policy") : parse(p, d);
    if (rc != 0)
        policy_free(p);
    else
        *out = p;
    return rc;
}

void policy_free(struct policy *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->n_logs; i++)
        note_key_free(&p->log[i].key);
    for (size_t i = 0; i < p->n_witnesses; i++)
        note_key_free(&p->witness[i].key);
    buf_free(&p->text);
    free(p);
}

/* --- judging --- */

bool policy_satisfied(const struct policy *p, uint32_t witnesses)
{
    if (!p->needs_witnesses)
        return true;
    if (!p->quorum_is_group)
        return (witnesses >> p->quorum & 1) != 0;
    /* Members stand above their group, so one pass in order decides all. */
    uint32_t met = 0;
    for (size_t i = 0; i <= p->quorum; i++) {
        const struct policy_group *g = &p->group[i];
        int n = __builtin_popcount(g->witnesses & witnesses) + __builtin_popcount(g->groups & met);
        if (n >= (int)g->k)
            met |= UINT32_C(1) << i;
    }
    return (met >> p->quorum & 1) != 0;
}

static int by_value(const void *a, const void *b)
{
    const unsigned *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

unsigned policy_needs(const struct policy *p)
{
    if (!p->needs_witnesses)
        return 0;
    if (!p->quorum_is_group)
        return 1;
    unsigned needs[POLICY_GROUPS] = {0};
    for (size_t i = 0; i <= p->quorum; i++) {
        const struct policy_group *g = &p->group[i];
        unsigned cost[POLICY_WITNESSES + POLICY_GROUPS], n = 0;
        for (int w = __builtin_popcount(g->witnesses); w > 0; w--)
            cost[n++] = 1;
        for (size_t m = 0; m < i; m++)
            if ((g->groups >> m & 1) != 0)
                cost[n++] = needs[m];
        qsort(cost, n, sizeof cost[0], by_value);
        for (unsigned k = 0; k < g->k; k++)
            needs[i] += cost[k];
    }
    return needs[p->quorum];
}

/* The earliest time by which enough had signed. */
static uint64_t quorum_time(const struct policy *p, uint32_t witnesses, const uint64_t *times)
{
    uint32_t so_far = 0;
    uint64_t t = 0;
    while (!policy_satisfied(p, so_far)) {
        uint32_t next = 0;
        for (size_t i = 0; i < p->n_witnesses; i++) {
            uint32_t bit = UINT32_C(1) << i;
            if ((witnesses & ~so_far & bit) != 0 && (next == 0 || times[i] < t)) {
                next = bit;
                t = times[i];
            }
        }
        so_far |= next;
    }
    return t;
}

int policy_check(const struct policy *p, const struct note *n, struct policy_verdict *out,
                 struct diag *d)
{
    const struct note_key *keys[POLICY_LOGS + POLICY_WITNESSES];
    struct note_seen seen;
    *out = (struct policy_verdict){0};
    for (size_t i = 0; i < p->n_logs; i++)
        keys[i] = &p->log[i].key;
    for (size_t i = 0; i < p->n_witnesses; i++)
        keys[p->n_logs + i] = &p->witness[i].key;
    int rc = note_open(n, keys, p->n_logs + p->n_witnesses, &seen, d);
    if (rc == 0)
        rc = checkpoint_parse(n->text, &out->checkpoint, d);
    if (rc != 0)
        return rc;
    while (out->log < p->n_logs &&
           ((seen.keys >> out->log & 1) == 0 ||
            !slice_eq(note_key_name(&p->log[out->log].key), out->checkpoint.origin)))
        out->log++;
    if (out->log == p->n_logs)
        return diag_set(d, ERR_MISSING_SIGNATURE,
                        "no log of the policy has signed as \"%.*s\", the checkpoint's origin",
                        SLICE_ARG(slice_sub(out->checkpoint.origin, 0, 255)));
    out->witnesses = (uint32_t)(seen.keys >> p->n_logs);
    memcpy(out->times, seen.times + p->n_logs, p->n_witnesses * sizeof out->times[0]);
    if (!policy_satisfied(p, out->witnesses))
        return diag_set(d, ERR_SIGNATURE_VERIFICATION,
                        "too few witnesses: %d of %zu have signed, the policy needs %u",
                        __builtin_popcount(out->witnesses), p->n_witnesses, policy_needs(p));
    out->time_s = quorum_time(p, out->witnesses, out->times);
    return 0;
}
