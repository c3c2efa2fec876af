#include "ledger/ledger_lists.h"
#include "base/cursor.h"
#include "base/err.h"
#include "proc/fs.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

static int add_file(struct buf *out, const char *path, bool may_miss, struct diag *d)
{
    struct buf b;
    buf_init(&b, LEDGER_LISTS_MAX / 2);
    int rc = fs_read(path, &b, d);
    if (rc == ERR_NOT_FOUND && may_miss)
        rc = 0;
    wr_var(out, buf_view(&b));
    buf_free(&b);
    return rc != 0 ? rc : out->failed ? diag_set(d, ERR_TOO_LARGE, "%s is too large", path) : 0;
}

int ledger_lists_pack(const char *journals, const char *policy, struct buf *out, struct diag *d)
{
    int rc = add_file(out, journals, true, d);
    if (rc == 0 && policy == NULL)
        wr_var(out, SLICE_NONE);
    return rc != 0 || policy == NULL ? rc : add_file(out, policy, false, d);
}

static size_t count_lines(struct slice text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n;
}

static int add_key(struct ledger_lists *l, struct slice line, unsigned number, struct diag *d)
{
    struct note_key *k = &l->key[l->n];
    if (l->n >= LEDGER_LISTS_KEYS)
        return diag_set(d, ERR_TOO_LARGE, "more than %d journals", LEDGER_LISTS_KEYS);
    int rc = note_key_parse(line, k, d);
    if (rc == 0) {
        l->n++;
        if (k->type != NOTE_ED25519)
            rc = diag_set(d, ERR_UNSUPPORTED_ALGORITHM, "it is a witness's key, not a journal's");
        else if (map_get(l->by_name, note_key_name(k)) != NULL)
            rc = diag_set(d, ERR_EXISTS, "%s has a key already", k->name);
        else
            rc = map_put(l->by_name, note_key_name(k), k);
    }
    if (rc != 0)
        diag_where(d, "journals, line %u", number);
    return rc;
}

static int parse_journals(struct ledger_lists *l, struct diag *d)
{
    struct slice rest = l->journals, line;
    uint64_t seed = 0;
    size_t n = count_lines(rest);
    if (RAND_bytes((uint8_t *)&seed, sizeof seed) != 1)
        return diag_set(d, ERR_INTERNAL, "no random bytes");
    l->key = calloc(n < LEDGER_LISTS_KEYS ? n : LEDGER_LISTS_KEYS, sizeof *l->key);
    l->by_name = map_new(LEDGER_LISTS_KEYS, seed);
    if (l->key == NULL || l->by_name == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the list of journals");
    int rc = 0;
    for (unsigned number = 1; rc == 0 && slice_next(&rest, '\n', &line); number++) {
        line = slice_trim(line);
        if (line.n > 0 && line.p[0] != '#')
            rc = add_key(l, line, number, d);
    }
    return rc;
}

/* A ledger whose own key is not in its policy would make proofs that nobody believes. */
static int find_own(const struct policy *p, const struct note_key *own, struct diag *d)
{
    for (size_t i = 0; own != NULL && i < p->n_logs; i++)
        if (memcmp(p->log[i].key.public, own->public, sizeof own->public) == 0 &&
            slice_eq(note_key_name(&p->log[i].key), note_key_name(own)))
            return 0;
    return own == NULL ? 0
                       : diag_set(d, ERR_SYNTAX,
                                  "the policy names no log with this ledger's key and origin, %s",
                                  own->name);
}

/* A witness that cannot be asked is of no use to the ledger. */
static int check_witnesses(const struct policy *p, struct diag *d)
{
    for (size_t i = 0; i < p->n_witnesses; i++)
        if (p->witness[i].url.n == 0)
            return diag_set(d, ERR_SYNTAX, "the policy has no address for witness %.*s",
                            SLICE_ARG(p->witness[i].name));
    return 0;
}

int ledger_lists_parse(struct slice packed, const struct note_key *own, struct ledger_lists *out,
                       struct diag *d)
{
    memset(out, 0, sizeof *out);
    buf_init(&out->bytes, LEDGER_LISTS_MAX);
    buf_slice(&out->bytes, packed);
    struct rd r = rd_of(buf_view(&out->bytes));
    out->journals = rd_var(&r, LEDGER_LISTS_MAX);
    out->policy_text = rd_var(&r, LEDGER_LISTS_MAX);
    if (out->bytes.failed || !rd_done(&r))
        return diag_set(d, ERR_SYNTAX, "the lists of journals and witnesses are malformed");
    int rc = parse_journals(out, d);
    if (rc != 0 || (out->policy_text.n == 0 && own == NULL))
        return rc;
    if ((rc = policy_parse(out->policy_text, &out->policy, d)) != 0)
        diag_where(d, "policy");
    rc = rc != 0 ? rc : find_own(out->policy, own, d);
    return rc != 0 || own == NULL ? rc : check_witnesses(out->policy, d);
}

void ledger_lists_free(struct ledger_lists *l)
{
    for (size_t i = 0; i < l->n; i++)
        note_key_free(&l->key[i]);
    free(l->key);
    map_free(l->by_name);
    policy_free(l->policy);
    buf_free(&l->bytes);
    memset(l, 0, sizeof *l);
}

const struct note_key *ledger_lists_key(const struct ledger_lists *l, struct slice name)
{
    return map_get(l->by_name, name);
}
