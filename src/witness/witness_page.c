#include "witness/witness_page.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/map.h"
#include "base/timeval.h"
#include "crypto/digest.h"
#include "wire/xml.h"

#include <stdlib.h>

/* Self-contained: a witness serves no other files. */
static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Witness – Sild</title>\n<style>\n"
    ":root{color-scheme:light dark;--ground:#f3f6f5;--paper:#fff;--ink:#13201f;--soft:#4a5957;"
    "--line:#d2dbd9;--brand:#0b5a60}\n"
    "@media(prefers-color-scheme:dark){:root{--ground:#0f1817;--paper:#172221;--ink:#e7eeec;"
    "--soft:#a9b8b5;--line:#2d3c3a;--brand:#6cc9cd}}\n"
    "*{box-sizing:border-box}html{font:100%/1.5 system-ui,\"Segoe UI\",Roboto,\"Noto Sans\","
    "sans-serif}body{margin:0;background:var(--ground);color:var(--ink);font-size:1.0625rem;"
    "overflow-wrap:break-word}\n"
    "h1,h2,p,dl,dd{margin:0}h1{font-size:1.9375rem;line-height:1.2}h2{font-size:1.5rem}"
    "a{color:var(--brand)}\n"
    ".top{padding:.75rem 1rem;background:var(--paper);border-bottom:3px solid var(--brand);"
    "font-size:1.25rem;font-weight:700}.top small{color:var(--soft);font-size:.8125rem;"
    "font-weight:400}\n"
    "main{display:grid;gap:2rem;grid-template-columns:minmax(0,1fr);max-width:72rem;"
    "margin:0 auto;padding:1.5rem 1rem 4rem}section{display:grid;gap:1rem;"
    "grid-template-columns:minmax(0,1fr)}\n"
    ".lede{font-size:1.25rem;color:var(--soft)}.small,dt{font-size:.9375rem;color:var(--soft)}"
    ".hash{font:.875em/1.5 ui-monospace,\"DejaVu Sans Mono\",monospace;overflow-wrap:anywhere}\n"
    ".scroll{overflow-x:auto;background:var(--paper);border:1px solid var(--line);"
    "border-radius:6px}table{width:100%;border-collapse:collapse;font-size:.9375rem}"
    "th,td{padding:.5rem .75rem;text-align:left;vertical-align:baseline;"
    "border-top:1px solid var(--line)}thead th{border:0;color:var(--soft);font-size:.8125rem}"
    ".num{text-align:right;font-variant-numeric:tabular-nums}\n"
    "</style>\n</head>\n<body>\n<header class=\"top\">Sild <small>Witness</small></header>\n"
    "<main>\n";

static const char about[] =
    "<p class=\"lede\">It signs the newest checkpoint of a log only when that grew out of the last "
    "one it signed. Whoever sees its signature knows that the log has shown everybody the same "
    "history.</p>\n";

/* Where the witness serves what it last signed of this origin. */
static void print_link(struct buf *out, struct slice origin)
{
    struct digest id;
    digest_of(DIGEST_SHA256, origin, &id);
    buf_str(out, "<a href=\"");
    hex_append(out, digest_slice(&id));
    buf_str(out, "/checkpoint\">");
    xml_escape(out, origin);
    buf_str(out, "</a>");
}

static void print_time(struct buf *out, int64_t ms)
{
    char when[TIMEVAL_TEXT];
    timeval_print_iso(ms, false, when);
    buf_printf(out, "<time datetime=\"%s\">%s</time>", when, when);
}

static void print_row(struct buf *out, struct slice origin, const struct witness_row *r)
{
    buf_str(out, "<tr><th scope=\"row\">");
    if (r == NULL) {
        xml_escape(out, origin);
        buf_str(out, "</th><td class=\"num\">–</td><td>nothing yet</td></tr>\n");
        return;
    }
    print_link(out, origin);
    buf_printf(out, "</th><td class=\"num\">%llu</td><td>", (unsigned long long)r->size);
    print_time(out, r->time_s * 1000);
    buf_str(out, "</td></tr>\n");
}

/* A log with several keys is one row. */
static bool is_first_key(const struct witness_logs *logs, const struct note_key *k)
{
    return witness_logs_find(logs, note_key_name(k))->key[0] == k;
}

static void print_logs(struct buf *out, const struct witness_logs *logs, const struct map *held)
{
    size_t n = witness_logs_count(logs), rows = 0;
    buf_str(out, "<section><h2>Logs</h2>\n<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>"
                 "<th scope=\"col\">Origin</th><th scope=\"col\" class=\"num\">Size</th>"
                 "<th scope=\"col\">Last cosigned, UTC</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n && rows < WITNESS_ROWS_MAX; i++) {
        const struct note_key *k = witness_logs_at(logs, i);
        if (!is_first_key(logs, k))
            continue;
        print_row(out, note_key_name(k), map_get(held, note_key_name(k)));
        rows++;
    }
    buf_str(out, "</tbody></table></div>\n");
    if (n == 0)
        buf_str(out, "<p>It watches no log yet.</p>\n");
    else if (rows == WITNESS_ROWS_MAX)
        buf_printf(out, "<p class=\"small\">Only the first %d logs are shown.</p>\n",
                   WITNESS_ROWS_MAX);
    buf_str(out, "</section>\n");
}

static int index_rows(struct slice held, struct witness_row *rows, struct map *by_origin)
{
    struct rd r = rd_of(held);
    (void)rd_u64(&r); /* how many there are in all */
    for (size_t n = 0; rd_left(&r) > 0 && n < WITNESS_ROWS_MAX; n++) {
        int rc = witness_frames_get_row(&r, &rows[n]);
        rc = rc != 0 ? rc : map_put(by_origin, rows[n].origin, &rows[n]);
        if (rc != 0)
            return rc;
    }
    return rd_done(&r) ? 0 : ERR_SYNTAX;
}

int witness_page_print(const struct note_key *witness, const struct witness_logs *logs,
                       struct slice held, int64_t now_ms, struct buf *out)
{
    struct map *by_origin = map_new(WITNESS_ROWS_MAX, 0);
    struct witness_row *rows = calloc(WITNESS_ROWS_MAX, sizeof *rows);
    int rc = by_origin == NULL || rows == NULL ? ERR_NOMEM : index_rows(held, rows, by_origin);
    if (rc == 0) {
        buf_str(out, head);
        buf_str(out, "<section><h1>");
        xml_escape(out, note_key_name(witness));
        buf_str(out, "</h1>\n");
        buf_str(out, about);
        buf_str(out, "<dl><dt>Its key, for policies</dt><dd class=\"hash\">");
        note_key_print(witness, out);
        buf_str(out, "</dd></dl></section>\n");
        print_logs(out, logs, by_origin);
        buf_str(out, "<p class=\"small\">Logs hand in checkpoints at <code>add-checkpoint</code> "
                     "(C2SP tlog-witness). Page made ");
        print_time(out, now_ms);
        buf_str(out, ".</p>\n</main>\n</body>\n</html>\n");
        rc = out->failed ? ERR_TOO_LARGE : 0;
    }
    free(rows);
    map_free(by_origin);
    return rc;
}
