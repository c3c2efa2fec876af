#include "ledger/ledger_fsck.h"
#include "base/base64.h"
#include "base/err.h"
#include "base/opt.h"
#include "ledger/ledger_edge.h"
#include "net/http_fetch.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "tlog/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (96u << 20)
#define FETCH_MS 30000

/* Where the files are: a folder, or below a URL. */
struct source {
    bool http;
    char base[1100];
};

struct fsck {
    struct source from;
    struct ledger_edge *edge;
    struct note note;
    struct buf checkpoint, file;
    struct checkpoint cp;
    uint8_t record[ROUND_RECORD]; /* the last one read */
    uint64_t tiles, bundles, rounds, entries, gone;
    bool present; /* a round file was there: none after it may be missing */
};

/* ERR_NOT_FOUND when there is no such file; all else is a failure to read. */
static int read_file(const struct source *s, const char *path, struct buf *out, struct diag *d)
{
    char full[1400];
    struct http_result r;
    snprintf(full, sizeof full, "%s/%s", s->base, path);
    buf_reset(out);
    if (!s->http)
        return fs_read(full, out, d);
    int rc = http_fetch(full, "GET", SLICE_NONE, SLICE_NONE, FILE_MAX, FETCH_MS, &r, d);
    if (rc != 0)
        return rc;
    if (r.status == 404)
        rc = diag_set(d, ERR_NOT_FOUND, "%s is not there", path);
    else if (r.status != 200)
        rc = diag_set(d, ERR_HTTP, "%s: status %d", path, r.status);
    else
        buf_slice(out, buf_view(&r.body));
    http_result_free(&r);
    return rc != 0 ? rc : out->failed ? ERR_NOMEM : 0;
}

/* A ledger's folder has its public files below `public`. */
static void set_source(struct source *s, const char *where)
{
    size_t n = strlen(where);
    char public[1200];
    while (n > 1 && where[n - 1] == '/')
        n--;
    s->http = strncmp(where, "http://", 7) == 0 || strncmp(where, "https://", 8) == 0;
    snprintf(s->base, sizeof s->base, "%.*s", (int)n, where);
    snprintf(public, sizeof public, "%s/public", s->base);
    if (!s->http && fs_exists(public))
        snprintf(s->base, sizeof s->base, "%.*s/public", (int)n, where);
}

/* --- the checkpoint --- */

static int check_by_key(struct fsck *f, const char *path, struct diag *d)
{
    struct note_key key = {0};
    const struct note_key *keys[1] = {&key};
    struct note_seen seen;
    struct buf b;
    buf_init(&b, NOTE_MAX);
    int rc = fs_read(path, &b, d);
    rc = rc != 0 ? rc : note_key_parse(slice_trim(buf_view(&b)), &key, d);
    rc = rc != 0 ? rc : note_open(&f->note, keys, 1, &seen, d);
    if (rc == 0 && !slice_eq(note_key_name(&key), f->cp.origin))
        rc = diag_set(d, ERR_MISSING_SIGNATURE, "the checkpoint is of another origin");
    note_key_free(&key);
    buf_free(&b);
    return rc;
}

/* By the policy that lies beside the ledger: good for what one's own disk holds. */
static int check_by_policy(struct fsck *f, struct diag *d)
{
    struct policy_verdict *v = calloc(1, sizeof *v);
    struct policy *p = NULL;
    int rc = v == NULL ? ERR_NOMEM : read_file(&f->from, "policy", &f->file, d);
    rc = rc != 0 ? rc : policy_parse(buf_view(&f->file), &p, d);
    rc = rc != 0 ? rc : policy_check(p, &f->note, v, d);
    policy_free(p);
    free(v);
    return rc;
}

static int read_checkpoint(struct fsck *f, const char *vkey, struct diag *d)
{
    int rc = read_file(&f->from, "checkpoint", &f->checkpoint, d);
    rc = rc != 0 ? rc : note_parse(buf_view(&f->checkpoint), &f->note, d);
    rc = rc != 0 ? rc : checkpoint_parse(f->note.text, &f->cp, d);
    rc = rc != 0 ? rc : vkey != NULL ? check_by_key(f, vkey, d) : check_by_policy(f, d);
    if (rc != 0)
        diag_where(d, "checkpoint");
    return rc;
}

/* --- tiles and bundles --- */

/* The tile as computed against the file. */
static int compare_tile(struct fsck *f, const struct ledger_edge_change *c, struct diag *d)
{
    char path[TILE_PATH_MAX];
    tile_path(&c->id, path);
    int rc = read_file(&f->from, path, &f->file, d);
    if (rc == ERR_NOT_FOUND)
        return diag_set(d, ERR_CORRUPT, "%s is missing", path);
    if (rc != 0)
        return rc;
    f->tiles++;
    return slice_eq(buf_view(&f->file), c->bytes)
               ? 0
               : diag_set(d, ERR_CORRUPT, "%s does not hold the hashes that the entries give",
                          path);
}

static int check_entry(void *ctx, uint64_t index, struct slice bytes, const struct entry *e)
{
    struct fsck *f = ctx;
    (void)index;
    (void)bytes;
    f->entries++;
    return e->kind == ENTRY_COMMITMENT ? 0 : entry_verify(e, NULL, NULL);
}

/* The heads of a round: kept for a stated time only, the oldest go first. */
static int check_round(struct fsck *f, const struct round_record *rec, struct diag *d)
{
    char index[TILE_PATH_MAX], path[TILE_PATH_MAX + 8];
    if (rec->entries == 0)
        return 0;
    tile_index_path(rec->round, index);
    snprintf(path, sizeof path, "rounds/%s", index);
    int rc = read_file(&f->from, path, &f->file, d);
    if (rc == ERR_NOT_FOUND) {
        f->gone++;
        return f->present ? diag_set(d, ERR_CORRUPT, "%s is missing, older ones are there", path)
                          : 0;
    }
    f->present = true;
    f->rounds++;
    rc = rc != 0 ? rc : round_check(buf_view(&f->file), rec, check_entry, f, d);
    if (rc != 0)
        diag_where(d, "%s", path);
    return rc;
}

static int take_record(struct fsck *f, struct slice entry, bool last, struct diag *d)
{
    struct ledger_edge_change change[LEDGER_EDGE_CHANGES];
    struct round_record rec;
    uint64_t at = f->edge->frontier.size;
    if (entry.n != ROUND_RECORD)
        return diag_set(d, ERR_CORRUPT, "entry %llu is no round's record", (unsigned long long)at);
    int rc = round_record_parse(entry, &rec, d);
    if (rc == 0 && at == 0 && rec.round != 0)
        rc = diag_set(d, ERR_CORRUPT, "the first record is not that of round 0");
    if (rc == 0 && at > 0)
        rc = round_follows(f->record, entry.p, d);
    if (rc != 0) {
        diag_where(d, "record %llu", (unsigned long long)at);
        return rc;
    }
    memcpy(f->record, entry.p, ROUND_RECORD);
    size_t n = ledger_edge_append(f->edge, f->record, change);
    for (size_t i = 1; rc == 0 && i < n; i++) /* the first is the bundle itself */
        if (change[i].id.width == TILE_WIDTH || last)
            rc = compare_tile(f, &change[i], d);
    return rc != 0 ? rc : check_round(f, &rec, d);
}

static int take_bundle(struct fsck *f, const struct tile_id *id, struct diag *d)
{
    char path[TILE_PATH_MAX];
    struct slice rest, entry;
    struct buf b;
    bool bad = false;
    unsigned n = 0;
    tile_path(id, path);
    buf_init(&b, TILE_BUNDLE_MAX);
    int rc = read_file(&f->from, path, &b, d);
    f->bundles++;
    rest = buf_view(&b);
    while (rc == 0 && n < id->width && tile_bundle_next(&rest, &entry, &bad))
        rc = take_record(f, entry, id->index * TILE_WIDTH + ++n == f->cp.size, d);
    if (rc == 0 && (bad || n != id->width || rest.n > 0))
        rc = diag_set(d, ERR_CORRUPT, "%s does not hold exactly %u entries", path, id->width);
    buf_free(&b);
    return rc == ERR_NOT_FOUND ? diag_set(d, ERR_CORRUPT, "%s is missing", path) : rc;
}

/* Upper tiles that the last leaf did not touch, but that the size implies as they are. */
static int check_edge(struct fsck *f, struct diag *d)
{
    int rc = 0;
    for (unsigned level = 1; rc == 0 && level < TILE_LEVELS; level++) {
        struct ledger_edge_change c = {.id = {.level = level}};
        c.id.index = tile_count(level, f->cp.size, &c.id.width);
        if (c.id.width == 0)
            continue;
        c.bytes = slice_of(f->edge->tile[level], (size_t)c.id.width * MERKLE_HASH);
        rc = compare_tile(f, &c, d);
    }
    return rc;
}

static int check_all(struct fsck *f, struct diag *d)
{
    struct merkle_hash root;
    unsigned partial;
    uint64_t full = tile_count(0, f->cp.size, &partial);
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < full + (partial > 0); i++) {
        struct tile_id id = {.entries = true, .index = i, .width = i < full ? TILE_WIDTH : partial};
        rc = take_bundle(f, &id, d);
    }
    rc = rc != 0 ? rc : check_edge(f, d);
    merkle_root(&f->edge->frontier, &root);
    if (rc == 0 && memcmp(root.b, f->cp.root.b, MERKLE_HASH) != 0)
        rc = diag_set(d, ERR_INVALID_HASH_CHAIN,
                      "the entries give another root than the checkpoint");
    return rc;
}

static int fsck(struct fsck *f, const char *vkey, struct diag *d)
{
    char root[BASE64_LEN(MERKLE_HASH) + 1];
    int rc = read_checkpoint(f, vkey, d);
    rc = rc != 0 ? rc : check_all(f, d);
    if (rc != 0)
        return rc;
    base64_print(slice_of(f->cp.root.b, MERKLE_HASH), root);
    printf("%.*s: size %llu, root %s\n"
           "%llu bundles and %llu tiles give this root; each record names the one before it\n"
           "%llu round files with %llu entries fit their records",
           SLICE_ARG(f->cp.origin), (unsigned long long)f->cp.size, root,
           (unsigned long long)f->bundles, (unsigned long long)f->tiles,
           (unsigned long long)f->rounds, (unsigned long long)f->entries);
    if (f->gone > 0)
        printf("; %llu older ones are not kept any more", (unsigned long long)f->gone);
    printf("\n");
    return 0;
}

/* The answer is no, or no answer was to be had. */
static int exit_code(int rc)
{
    switch (rc) {
    case 0:
        return EXIT_DONE;
    case ERR_NOMEM:
    case ERR_IO:
    case ERR_NETWORK:
    case ERR_TIMEOUT:
    case ERR_UNKNOWN_HOST:
    case ERR_HTTP:
    case ERR_NOT_FOUND:
    case ERR_CLOSED:
        return EXIT_COULD_NOT;
    default:
        return EXIT_NO;
    }
}

int ledger_fsck_main(int argc, char **argv)
{
    const char *vkey = NULL;
    const struct opt opts[] = {
        {"--vkey", "FILE", "the ledger's key; else the policy beside its files", &vkey, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild ledger fsck DIR|URL [--vkey FILE]",
        .text = "Reads every file of a ledger, from its folder or over HTTP: computes all tiles\n"
                "and the root anew from the entries, checks that each record names the one before\n"
                "it, and that each round's heads are those of its record and signed. Exit code 1\n"
                "when something is wrong.",
        .opts = opts,
        .min_args = 1,
        .max_args = 1,
    };
    struct diag d = {0};
    char *args[argc + 1];
    int code;
    if (!command_parse("ledger fsck", &cmd, argc, argv, args, &code))
        return code;
    struct fsck *f = calloc(1, sizeof *f);
    if (f == NULL || (f->edge = calloc(1, sizeof *f->edge)) == NULL) {
        free(f);
        return EXIT_COULD_NOT;
    }
    buf_init(&f->checkpoint, NOTE_MAX);
    buf_init(&f->file, FILE_MAX);
    set_source(&f->from, args[0]);
    int rc = fsck(f, vkey, &d);
    code = rc == 0 ? EXIT_DONE : command_fail("ledger fsck", &d, exit_code(rc));
    buf_free(&f->checkpoint);
    buf_free(&f->file);
    free(f->edge);
    free(f);
    return code;
}
