/* The ledger's right edge against a naive tree and against its own files; the table of heads; what
 * the processes tell each other. */
#include "test.h"

#include "base/err.h"
#include "ledger/ledger_edge.h"
#include "ledger/ledger_frames.h"
#include "ledger/ledger_heads.h"
#include "ledger/ledger_lists.h"
#include "tlog/head.h"

/* --- the edge --- */

#define LEAVES 66000
#define FILES 4096

/* Files by path, the newest bytes of each. */
struct files {
    struct {
        char path[TILE_PATH_MAX];
        uint8_t *p;
        size_t n;
    } at[FILES];
    size_t n;
};

static void put_file(struct files *f, const struct ledger_edge_change *c)
{
    char path[TILE_PATH_MAX];
    size_t i = 0;
    tile_path(&c->id, path);
    while (i < f->n && strcmp(f->at[i].path, path) != 0)
        i++;
    CHECK(i < FILES);
    if (i == f->n)
        f->n++;
    free(f->at[i].p);
    strcpy(f->at[i].path, path);
    f->at[i].p = malloc(c->bytes.n);
    memcpy(f->at[i].p, c->bytes.p, c->bytes.n);
    f->at[i].n = c->bytes.n;
}

static int fetch(void *ctx, const struct tile_id *id, struct buf *out)
{
    const struct files *f = ctx;
    char path[TILE_PATH_MAX];
    tile_path(id, path);
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->at[i].path, path) == 0) {
            buf_add(out, f->at[i].p, f->at[i].n);
            return 0;
        }
    return ERR_NOT_FOUND;
}

static void free_files(struct files *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->at[i].p);
    free(f);
}

static void record_of(uint64_t i, uint8_t out[ROUND_RECORD])
{
    struct round_record r = {.round = i, .time_ms = 1000 + i};
    merkle_empty(&r.root);
    round_record_print(&r, out);
}

/* Full tiles and, at this size, partial ones: what a reader needs. */
static void keep(struct files *f, const struct ledger_edge_change *c, size_t n, bool partial)
{
    for (size_t i = 0; i < n; i++)
        if (c[i].id.width == TILE_WIDTH || partial)
            put_file(f, &c[i]);
}

TEST(edge_grows_and_loads)
{
    struct ledger_edge *e = calloc(1, sizeof *e), *loaded = calloc(1, sizeof *loaded);
    struct files *f = calloc(1, sizeof *f);
    struct ledger_edge_change change[LEDGER_EDGE_CHANGES];
    struct merkle_frontier naive = {0};
    struct merkle_hash path[MERKLE_DEPTH], root, leaf;
    struct diag d = {0};
    uint8_t record[ROUND_RECORD];
    CHECK(e != NULL && loaded != NULL && f != NULL);
    for (uint64_t i = 0; i < LEAVES; i++) {
        record_of(i, record);
        size_t n = ledger_edge_path(e, path);
        bool looked = i < 520 || i % 1021 == 0 || i > LEAVES - 3 || (i > 65530 && i < 65540);
        size_t changes = ledger_edge_append(e, record, change);
        merkle_leaf(slice_of(record, sizeof record), &leaf);
        merkle_append(&naive, &leaf);
        keep(f, change, changes, looked);
        if (!looked)
            continue;
        merkle_root(&naive, &root);
        if (merkle_verify_inclusion(&leaf, i, i + 1, path, n, &root) != 0)
            FAIL("the path of leaf %llu", (unsigned long long)i);
        /* partial tiles of levels that did not change at this size are needed, too */
        for (unsigned level = 1; level < TILE_LEVELS; level++) {
            struct ledger_edge_change c = {.id = {.level = level}};
            c.id.index = tile_count(level, i + 1, &c.id.width);
            c.bytes = slice_of(e->tile[level], (size_t)c.id.width * MERKLE_HASH);
            if (c.id.width > 0)
                put_file(f, &c);
        }
        if (ledger_edge_load(loaded, fetch, f, i + 1, &root, &d) != 0)
            FAIL("size %llu: %s", (unsigned long long)i + 1, d.text);
        CHECK_INT(loaded->bundle_n, (i + 1) % TILE_WIDTH == 0 ? 0 : e->bundle_n);
    }
    free(e);
    free(loaded);
    free_files(f);
}

TEST(edge_refuses_other_bytes)
{
    struct ledger_edge *e = calloc(1, sizeof *e), *loaded = calloc(1, sizeof *loaded);
    struct files *f = calloc(1, sizeof *f);
    struct ledger_edge_change change[LEDGER_EDGE_CHANGES];
    struct merkle_hash root;
    struct diag d = {0};
    uint8_t record[ROUND_RECORD];
    CHECK(e != NULL && loaded != NULL && f != NULL);
    for (uint64_t i = 0; i < 300; i++) {
        record_of(i, record);
        keep(f, change, ledger_edge_append(e, record, change), i == 299 || i == 255);
    }
    merkle_root(&e->frontier, &root);
    CHECK_INT(ledger_edge_load(loaded, fetch, f, 300, &root, &d), 0);
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->at[i].path, "tile/entries/000") == 0 ||
            strcmp(f->at[i].path, "tile/0/000") == 0)
            continue; /* not of the edge */
        f->at[i].p[7] ^= 1;
        if (ledger_edge_load(loaded, fetch, f, 300, &root, &d) == 0)
            FAIL("%s was changed and is taken", f->at[i].path);
        f->at[i].p[7] ^= 1;
        f->at[i].n--;
        if (ledger_edge_load(loaded, fetch, f, 300, &root, &d) == 0)
            FAIL("%s was cut and is taken", f->at[i].path);
        f->at[i].n++;
    }
    root.b[0] ^= 1;
    CHECK(ledger_edge_load(loaded, fetch, f, 300, &root, &d) != 0);
    free(e);
    free(loaded);
    free_files(f);
}

/* --- heads --- */

static void entry_of(const char *name, uint64_t size, uint8_t root, struct buf *out)
{
    struct note_key k = {0};
    struct checkpoint cp = {.origin = slice_str(name), .size = size};
    uint8_t public[32] = {7}, signature[NOTE_SIGNATURE] = {9};
    struct diag d = {0};
    struct buf text, note;
    buf_init(&text, 4096);
    buf_init(&note, 4096);
    buf_init(out, 4096);
    memset(cp.root.b, root, MERKLE_HASH);
    CHECK_INT(note_key_make(slice_str(name), NOTE_ED25519, public, &k, &d), 0);
    checkpoint_print(&cp, &text);
    note_print(buf_view(&text), &k, signature, &note);
    entry_print(&k, buf_view(&note), out);
    note_key_free(&k);
    buf_free(&text);
    buf_free(&note);
}

static void take(struct ledger_heads *h, const char *name, uint64_t size, uint8_t root)
{
    struct buf entry;
    struct diag d = {0};
    entry_of(name, size, root, &entry);
    CHECK_INT(ledger_heads_take(h, buf_view(&entry), NULL, &d), 0);
    buf_free(&entry);
}

TEST(heads_are_known_again_after_a_snapshot)
{
    struct ledger_heads *h = ledger_heads_new(1), *again = ledger_heads_new(2);
    struct merkle_hash root;
    struct diag d = {0};
    struct buf b;
    uint64_t round, oldest;
    char name[32];
    buf_init(&b, 1u << 20);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "T/s/j%d", i);
        for (int k = 1; k <= i + 1; k++)
            take(h, name, (uint64_t)k, (uint8_t)k);
    }
    CHECK_INT(ledger_heads_count(h), 50);
    ledger_heads_print(h, 77, 5, &b);
    CHECK_INT(ledger_heads_parse(again, buf_view(&b), &round, &oldest, &d), 0);
    CHECK_INT(round, 77);
    CHECK_INT(oldest, 5);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "T/s/j%d", i);
        const struct ledger_known *k = ledger_heads_find(again, slice_str(name));
        CHECK(k != NULL);
        CHECK_INT(k->last.size, i + 1);
        for (int at = 1; at <= i; at++) {
            memset(root.b, at, MERKLE_HASH);
            CHECK(ledger_heads_lately(k, (uint64_t)at, &root) == (at > i - LEDGER_HEADS_LATELY));
            root.b[0] ^= 1;
            CHECK(!ledger_heads_lately(k, (uint64_t)at, &root));
        }
    }
    for (size_t at = 0; at < b.n; at += 97) { /* any byte changed, any length: refused */
        struct ledger_heads *bad = ledger_heads_new(3);
        b.p[at] ^= 4;
        CHECK(ledger_heads_parse(bad, buf_view(&b), &round, &oldest, &d) != 0);
        b.p[at] ^= 4;
        CHECK(ledger_heads_parse(bad, slice_sub(buf_view(&b), 0, at), &round, &oldest, &d) != 0);
        ledger_heads_free(bad);
    }
    ledger_heads_free(h);
    ledger_heads_free(again);
    buf_free(&b);
}

TEST(replayed_heads_never_go_back)
{
    struct ledger_heads *h = ledger_heads_new(1);
    struct buf entry;
    struct diag d = {0};
    take(h, "T/s/a", 9, 9);
    entry_of("T/s/a", 4, 4, &entry);
    CHECK_INT(ledger_heads_replay(h, buf_view(&entry), &d), 0);
    const struct ledger_known *k = ledger_heads_find(h, SLICE_LIT("T/s/a"));
    struct merkle_hash four;
    memset(four.b, 4, MERKLE_HASH);
    CHECK_INT(k->last.size, 9);
    CHECK(ledger_heads_lately(k, 4, &four));
    buf_free(&entry);
    ledger_heads_free(h);
}

/* --- frames --- */

TEST(frames_of_heads)
{
    struct ledger_submission s = {.kind = ENTRY_HEAD, .is_private = true, .old = 5, .n = 3}, got;
    struct buf b;
    s.salt[3] = 8;
    s.entry = SLICE_LIT("an entry");
    s.proof[2].b[31] = 6;
    buf_init(&b, 4096);
    ledger_frames_put_head(&b, &s);
    CHECK(!b.failed);
    CHECK_INT(ledger_frames_get_head(buf_view(&b), &got), 0);
    CHECK_INT(got.old, 5);
    CHECK_INT(got.n, 3);
    CHECK(got.is_private && got.salt[3] == 8 && got.proof[2].b[31] == 6);
    CHECK(slice_eq(got.entry, s.entry));
    for (size_t n = 0; n < b.n; n++) /* cut anywhere but between hashes: refused */
        if ((b.n - n) % MERKLE_HASH != 0 || n < b.n - 3 * MERKLE_HASH)
            CHECK(ledger_frames_get_head(slice_sub(buf_view(&b), 0, n), &got) != 0);
    buf_free(&b);
}

/* --- lists --- */

static int lists(const char *journals, const char *policy, struct diag *d)
{
    struct ledger_lists l;
    struct buf b;
    buf_init(&b, 65536);
    for (int i = 0; i < 2; i++) {
        const char *s = i == 0 ? journals : policy;
        uint32_t n = (uint32_t)strlen(s);
        buf_add(&b, &n, 4);
        buf_str(&b, s);
    }
    int rc = ledger_lists_parse(buf_view(&b), NULL, &l, d);
    ledger_lists_free(&l);
    buf_free(&b);
    return rc;
}

#define LOG "log ledger.sild.example/test+385bda7f+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4\n"
#define KEY "ledger.sild.example/test+385bda7f+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4\n"
#define WITNESS "w1.sild.example+28d3047f+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X\n"

TEST(lists_of_journals)
{
    struct diag d = {0};
    const char *policy = LOG "quorum none\n";
    CHECK_INT(lists("", policy, &d), 0);
    CHECK_INT(lists("# a comment\n\n" KEY, policy, &d), 0);
    CHECK(lists(KEY KEY, policy, &d) != 0);
    CHECK(lists(WITNESS, policy, &d) != 0);
    CHECK(strstr(d.text, "witness") != NULL);
    CHECK(lists("nonsense\n", policy, &d) != 0);
    CHECK(strstr(d.where, "line 1") != NULL);
    CHECK(lists("", "quorum none and more\n", &d) != 0);
}
