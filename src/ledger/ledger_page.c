#include "ledger/ledger_page.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/timeval.h"
#include "ledger/ledger_edge.h"
#include "wire/http.h"
#include "wire/xml.h"

#include <stdlib.h>

#define ROUNDS_SHOWN 10
#define JOURNALS_SHOWN 200
#define ROUNDS_SEARCHED 2048 /* the newest; older ones are found by their number */
#define FILES_SEARCHED 256   /* round files of those */
#define ROUND_FILE_MAX (8u << 20)
#define QUERY_MAX 128

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Ledger – Sild</title>\n<style>\n"
    ":root{color-scheme:light dark;--ground:#f3f6f5;--paper:#fff;--ink:#13201f;--soft:#4a5957;"
    "--line:#d2dbd9;--edge:#6c7c79;--brand:#0b5a60;--on-brand:#fff;--ok:#1c673a;"
    "--ok-tint:#e4f2e8;--wait:#7a4d00;--wait-tint:#fbf0d8}\n"
    "@media(prefers-color-scheme:dark){:root{--ground:#0f1817;--paper:#172221;--ink:#e7eeec;"
    "--soft:#a9b8b5;--line:#2d3c3a;--edge:#7d8f8b;--brand:#6cc9cd;--on-brand:#06282b;"
    "--ok:#7fd19b;--ok-tint:#173023;--wait:#f0bf66;--wait-tint:#342814}}\n"
    "*{box-sizing:border-box}html{font:100%/1.5 system-ui,\"Segoe UI\",Roboto,\"Noto Sans\","
    "sans-serif}body{margin:0;background:var(--ground);color:var(--ink);font-size:1.0625rem;"
    "overflow-wrap:break-word}\n"
    "h1,h2,p,dl,dd{margin:0}h1{font-size:1.9375rem;line-height:1.2}h2{font-size:1.5rem}"
    "a{color:var(--brand)}\n"
    ".top{padding:.75rem 1rem;background:var(--paper);border-bottom:3px solid var(--brand);"
    "font-size:1.25rem;font-weight:700}.top small{color:var(--soft);font-size:.8125rem;"
    "font-weight:400}\n"
    "main{display:grid;gap:2rem;grid-template-columns:minmax(0,1fr);max-width:70rem;"
    "margin:0 auto;padding:1.5rem 1rem 4rem}section,form{display:grid;gap:1rem;"
    "grid-template-columns:minmax(0,1fr)}\n"
    ".lede{font-size:1.25rem;color:var(--soft)}.small,dt,label{font-size:.9375rem;"
    "color:var(--soft)}"
    ".hash{font:.875em/1.5 ui-monospace,\"DejaVu Sans Mono\",monospace;overflow-wrap:anywhere}\n"
    "input{display:block;width:100%;padding:.5rem .75rem;border:1px solid var(--edge);"
    "border-radius:6px;background:var(--paper);color:inherit}button{justify-self:start;"
    "padding:.5rem 1.5rem;border:0;border-radius:6px;background:var(--brand);"
    "color:var(--on-brand);font:inherit;font-weight:700}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:1rem}"
    ".figures div{padding:1rem;background:var(--paper);border:1px solid var(--line);"
    "border-radius:6px}.figures dd{font-size:1.5rem}\n"
    ".note{padding:1rem;border-radius:6px;display:grid;gap:.5rem}.ok{background:var(--ok-tint)}"
    ".ok h2{color:var(--ok)}.wait{background:var(--wait-tint)}.wait h2{color:var(--wait)}\n"
    ".scroll{overflow-x:auto;background:var(--paper);border:1px solid var(--line);"
    "border-radius:6px}table{width:100%;border-collapse:collapse;font-size:.9375rem}"
    "th,td{padding:.5rem .75rem;text-align:left;vertical-align:baseline;"
    "border-top:1px solid var(--line)}thead th{border:0;color:var(--soft);font-size:.8125rem}"
    ".num{text-align:right;font-variant-numeric:tabular-nums}\n"
    "</style>\n</head>\n<body>\n<header class=\"top\">Sild <small>Ledger</small></header>\n"
    "<main>\n";

struct page {
    struct ledger_files *files;
    const struct ledger_lists *lists;
    struct buf *out;
    struct buf checkpoint, bundle, file;
    struct note note;
    struct checkpoint cp;
    struct policy_verdict verdict;
    bool judged;
    uint64_t bundle_at; /* index of the bundle in memory; UINT64_MAX: none */
};

/* --- reading --- */

static int read_checkpoint(struct page *p, struct diag *d)
{
    int rc = ledger_files_read(p->files, "checkpoint", &p->checkpoint);
    if (rc != 0)
        return diag_set(d, rc, "there is no checkpoint");
    rc = note_parse(buf_view(&p->checkpoint), &p->note, d);
    rc = rc != 0 ? rc : checkpoint_parse(p->note.text, &p->cp, d);
    p->judged = rc == 0 && p->lists->policy != NULL &&
                policy_check(p->lists->policy, &p->note, &p->verdict, NULL) == 0;
    return rc;
}

static bool record_at(struct page *p, uint64_t round, uint8_t bytes[ROUND_RECORD],
                      struct round_record *out)
{
    char path[TILE_PATH_MAX];
    struct tile_id id;
    size_t at = (size_t)(round % TILE_WIDTH) * (2 + ROUND_RECORD) + 2;
    if (!tile_of(0, round, p->cp.size, &id))
        return false;
    id.entries = true;
    if (p->bundle_at != id.index) {
        buf_reset(&p->bundle);
        tile_path(&id, path);
        int rc = ledger_files_read(p->files, path, &p->bundle);
        id.width = TILE_WIDTH;
        tile_path(&id, path);
        if (rc == ERR_NOT_FOUND)
            rc = ledger_files_read(p->files, path, &p->bundle);
        if (rc != 0)
            return false;
        p->bundle_at = id.index;
    }
    if (p->bundle.n < at + ROUND_RECORD)
        return false;
    memcpy(bytes, p->bundle.p + at, ROUND_RECORD);
    return round_record_parse(slice_of(bytes, ROUND_RECORD), out, NULL) == 0;
}

static int read_round(struct page *p, uint64_t round)
{
    char index[TILE_PATH_MAX], path[TILE_PATH_MAX + 8];
    tile_index_path(round, index);
    snprintf(path, sizeof path, "rounds/%s", index);
    buf_reset(&p->file);
    return ledger_files_read(p->files, path, &p->file);
}

/* --- pieces --- */

static void print_time(struct buf *out, int64_t ms)
{
    char when[TIMEVAL_TEXT];
    timeval_print_iso(ms, false, when);
    buf_printf(out, "<time datetime=\"%s\">%s</time>", when, when);
}

static void print_figures(struct page *p)
{
    const struct policy *policy = p->lists->policy;
    unsigned signed_by = 0;
    for (unsigned i = 0; p->judged && i < POLICY_WITNESSES; i++)
        signed_by += p->verdict.witnesses >> i & 1;
    buf_printf(p->out,
               "<section><h2>Now</h2>\n<dl class=\"figures\">\n<div><dt>Rounds</dt><dd>%llu</dd>"
               "</div>\n<div><dt>Journals</dt><dd>%zu</dd></div>\n<div><dt>Witnesses</dt><dd>%u of "
               "%zu</dd><dd class=\"small\">%u needed</dd></div>\n</dl>\n",
               (unsigned long long)p->cp.size, p->lists->n, signed_by,
               policy == NULL ? 0 : policy->n_witnesses,
               policy == NULL || !policy->needs_witnesses ? 0 : policy_needs(policy));
}

static void print_round_row(struct page *p, const struct round_record *r)
{
    buf_printf(p->out, "<tr><th scope=\"row\"><a href=\"/?q=%llu\">%llu</a></th><td>",
               (unsigned long long)r->round, (unsigned long long)r->round);
    print_time(p->out, (int64_t)r->time_ms);
    buf_printf(p->out, "</td><td class=\"num\">%llu</td><td class=\"hash\">",
               (unsigned long long)r->heads);
    hex_append(p->out, slice_of(r->root.b, MERKLE_HASH));
    buf_str(p->out, "</td></tr>\n");
}

static void print_rounds(struct page *p)
{
    uint8_t bytes[ROUND_RECORD];
    struct round_record r;
    buf_str(p->out, "<div class=\"scroll\" tabindex=\"0\"><table>\n<caption class=\"small\">Last "
                    "rounds</caption><thead><tr><th scope=\"col\">Round</th><th scope=\"col\">"
                    "Closed, UTC</th><th scope=\"col\" class=\"num\">Heads</th><th scope=\"col\">"
                    "Root over them</th></tr></thead>\n<tbody>\n");
    for (uint64_t i = 0; i < ROUNDS_SHOWN && i < p->cp.size; i++)
        if (record_at(p, p->cp.size - 1 - i, bytes, &r))
            print_round_row(p, &r);
    buf_str(p->out, "</tbody></table></div></section>\n");
}

static void print_witnesses(struct page *p)
{
    const struct policy *policy = p->lists->policy;
    if (policy == NULL || policy->n_witnesses == 0)
        return;
    buf_str(p->out, "<section><h2>Witnesses</h2>\n<div class=\"scroll\" tabindex=\"0\"><table>\n"
                    "<thead><tr><th scope=\"col\">Witness</th><th scope=\"col\">Cosigned, UTC</th>"
                    "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < policy->n_witnesses; i++) {
        buf_str(p->out, "<tr><th scope=\"row\">");
        xml_escape(p->out, note_key_name(&policy->witness[i].key));
        buf_str(p->out, "</th><td>");
        if (p->judged && (p->verdict.witnesses >> i & 1) != 0)
            print_time(p->out, (int64_t)p->verdict.times[i] * 1000);
        else
            buf_str(p->out, "not this checkpoint");
        buf_str(p->out, "</td></tr>\n");
    }
    buf_str(p->out, "</tbody></table></div></section>\n");
}

static void print_journals(struct page *p)
{
    buf_str(p->out, "<section><h2>Journals</h2>\n<div class=\"scroll\" tabindex=\"0\"><table>\n"
                    "<thead><tr><th scope=\"col\">Journal</th><th scope=\"col\">Key id</th></tr>"
                    "</thead>\n<tbody>\n");
    for (size_t i = 0; i < p->lists->n && i < JOURNALS_SHOWN; i++) {
        buf_str(p->out, "<tr><th scope=\"row\">");
        xml_escape(p->out, note_key_name(&p->lists->key[i]));
        buf_str(p->out, "</th><td class=\"hash\">");
        hex_append(p->out, slice_of(p->lists->key[i].id, 4));
        buf_str(p->out, "</td></tr>\n");
    }
    buf_str(p->out, "</tbody></table></div>\n");
    if (p->lists->n > JOURNALS_SHOWN)
        buf_printf(p->out,
                   "<p class=\"small\">%d of %zu are shown; all are in <a href=\"/journals\">"
                   "/journals</a>.</p>\n",
                   JOURNALS_SHOWN, p->lists->n);
    buf_str(p->out, "</section>\n");
}

/* --- what is searched --- */

static void print_entries(struct page *p)
{
    struct slice rest = buf_view(&p->file), bytes;
    struct entry e;
    bool bad = false;
    size_t n = 0;
    buf_str(p->out, "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">"
                    "Journal</th><th scope=\"col\" class=\"num\">Records</th><th scope=\"col\">Root"
                    "</th></tr></thead>\n<tbody>\n");
    while (n < JOURNALS_SHOWN && tile_bundle_next(&rest, &bytes, &bad)) {
        if (entry_parse(bytes, &e, NULL) != 0)
            continue;
        n++;
        buf_str(p->out, "<tr><th scope=\"row\">");
        xml_escape(p->out, e.kind == ENTRY_COMMITMENT ? SLICE_LIT("a private journal") : e.name);
        buf_printf(p->out, "</th><td class=\"num\">");
        if (e.kind != ENTRY_COMMITMENT)
            buf_printf(
                p->out, "%llu",
                (unsigned long long)(e.kind == ENTRY_HEAD ? e.head.size : e.aggregate.heads));
        buf_str(p->out, "</td><td class=\"hash\">");
        hex_append(p->out, slice_of(e.kind == ENTRY_HEAD        ? e.head.root.b
                                    : e.kind == ENTRY_AGGREGATE ? e.aggregate.root.b
                                                                : e.commitment,
                                    MERKLE_HASH));
        buf_str(p->out, "</td></tr>\n");
    }
    buf_str(p->out, "</tbody></table></div>\n");
}

static void print_found(struct page *p, const struct round_record *r)
{
    buf_printf(p->out, "<section><div class=\"note ok\"><h2>Round %llu</h2><p>Closed ",
               (unsigned long long)r->round);
    print_time(p->out, (int64_t)r->time_ms);
    buf_printf(p->out, ", over %llu heads; leaf %llu of %llu in the ledger.</p></div>\n",
               (unsigned long long)r->heads, (unsigned long long)r->round,
               (unsigned long long)p->cp.size);
    if (r->entries > 0 && read_round(p, r->round) == 0)
        print_entries(p);
    else if (r->entries > 0)
        buf_str(p->out,
                "<p>The heads of this round are not kept any more; each journal has its own "
                "proof.</p>\n");
    buf_str(p->out, "</section>\n");
}

/* Does this round know the hash: its record, its leaf, its root, a head's root or leaf? */
static bool round_has(struct page *p, const uint8_t bytes[ROUND_RECORD],
                      const struct round_record *r, const uint8_t hash[MERKLE_HASH], int *files)
{
    struct slice rest, entry;
    struct merkle_hash leaf;
    struct entry e;
    uint8_t sum[32];
    bool bad = false;
    round_record_digest(bytes, sum);
    merkle_leaf(slice_of(bytes, ROUND_RECORD), &leaf);
    if (memcmp(sum, hash, 32) == 0 || memcmp(leaf.b, hash, 32) == 0 ||
        (r->entries > 0 && memcmp(r->root.b, hash, 32) == 0))
        return true;
    if (r->entries == 0 || --*files < 0 || read_round(p, r->round) != 0)
        return false;
    rest = buf_view(&p->file);
    while (tile_bundle_next(&rest, &entry, &bad)) {
        merkle_leaf(entry, &leaf);
        if (memcmp(leaf.b, hash, 32) == 0)
            return true;
        if (entry_parse(entry, &e, NULL) == 0 &&
            ((e.kind == ENTRY_HEAD && memcmp(e.head.root.b, hash, 32) == 0) ||
             (e.kind == ENTRY_AGGREGATE && memcmp(e.aggregate.root.b, hash, 32) == 0) ||
             (e.kind == ENTRY_COMMITMENT && memcmp(e.commitment, hash, 32) == 0)))
            return true;
    }
    return false;
}

static bool find_hash(struct page *p, const uint8_t hash[MERKLE_HASH], struct round_record *r)
{
    uint8_t bytes[ROUND_RECORD];
    int files = FILES_SEARCHED;
    for (uint64_t i = 0; i < ROUNDS_SEARCHED && i < p->cp.size; i++)
        if (record_at(p, p->cp.size - 1 - i, bytes, r) && round_has(p, bytes, r, hash, &files))
            return true;
    return false;
}

static void print_search(struct page *p, struct slice query)
{
    uint8_t hash[MERKLE_HASH], bytes[ROUND_RECORD];
    struct round_record r;
    struct buf text;
    uint64_t round;
    buf_init(&text, QUERY_MAX);
    bool asked = http_query_get(query, "q", &text) && !text.failed;
    struct slice q = slice_trim(buf_view(&text));
    buf_str(p->out,
            "<form method=\"get\" action=\"/\" role=\"search\"><p><label for=\"q\">A round, or "
            "a hash</label><input type=\"text\" class=\"hash\" id=\"q\" name=\"q\" value=\"");
    xml_escape(p->out, asked ? q : SLICE_NONE);
    buf_str(p->out, "\" autocomplete=\"off\" spellcheck=\"false\"></p><button type=\"submit\">Look "
                    "up</button></form>\n");
    if (asked && q.n > 0) {
        if ((slice_u64(q, &round) && record_at(p, round, bytes, &r)) ||
            (hex_parse(q, hash, MERKLE_HASH) && find_hash(p, hash, &r)))
            print_found(p, &r);
        else
            buf_printf(p->out,
                       "<section><div class=\"note wait\"><h2>Not found</h2><p>Rounds are found by "
                       "their number; hashes (64 hexadecimal digits: of a head, of a round or its "
                       "record) among the last %d rounds. A record of a journal is shown by its "
                       "own proof: <code>sild proof verify</code>.</p></div></section>\n",
                       ROUNDS_SEARCHED);
    }
    buf_free(&text);
}

/* --- all of it --- */

static void print_page(struct page *p, struct slice query, int64_t now_ms)
{
    struct buf *out = p->out;
    buf_str(out, head);
    buf_str(out, "<section><h1>");
    xml_escape(out, p->cp.origin);
    buf_str(out,
            "</h1>\n<p class=\"lede\">Proof of what was recorded and when. It holds no data, only "
            "fingerprints; anyone may check it, also without us.</p></section>\n");
    print_search(p, query);
    print_figures(p);
    print_rounds(p);
    print_witnesses(p);
    print_journals(p);
    buf_str(out,
            "<p class=\"small\">For tools: <a href=\"/checkpoint\">/checkpoint</a>, <a "
            "href=\"/policy\">/policy</a>, <a href=\"/journals\">/journals</a> and the tiles of "
            "C2SP tlog-tiles. Page made ");
    print_time(out, now_ms);
    buf_str(out, ".</p>\n</main>\n</body>\n</html>\n");
}

int ledger_page_print(struct ledger_files *files, const struct ledger_lists *lists,
                      struct slice query, int64_t now_ms, struct buf *out, struct diag *d)
{
    struct page *p = calloc(1, sizeof *p);
    if (p == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the page");
    *p = (struct page){.files = files, .lists = lists, .out = out, .bundle_at = UINT64_MAX};
    buf_init(&p->checkpoint, NOTE_MAX);
    buf_init(&p->bundle, LEDGER_BUNDLE_MAX);
    buf_init(&p->file, ROUND_FILE_MAX);
    int rc = read_checkpoint(p, d);
    if (rc == 0) {
        print_page(p, query, now_ms);
        rc = out->failed ? diag_set(d, ERR_TOO_LARGE, "the page is too large") : 0;
    }
    buf_free(&p->checkpoint);
    buf_free(&p->bundle);
    buf_free(&p->file);
    free(p);
    return rc;
}
