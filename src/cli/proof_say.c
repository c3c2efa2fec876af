#include "cli/proof_say.h"
#include "base/arena.h"
#include "base/cursor.h"
#include "base/hex.h"
#include "base/timeval.h"
#include "gateway/record.h"
#include "journal/journal_record.h"
#include "wire/json.h"
#include "xroad/rest.h"

#include <stdio.h>

#define WORDS_MAX 4096
#define TEXT_SHOWN 600 /* of a record that is text */
#define ARENA_MAX (1u << 20)

/* --- what the record says --- */

static bool put_request(struct arena *a, struct slice head, struct buf *b)
{
    struct rest_request *r = arena_zalloc(a, sizeof *r);
    if (r == NULL || rest_request_parse(a, head, r, NULL) != 0)
        return false;
    buf_str(b, "request of ");
    id_client_short(b, &r->client);
    buf_str(b, " to ");
    id_service_short(b, &r->service);
    return true;
}

static bool put_response(struct slice head, struct arena *a, struct buf *b)
{
    struct rest_response *r = arena_zalloc(a, sizeof *r);
    if (r == NULL || rest_response_parse(head, r, NULL) != 0)
        return false;
    buf_str(b, "response of ");
    buf_slice(b, r->service);
    buf_str(b, " to ");
    buf_slice(b, r->client);
    return true;
}

static bool put_message(struct slice payload, struct arena *a, struct buf *b)
{
    struct record_message *m = arena_zalloc(a, sizeof *m);
    if (m == NULL || record_message_get(payload, m, NULL) != 0)
        return false;
    if (m->response ? !put_response(m->head, a, b) : !put_request(a, m->head, b))
        return false;
    buf_str(b, ", message ");
    buf_slice(b, m->id);
    return true;
}

static bool is_plain_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == 0x7F || (s.p[i] < 0x20 && s.p[i] != '\n'))
            return false;
    return s.n > 0 && slice_is_utf8(s);
}

/* A record of any journal. What this program knows the form of is told, other text is shown. */
static void put_record(const struct journal_record *r, struct buf *b)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct buf words;
    buf_init(&words, WORDS_MAX);
    if (a != NULL && r->type == RECORD_MESSAGE && put_message(r->payload, a, &words) &&
        !words.failed)
        buf_slice(b, buf_view(&words));
    else if (r->payload.n <= TEXT_SHOWN && is_plain_text(r->payload))
        buf_slice(b, slice_trim(r->payload));
    else
        buf_printf(b, "a record of type %u, %zu bytes", r->type, r->payload.n);
    buf_free(&words);
    arena_free(a);
}

/* The record in words, and the time that its journal gave it; false when only its hash is there. */
static bool record_words(const struct chain *c, struct buf *words, int64_t *time_ms)
{
    struct journal_record r;
    struct buf raw;
    uint64_t id;
    bool known = false;
    if (!c->has_record)
        return false;
    buf_init(&raw, JOURNAL_RECORD_MAX + 64);
    if (chain_record(c, &raw) == 0 && journal_record_get(buf_view(&raw), &r, &id, NULL) == 0) {
        put_record(&r, words);
        *time_ms = r.time_ms;
        known = true;
    }
    buf_free(&raw);
    return known;
}

/* --- in words --- */

static const char *when(int64_t ms, char out[TIMEVAL_TEXT])
{
    timeval_print_iso(ms, false, out);
    return out;
}

static void say_record(const struct chain *c)
{
    struct buf words;
    char at[TIMEVAL_TEXT], hash[65];
    int64_t time_ms = 0;
    buf_init(&words, WORDS_MAX);
    hex_print(slice_of(c->leaf.b, MERKLE_HASH), hash);
    if (record_words(c, &words, &time_ms)) {
        printf("  what      %s\n", buf_cstr(&words));
        printf("  recorded  %s, by the clock of the journal\n", when(time_ms, at));
    } else {
        printf("  what      a record that is not shown, its hash %s\n", hash);
    }
    buf_free(&words);
}

static void say_witnesses(const struct chain_verdict *v, const struct policy *p)
{
    char at[TIMEVAL_TEXT];
    const char *before = "  seen by   ";
    for (size_t i = 0; i < p->n_witnesses; i++) {
        if ((v->policy.witnesses & 1u << i) == 0)
            continue;
        printf("%s%.*s at %s", before, SLICE_ARG(note_key_name(&p->witness[i].key)),
               when((int64_t)v->policy.times[i] * 1000, at));
        before = ",\n            ";
    }
    if (v->policy.witnesses != 0)
        printf(" (%u needed)\n", policy_needs(p));
    else
        printf("  seen by   no witness: the policy asks for none\n");
}

static void say_anchor(const struct anchor *n)
{
    char at[TIMEVAL_TEXT];
    printf("  anchor    of %s, over %llu rounds: proven without any key\n",
           when((int64_t)n->time_s * 1000, at), (unsigned long long)n->size);
}

void proof_say(const char *file, const struct chain *c, const struct chain_verdict *v,
               const struct policy *policy, const char *policy_path)
{
    char at[TIMEVAL_TEXT];
    printf("%s: valid\n", file);
    say_record(c);
    printf("  journal   %.*s, record %llu of %llu\n", SLICE_ARG(v->origin),
           (unsigned long long)v->index, (unsigned long long)v->head_size);
    for (size_t i = 0; i < v->aggregators; i++)
        printf("  through   %.*s\n", SLICE_ARG(v->aggregator[i]));
    printf("  ledger    %.*s, round %llu of %s\n", SLICE_ARG(v->log), (unsigned long long)v->round,
           when((int64_t)v->round_time_ms, at));
    if (v->by_policy && v->policy.time_s != 0)
        printf("  since     %s, when enough witnesses had seen it\n",
               when((int64_t)v->policy.time_s * 1000, at));
    if (v->by_policy)
        say_witnesses(v, policy);
    if (v->by_anchor)
        say_anchor(&v->anchor);
    if (v->by_policy)
        printf("  policy    %s\n", policy_path);
}

/* --- as JSON --- */

static void json_time(struct json_out *j, const char *key, int64_t ms)
{
    char at[TIMEVAL_TEXT];
    json_kstr(j, key, when(ms, at));
}

static void json_record(struct json_out *j, const struct chain *c)
{
    struct buf words;
    char hash[65];
    int64_t time_ms = 0;
    buf_init(&words, WORDS_MAX);
    hex_print(slice_of(c->leaf.b, MERKLE_HASH), hash);
    json_kstr(j, "leaf", hash);
    if (record_words(c, &words, &time_ms)) {
        json_kslice(j, "record", buf_view(&words));
        json_time(j, "recorded", time_ms);
    }
    buf_free(&words);
}

static void json_witnesses(struct json_out *j, const struct chain_verdict *v,
                           const struct policy *p)
{
    json_key(j, "witnesses");
    json_open(j, '[');
    for (size_t i = 0; i < p->n_witnesses; i++) {
        if ((v->policy.witnesses & 1u << i) == 0)
            continue;
        json_open(j, '{');
        json_kslice(j, "name", note_key_name(&p->witness[i].key));
        json_time(j, "time", (int64_t)v->policy.times[i] * 1000);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_knum(j, "needed", policy_needs(p));
}

void proof_say_json(const char *file, const struct chain *c, const struct chain_verdict *v,
                    const struct policy *policy, const char *policy_path)
{
    struct buf b;
    struct json_out j;
    buf_init(&b, 65536);
    json_begin(&j, &b);
    json_open(&j, '{');
    json_kstr(&j, "file", file);
    json_key(&j, "valid");
    json_bool(&j, true);
    json_record(&j, c);
    json_kslice(&j, "journal", v->origin);
    json_knum(&j, "index", (int64_t)v->index);
    json_knum(&j, "size", (int64_t)v->head_size);
    json_key(&j, "aggregators");
    json_open(&j, '[');
    for (size_t i = 0; i < v->aggregators; i++)
        json_str(&j, v->aggregator[i]);
    json_close(&j, ']');
    json_kslice(&j, "ledger", v->log);
    json_knum(&j, "round", (int64_t)v->round);
    json_time(&j, "round_time", (int64_t)v->round_time_ms);
    if (v->by_policy) {
        if (v->policy.time_s != 0)
            json_time(&j, "since", (int64_t)v->policy.time_s * 1000);
        json_witnesses(&j, v, policy);
        json_kstr(&j, "policy", policy_path);
    }
    if (v->by_anchor)
        json_time(&j, "anchor", (int64_t)v->anchor.time_s * 1000);
    json_close(&j, '}');
    printf("%s\n", buf_cstr(&b));
    buf_free(&b);
}
