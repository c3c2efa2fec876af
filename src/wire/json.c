#include "wire/json.h"

#include "base/err.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void json_begin(struct json_out *j, struct buf *b)
{
    *j = (struct json_out){.b = b};
}

/* Before a value. */
static void separate(struct json_out *j)
{
    if (j->comma)
        buf_byte(j->b, ',');
    j->comma = true;
}

void json_open(struct json_out *j, char bracket)
{
    separate(j);
    buf_byte(j->b, (uint8_t)bracket);
    j->comma = false;
}

void json_close(struct json_out *j, char bracket)
{
    buf_byte(j->b, (uint8_t)bracket);
    j->comma = true;
}

/* Bytes of the well-formed UTF-8 character that s begins with, 0 when it begins with none. */
static size_t character(struct slice s)
{
    uint8_t c = s.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    return n <= s.n && slice_is_utf8(slice_sub(s, 0, n)) ? n : 0;
}

static void escaped(struct buf *b, uint8_t c)
{
    static const char *const table[0x20] = {
        ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t"};
    if (c >= 0x20)
        buf_printf(b, "\\%c", c);
    else if (table[c] != NULL)
        buf_str(b, table[c]);
    else
        buf_printf(b, "\\u%04x", (unsigned)c);
}

/* How many bytes from i on stand for themselves: most texts are one such run. */
static size_t plain(struct slice s, size_t i)
{
    size_t n = i;
    while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x80 && s.p[n] != '"' && s.p[n] != '\\')
        n++;
    return n - i;
}

static void quoted(struct buf *b, struct slice text)
{
    buf_byte(b, '"');
    for (size_t i = 0; i < text.n;) {
        size_t run = plain(text, i);
        if (run > 0) {
            buf_add(b, text.p + i, run);
            i += run;
            continue;
        }
        uint8_t c = text.p[i];
        size_t n = character(slice_from(text, i));
        if (n == 0)
            buf_str(b, "\xef\xbf\xbd");
        else if (c < 0x20 || c == '"' || c == '\\')
            escaped(b, c);
        else
            buf_add(b, text.p + i, n);
        i += n == 0 ? 1 : n;
    }
    buf_byte(b, '"');
}

void json_key(struct json_out *j, const char *key)
{
    separate(j);
    quoted(j->b, slice_str(key));
    buf_byte(j->b, ':');
    j->comma = false;
}

void json_str(struct json_out *j, struct slice text)
{
    separate(j);
    quoted(j->b, text);
}

void json_num(struct json_out *j, int64_t n)
{
    separate(j);
    buf_printf(j->b, "%" PRId64, n);
}

void json_decimal(struct json_out *j, double x, int decimals)
{
    if (!isfinite(x)) {
        json_none(j);
        return;
    }
    separate(j);
    buf_printf(j->b, "%.*f", decimals, x);
}

void json_bool(struct json_out *j, bool v)
{
    separate(j);
    buf_str(j->b, v ? "true" : "false");
}

void json_none(struct json_out *j)
{
    separate(j);
    buf_str(j->b, "null");
}

void json_kstr(struct json_out *j, const char *key, const char *text)
{
    json_kslice(j, key, slice_str(text));
}

void json_kslice(struct json_out *j, const char *key, struct slice text)
{
    json_key(j, key);
    json_str(j, text);
}

void json_knum(struct json_out *j, const char *key, int64_t n)
{
    json_key(j, key);
    json_num(j, n);
}

void json_raw(struct json_out *j, struct slice json)
{
    separate(j);
    buf_slice(j->b, json);
}

/* Jansson's own limit is 2048; its parser recurses. Brackets are counted outside strings. */
static bool is_too_deep(struct slice s)
{
    size_t depth = 0;
    bool string = false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (string && c == '\\')
            i++;
        else if (c == '"')
            string = !string;
        else if (!string && (c == '{' || c == '['))
            depth++;
        else if (!string && (c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > JSON_DEPTH_MAX)
            return true;
    }
    return false;
}

json_t *json_parse(struct slice text, size_t max, struct diag *d)
{
    if (text.n > max) {
        diag_set(d, ERR_TOO_LARGE, "JSON of more than %zu bytes", max);
        return NULL;
    }
    if (is_too_deep(text)) {
        diag_set(d, ERR_TOO_LARGE, "JSON nested more than %d deep", JSON_DEPTH_MAX);
        return NULL;
    }
    json_error_t e;
    json_t *json =
        json_loadb(text.n == 0 ? "" : (const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &e);
    if (json == NULL) {
        diag_set(d, ERR_SYNTAX, "%s", e.text);
        diag_where(d, "line %d, column %d", e.line, e.column);
    }
    return json;
}
