/*
 * The ledger's work, each figure beside raw SHA-256 (a node of a tree) or Ed25519 (a verification)
 * of the same run: rounds of 10,000 signed heads and of 1,000,000 through a hundred aggregators, on
 * the disk as a ledger makes them; leaves appended; a witness' updates; proofs made and verified,
 * and their size at 10^3, 10^6 and 10^9 leaves; with a third argument that many leaves are really
 * built, as files, and read.
 *
 * Usage: bench-ledger FOLDER SECONDS [LEAVES]; a line is: name|value|unit|yardstick's
 * name|yardstick.
 */
#include "base/base64.h"
#include "base/err.h"
#include "keys/keystore.h"
#include "ledger/ledger.h"
#include "ledger/ledger_edge.h"
#include "ledger/ledger_rounds.h"
#include "net/tile_source.h"
#include "proc/fs.h"
#include "tlog/chain.h"
#include "tlog/cosignature.h"
#include "tlog/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEADS 10000
#define AGGREGATORS 100
#define SMALL 8 /* records of a journal before and after */
#define LARGE 1000
#define TIME_MS INT64_C(1767225600000)

static double verify_rate, node_rate;
static char folder[1024];

static void die(const char *what, const struct diag *d)
{
    fprintf(stderr, "bench-ledger: %s: %s: %s\n", what, d == NULL ? "" : d->where,
            d == NULL ? "" : d->text);
    exit(3);
}

static void check(int rc, const char *what, const struct diag *d)
{
    if (rc != 0)
        die(what, d);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void row(const char *name, double value, const char *unit, const char *beside, double yard)
{
    printf("%s|%.6g|%s|%s|%.6g\n", name, value, unit, beside, yard);
    fflush(stdout);
}

/* --- keys --- */

struct signer {
    struct note_key key;
    EVP_PKEY *secret;
};

static void signer_make(struct signer *s, const char *name, enum note_type type, uint64_t seed)
{
    uint8_t secret[32] = {0}, public[32];
    size_t n = sizeof public;
    struct diag d = {0};
    memcpy(secret, &seed, sizeof seed);
    secret[31] = (uint8_t)type;
    s->secret = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof secret);
    if (s->secret == NULL || EVP_PKEY_get_raw_public_key(s->secret, public, &n) != 1)
        die("key", NULL);
    check(note_key_make(slice_str(name), type, public, &s->key, &d), name, &d);
}

static void signer_free(struct signer *s)
{
    EVP_PKEY_free(s->secret);
    note_key_free(&s->key);
}

static void sign(const struct signer *s, struct slice data, uint8_t out[NOTE_SIGNATURE])
{
    size_t n = NOTE_SIGNATURE;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (c == NULL || EVP_DigestSignInit(c, NULL, NULL, NULL, s->secret) != 1 ||
        EVP_DigestSign(c, out, &n, data.p, data.n) != 1)
        die("signature", NULL);
    EVP_MD_CTX_free(c);
}

static void sign_text(const struct signer *s, struct slice text, struct buf *out)
{
    uint8_t value[NOTE_SIGNATURE];
    sign(s, text, value);
    note_print(text, &s->key, value, out);
}

static void sign_checkpoint(const struct signer *s, uint64_t size, const struct merkle_hash *root,
                            struct buf *out)
{
    struct checkpoint c = {.origin = note_key_name(&s->key), .size = size, .root = *root};
    struct buf text;
    buf_init(&text, NOTE_MAX);
    checkpoint_print(&c, &text);
    sign_text(s, buf_view(&text), out);
    buf_free(&text);
}

/* --- a tree whose leaves are all alike: of any size, without any memory --- */

static struct merkle_hash alike[MERKLE_DEPTH];

static void alike_make(void)
{
    memset(alike[0].b, 7, MERKLE_HASH);
    for (int i = 1; i < MERKLE_DEPTH; i++)
        merkle_node(&alike[i - 1], &alike[i - 1], &alike[i]);
}

static int alike_get(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out)
{
    (void)ctx;
    (void)index;
    *out = alike[level];
    return 0;
}

/* The root that a leaf among such leaves gives (RFC 9162 2.1.3.2, without the comparison). */
static void fold(struct merkle_hash leaf, const struct chain_path *p, uint64_t size,
                 struct merkle_hash *root)
{
    uint64_t fn = p->index, sn = size - 1;
    for (size_t i = 0; i < p->n; i++, fn >>= 1, sn >>= 1) {
        if ((fn & 1) == 0 && fn != sn) {
            merkle_node(&leaf, &p->h[i], &leaf);
            continue;
        }
        merkle_node(&p->h[i], &leaf, &leaf);
        while ((fn & 1) == 0 && fn != 0) {
            fn >>= 1;
            sn >>= 1;
        }
    }
    *root = leaf;
}

static void path_of(uint64_t index, uint64_t size, struct chain_path *p)
{
    p->index = index;
    check(merkle_inclusion(alike_get, NULL, index, size, p->h, &p->n), "inclusion", NULL);
}

/* --- yardsticks --- */

static void yardsticks(double seconds)
{
    struct signer s;
    struct merkle_hash h = alike[3];
    uint8_t value[NOTE_SIGNATURE];
    uint64_t n = 0;
    struct slice text = SLICE_LIT("a text as long as a checkpoint, more or less, of three lines\n");
    signer_make(&s, "yardstick.example", NOTE_ED25519, 1);
    sign(&s, text, value);
    double start = now();
    for (; now() - start < seconds; n++)
        check(note_verify(&s.key, text, slice_of(value, sizeof value)), "verify", NULL);
    verify_rate = (double)n / (now() - start);
    for (n = 0, start = now(); now() - start < seconds; n += 1000)
        for (int i = 0; i < 1000; i++)
            merkle_node(&h, &alike[2], &h);
    node_rate = (double)n / (now() - start);
    signer_free(&s);
}

/* --- rounds --- */

struct head {
    struct signer journal;
    struct buf request[2]; /* the first head, and one that follows it */
};

static struct signer log_signer;

static int sign_for_ledger(void *ctx, struct slice text, uint8_t signature[NOTE_SIGNATURE],
                           struct diag *d)
{
    (void)ctx;
    (void)d;
    sign(&log_signer, text, signature);
    return 0;
}

static void head_make(struct head *h, uint64_t i)
{
    struct merkle_hash small, large, proof[MERKLE_DEPTH];
    struct buf note;
    char name[64];
    size_t n;
    snprintf(name, sizeof name, "SILD/GOV/%08llu/ss/messages", (unsigned long long)i);
    signer_make(&h->journal, name, NOTE_ED25519, i + 100);
    check(merkle_root_at(alike_get, NULL, SMALL, &small), "root", NULL);
    check(merkle_root_at(alike_get, NULL, LARGE, &large), "root", NULL);
    check(merkle_consistency(alike_get, NULL, SMALL, LARGE, proof, &n), "consistency", NULL);
    buf_init(&note, NOTE_MAX);
    for (int k = 0; k < 2; k++) {
        buf_init(&h->request[k], HEAD_REQUEST_MAX);
        buf_reset(&note);
        sign_checkpoint(&h->journal, k == 0 ? SMALL : LARGE, k == 0 ? &small : &large, &note);
        head_request_print(NULL, k == 0 ? 0 : SMALL, proof, k == 0 ? 0 : n, buf_view(&note),
                           &h->request[k]);
    }
    buf_free(&note);
}

static void head_free(struct head *h)
{
    signer_free(&h->journal);
    buf_free(&h->request[0]);
    buf_free(&h->request[1]);
}

/* As a worker and the sequencer do it: form, signature, consistency, into the round. */
static void submit(struct ledger_rounds *r, const struct head *h, int k, int64_t now_ms)
{
    static struct head_request q;
    struct ledger_submission s = {.kind = ENTRY_HEAD};
    struct diag d = {0};
    struct buf entry;
    buf_init(&entry, ENTRY_MAX);
    check(head_request_parse(buf_view(&h->request[k]), &q, &d), "request", &d);
    if (head_request_open(&q, &h->journal.key, &d) != 200)
        die("head", &d);
    head_request_entry(&q, &h->journal.key, &entry);
    s.old = q.w.old;
    s.n = q.w.n;
    memcpy(s.proof, q.w.proof, q.w.n * sizeof s.proof[0]);
    s.entry = buf_view(&entry);
    if (ledger_rounds_submit(r, &s, (struct ledger_waiter){0, 1}, now_ms, &d).status != 200)
        die("submit", &d);
    buf_free(&entry);
}

static void on_answer(void *ctx, struct ledger_waiter w, struct slice text)
{
    (void)w;
    *(uint64_t *)ctx += text.n;
}

/* Closes, writes and publishes a round, and answers everybody. */
static void close_round(struct ledger_rounds *r, int64_t now_ms)
{
    struct diag d = {0};
    uint64_t bytes = 0;
    bool unknown;
    check(ledger_rounds_commit(r, now_ms, &unknown, &d), "commit", &d);
    check(ledger_rounds_spread(r, &d), "spread", &d);
    check(ledger_rounds_publish(r, SLICE_NONE, &d), "publish", &d);
    check(ledger_rounds_answer(r, on_answer, &bytes, &d), "answer", &d);
}

static void rounds_of_heads(struct ledger_rounds *r, int64_t *now_ms)
{
    struct head *h = calloc(HEADS, sizeof *h);
    if (h == NULL)
        die("memory", NULL);
    for (uint64_t i = 0; i < HEADS; i++)
        head_make(&h[i], i);
    for (int k = 0; k < 2; k++) {
        double start = now();
        for (int i = 0; i < HEADS; i++)
            submit(r, &h[i], k, *now_ms);
        double checked = now();
        close_round(r, *now_ms += 1000);
        double end = now();
        if (k == 1) { /* the second one has consistency proofs */
            row("ledger, round of 10000 signed heads", HEADS / (end - start), "heads/s",
                "Ed25519 verifications", verify_rate);
            row("ledger, heads checked", HEADS / (checked - start), "heads/s",
                "Ed25519 verifications", verify_rate);
            row("ledger, round of 10000 heads closed and published", (end - checked) * 1000, "ms",
                "", 0);
        }
    }
    for (int i = 0; i < HEADS; i++)
        head_free(&h[i]);
    free(h);
}

/* Aggregators' notes over 10,000 heads each, made beforehand; what is measured is the ledger's
 * work. */
static void round_of_aggregates(struct ledger_rounds *r, int64_t *now_ms)
{
    static struct signer s[AGGREGATORS];
    static struct buf entry[AGGREGATORS];
    struct buf text, note;
    char name[64];
    struct diag d = {0};
    buf_init(&text, NOTE_MAX);
    buf_init(&note, NOTE_MAX);
    for (int i = 0; i < AGGREGATORS; i++) {
        snprintf(name, sizeof name, "aggregate%03d.example", i);
        signer_make(&s[i], name, NOTE_ED25519, (uint64_t)i + 1000000);
        struct aggregate a = {.name = slice_str(name),
                              .time_ms = (uint64_t)*now_ms,
                              .entries = HEADS,
                              .heads = HEADS,
                              .root = alike[14]};
        buf_reset(&text);
        buf_reset(&note);
        buf_init(&entry[i], ENTRY_MAX);
        aggregate_print(&a, &text);
        sign_text(&s[i], buf_view(&text), &note);
        entry_print(&s[i].key, buf_view(&note), &entry[i]);
    }
    double start = now();
    for (int i = 0; i < AGGREGATORS; i++) {
        struct ledger_submission q = {.kind = ENTRY_AGGREGATE, .entry = buf_view(&entry[i])};
        struct entry e;
        check(entry_parse(q.entry, &e, &d), "aggregate", &d);
        check(entry_verify(&e, &s[i].key, &d), "aggregate", &d);
        if (ledger_rounds_submit(r, &q, (struct ledger_waiter){0, 1}, *now_ms, &d).status != 200)
            die("aggregate", &d);
    }
    close_round(r, *now_ms += 1000);
    double took = now() - start;
    row("ledger, round of 1000000 heads through 100 aggregators", took * 1000, "ms", "", 0);
    for (int i = 0; i < AGGREGATORS; i++) {
        signer_free(&s[i]);
        buf_free(&entry[i]);
    }
    buf_free(&text);
    buf_free(&note);
}

static void rounds(double seconds)
{
    char dir[1100], lock[1110], vkey[NOTE_VKEY_MAX + 1];
    struct ledger_rounds *r;
    struct diag d = {0};
    struct keystore *store;
    int64_t now_ms = TIME_MS;
    uint64_t n = 0;
    snprintf(dir, sizeof dir, "%s/ledger", folder);
    snprintf(lock, sizeof lock, "%s/lock", dir);
    check(ledger_init(dir, NULL, "bench.example", NULL, vkey, &d), "init", &d);
    check(note_key_parse(slice_str(vkey), &log_signer.key, &d), "vkey", &d);
    check(keystore_open(dir, false, &store, &d), "keys", &d);
    check(keystore_load(store, "ledger", &log_signer.secret, &d), "key", &d);
    keystore_close(store);
    const struct ledger_rounds_options o = {
        .dir = dir, .lock_dir = lock, .key = &log_signer.key, .sign = sign_for_ledger, .seed = 1};
    check(ledger_rounds_open(&o, &r, &d), "open", &d);
    rounds_of_heads(r, &now_ms);
    round_of_aggregates(r, &now_ms);
    double start = now();
    for (; now() - start < seconds; n++)
        close_round(r, now_ms += 1000);
    row("ledger, empty rounds on the disk", (double)n / (now() - start), "/s", "", 0);
    ledger_rounds_free(r);
    signer_free(&log_signer);
}

/* --- leaves --- */

static struct ledger_edge edge;

static void record_of(uint64_t i, uint8_t record[ROUND_RECORD])
{
    struct round_record r = {.round = i, .time_ms = (uint64_t)TIME_MS + i * 1000, .root = alike[5]};
    round_record_print(&r, record);
}

static void put(const struct ledger_edge_change *c)
{
    char path[TILE_PATH_MAX], file[1200], *slash;
    tile_path(&c->id, path);
    snprintf(file, sizeof file, "%s/built/%s", folder, path);
    FILE *f = fopen(file, "wbe");
    if (f == NULL) { /* the first of its folder */
        slash = strrchr(file, '/');
        *slash = '\0';
        check(fs_mkdirs(file, 0755, NULL), file, NULL);
        *slash = '/';
        f = fopen(file, "wbe");
    }
    if (f == NULL || fwrite(c->bytes.p, 1, c->bytes.n, f) != c->bytes.n || fclose(f) != 0)
        die(file, NULL);
}

/* Appends that many leaves; with files, every full tile and the last edge is written. */
static void append(uint64_t n, bool files)
{
    struct ledger_edge_change c[LEDGER_EDGE_CHANGES];
    uint8_t record[ROUND_RECORD];
    memset(&edge, 0, sizeof edge);
    for (uint64_t i = 0; i < n; i++) {
        record_of(i, record);
        size_t k = ledger_edge_append(&edge, record, c);
        for (size_t j = 0; files && j < k; j++)
            if (c[j].id.width == TILE_WIDTH || i + 1 == n)
                put(&c[j]);
    }
}

static void leaves(double seconds)
{
    uint64_t n = 0;
    double start = now();
    for (; now() - start < seconds; n += 10000)
        append(10000, false);
    row("ledger, leaves appended in memory", (double)n / (now() - start), "/s", "SHA-256 of a node",
        node_rate);
}

/* The edge tiles of the upper levels that the last leaf did not change. */
static void put_edge(uint64_t size)
{
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        struct ledger_edge_change c = {.id = {.level = level}};
        unsigned partial;
        c.id.index = tile_count(level, size, &partial);
        if (partial == 0)
            continue;
        c.id.width = partial;
        c.bytes = slice_of(edge.tile[level], (size_t)partial * MERKLE_HASH);
        put(&c);
    }
}

static void built(uint64_t size)
{
    struct tile_source s;
    struct merkle_hash root, path[MERKLE_DEPTH], leaf;
    struct diag d = {0};
    char where[1100];
    uint8_t record[ROUND_RECORD];
    size_t n;
    double start = now();
    append(size, true);
    put_edge(size);
    row("ledger, leaves really built, as files", (double)size / (now() - start), "/s",
        "SHA-256 of a node", node_rate);
    merkle_root(&edge.frontier, &root);
    snprintf(where, sizeof where, "%s/built", folder);
    check(tile_source_init(&s, where, 1000, &d), where, &d);
    s.diag = &d;
    const uint64_t reads = 1000;
    uint64_t x = 88172645463325252u;
    start = now();
    for (uint64_t k = 0; k < reads; k++) {
        struct tile_tree *t = tile_tree_new(tile_source_fetch, &s, size);
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        check(tile_tree_trust(t, &root, &d), "trust", &d);
        check(merkle_inclusion(tile_tree_get, t, x % size, size, path, &n), "path", &d);
        record_of(x % size, record);
        merkle_leaf(slice_of(record, sizeof record), &leaf);
        check(merkle_verify_inclusion(&leaf, x % size, size, path, n, &root), "proof", &d);
        tile_tree_free(t);
    }
    row("ledger, proofs out of the files, each from nothing", (double)reads / (now() - start), "/s",
        "SHA-256 of a node", node_rate);
}

/* --- a witness --- */

static void witness(double seconds)
{
    static struct witness_request q;
    struct signer log, w;
    struct merkle_hash root[2], proof[MERKLE_DEPTH];
    struct buf request, note, text, message, line;
    struct diag d = {0};
    size_t n;
    uint64_t done = 0;
    const struct note_key *keys[1] = {&log.key};
    struct witness_state stored = {.size = 1000000};
    signer_make(&log, "log.example", NOTE_ED25519, 3);
    signer_make(&w, "witness.example", NOTE_COSIGNATURE, 4);
    buf_init(&request, WITNESS_REQUEST_MAX);
    buf_init(&note, NOTE_MAX);
    buf_init(&text, NOTE_MAX);
    buf_init(&message, NOTE_MAX);
    buf_init(&line, NOTE_MAX);
    check(merkle_root_at(alike_get, NULL, 1000000, &root[0]), "root", NULL);
    check(merkle_root_at(alike_get, NULL, 1000100, &root[1]), "root", NULL);
    check(merkle_consistency(alike_get, NULL, 1000000, 1000100, proof, &n), "proof", NULL);
    stored.root = root[0];
    sign_checkpoint(&log, 1000100, &root[1], &note);
    witness_request_print(1000000, proof, n, buf_view(&note), &request);
    double start = now();
    for (; now() - start < seconds; done++) {
        uint8_t value[NOTE_SIGNATURE];
        check(witness_request_parse(buf_view(&request), &q, &d), "request", &d);
        if (witness_request_open(&q, keys, 1, &d) != 200 || witness_judge(&stored, &q, &d) != 200)
            die("witness", &d);
        buf_reset(&message);
        buf_reset(&line);
        cosignature_message(1767225600, q.note.text, &message);
        sign(&w, buf_view(&message), value);
        cosignature_line(&w.key, 1767225600, value, &line);
    }
    row("witness, updates judged and signed, one core", (double)done / (now() - start), "/s",
        "Ed25519 verifications", verify_rate);
    signer_free(&log);
    signer_free(&w);
    buf_free(&request);
    buf_free(&note);
    buf_free(&text);
    buf_free(&message);
    buf_free(&line);
}

/* --- proofs --- */

struct world {
    struct signer journal, log, witness[3];
    struct policy *policy;
    struct chain chain;
    struct buf head, entry, checkpoint, record;
};

static void world_make(struct world *w)
{
    struct buf text;
    struct diag d = {0};
    char name[32];
    buf_init(&text, POLICY_MAX);
    signer_make(&w->journal, "SILD/GOV/70000001/state/messages", NOTE_ED25519, 20);
    signer_make(&w->log, "ledger.example", NOTE_ED25519, 21);
    buf_str(&text, "log ");
    note_key_print(&w->log.key, &text);
    buf_str(&text, "\n");
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "w%d.sild.example", i + 1);
        signer_make(&w->witness[i], name, NOTE_COSIGNATURE, 30 + (uint64_t)i);
        buf_printf(&text, "witness w%d ", i);
        note_key_print(&w->witness[i].key, &text);
        buf_str(&text, "\n");
    }
    buf_str(&text, "group g 2 w0 w1 w2\nquorum g\n");
    check(policy_parse(buf_view(&text), &w->policy, &d), "policy", &d);
    buf_free(&text);
    buf_init(&w->head, NOTE_MAX);
    buf_init(&w->entry, ENTRY_MAX);
    buf_init(&w->checkpoint, NOTE_MAX);
    buf_init(&w->record, 8192);
}

/* A record of 1 kB in a journal of a million, in a round of 1,000 heads, in a ledger of that size.
 */
static void world_prove(struct world *w, uint64_t size)
{
    const uint64_t records = 1000000, heads = 1000;
    struct chain *c = &w->chain;
    struct merkle_hash root, leaf;
    struct round_record rec = {
        .round = size / 2, .time_ms = (uint64_t)TIME_MS, .entries = heads, .heads = heads};
    uint8_t bytes[1032] = {1}, value[NOTE_SIGNATURE];
    struct buf text, message;
    buf_reset(&w->head);
    buf_reset(&w->entry);
    buf_reset(&w->checkpoint);
    buf_reset(&w->record);
    memset(c, 0, sizeof *c);
    base64_append(&w->record, slice_of(bytes, sizeof bytes));
    c->has_record = true;
    c->record = buf_view(&w->record);
    buf_init(&text, 4096);
    buf_add(&text, c->salt, sizeof c->salt);
    buf_add(&text, bytes, sizeof bytes);
    merkle_leaf(buf_view(&text), &c->leaf);
    path_of(records / 3, records, &c->journal);
    fold(c->leaf, &c->journal, records, &root);
    sign_checkpoint(&w->journal, records, &root, &w->head);
    entry_print(&w->journal.key, buf_view(&w->head), &w->entry);
    c->answer.entry = buf_view(&w->entry);
    merkle_leaf(c->answer.entry, &leaf);
    path_of(heads / 3, heads, &c->answer.round);
    c->answer.round.of = heads;
    fold(leaf, &c->answer.round, heads, &rec.root);
    round_record_print(&rec, c->answer.record);
    merkle_leaf(slice_of(c->answer.record, ROUND_RECORD), &leaf);
    path_of(rec.round, size, &c->answer.ledger);
    fold(leaf, &c->answer.ledger, size, &root);
    sign_checkpoint(&w->log, size, &root, &w->checkpoint);
    struct note n;
    check(note_parse(buf_view(&w->checkpoint), &n, NULL), "note", NULL);
    buf_reset(&text);
    buf_slice(&text, n.text);
    buf_init(&message, NOTE_MAX);
    for (int i = 0; i < 3; i++) {
        buf_reset(&message);
        cosignature_message(1767225601, buf_view(&text), &message);
        sign(&w->witness[i], buf_view(&message), value);
        cosignature_line(&w->witness[i].key, 1767225601, value, &w->checkpoint);
    }
    c->answer.checkpoint = buf_view(&w->checkpoint);
    buf_free(&text);
    buf_free(&message);
}

/* The hashes of a whole proof alone: record in head, head in round, round in ledger. */
static void merkle_part(const struct chain *c, uint64_t size)
{
    struct merkle_hash leaf, root;
    fold(c->leaf, &c->journal, 1000000, &root);
    merkle_leaf(c->answer.entry, &leaf);
    fold(leaf, &c->answer.round, c->answer.round.of, &root);
    merkle_leaf(slice_of(c->answer.record, ROUND_RECORD), &leaf);
    fold(leaf, &c->answer.ledger, size, &root);
}

static void proofs(double seconds)
{
    static const uint64_t sizes[] = {1000, 1000000, 1000000000};
    static struct world w;
    static struct chain c;
    static struct chain_verdict v;
    struct diag d = {0};
    struct buf file, part;
    char name[80];
    uint64_t n;
    world_make(&w);
    buf_init(&file, CHAIN_MAX);
    buf_init(&part, CHAIN_MAX);
    for (int i = 0; i < 3; i++) {
        world_prove(&w, sizes[i]);
        buf_reset(&file);
        buf_reset(&part);
        chain_print(&w.chain, &file);
        chain_extract_ledger(&w.chain, &part);
        snprintf(name, sizeof name, "proof, ledger part at 10^%d leaves", (i + 1) * 3);
        row(name, (double)part.n, "bytes", "", 0);
        snprintf(name, sizeof name, "proof, whole file at 10^%d leaves", (i + 1) * 3);
        row(name, (double)(file.n - w.record.n), "bytes and the record", "", 0);
    }
    double start = now();
    for (n = 0; now() - start < seconds; n++)
        merkle_part(&w.chain, sizes[2]);
    row("proof, Merkle part verified", (now() - start) / (double)n * 1e6, "us",
        "SHA-256 of a node, us", 1e6 / node_rate);
    for (n = 0, start = now(); now() - start < seconds; n++) {
        check(chain_parse(buf_view(&file), &c, &d), "parse", &d);
        check(chain_verify(&c, w.policy, NULL, &v, &d), "verify", &d);
    }
    row("proof, whole file verified (five signatures)", (now() - start) / (double)n * 1000, "ms",
        "Ed25519 verification, ms", 1e3 / verify_rate);
    for (n = 0, start = now(); now() - start < seconds; n++)
        path_of(n % sizes[2], sizes[2], &w.chain.answer.ledger);
    row("proof, path made at 10^9 leaves", (double)n / (now() - start), "/s", "", 0);
}

int main(int argc, char **argv)
{
    char command[1200];
    uint64_t built_n = 0;
    if (argc < 3 || argc > 4 || (argc == 4 && !slice_u64(slice_str(argv[3]), &built_n))) {
        fprintf(stderr, "usage: bench-ledger FOLDER SECONDS [LEAVES]\n");
        return 2;
    }
    snprintf(folder, sizeof folder, "%s/bench-ledger.%ld", argv[1], (long)getpid());
    double seconds = atof(argv[2]);
    mkdir(folder, 0700);
    alike_make();
    yardsticks(seconds);
    row("Ed25519 verifications, one core", verify_rate, "/s", "", 0);
    row("SHA-256 of a node, one core", node_rate, "/s", "", 0);
    rounds(seconds);
    leaves(seconds);
    witness(seconds);
    proofs(seconds);
    if (built_n > 0)
        built(built_n);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) == 0 ? 0 : 3;
}
