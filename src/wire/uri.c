#include "wire/uri.h"

#include "base/err.h"
#include "base/hex.h"

#include <string.h>

static bool in_set(uint8_t c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_pchar(uint8_t c)
{
    return is_alnum(c) || in_set(c, "-._~!$&'()*+,;=:@");
}

static bool is_control(uint8_t c)
{
    return c < 0x20 || c == 0x7F;
}

/* The octet of the escape "%XX" at s[i]. */
static bool escape_at(struct slice s, size_t i, uint8_t *c)
{
    return s.p[i] == '%' && hex_parse(slice_sub(s, i + 1, 2), c, 1);
}

/* Takes a segment apart; `plain` says which octets may stand for themselves. */
static bool decode(struct slice s, bool (*plain)(uint8_t), bool plus, struct buf *out)
{
    size_t from = out->n;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '%') {
            if (!escape_at(s, i, &c))
                return false;
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        } else if (!plain(c)) {
            return false;
        }
        if (c == 0)
            return false;
        buf_byte(out, c);
    }
    return out->failed || slice_is_utf8(slice_from(buf_view(out), from));
}

static int decode_or_undo(struct slice s, bool (*plain)(uint8_t), bool plus, struct buf *out)
{
    size_t from = out->n;
    if (s.n == 0)
        return 0;
    bool good = decode(s, plain, plus, out);
    if (good && !out->failed)
        return 0;
    out->n = from;
    return good ? ERR_TOO_LARGE : ERR_SYNTAX;
}

int uri_segment_decode(struct slice segment, struct buf *out)
{
    return decode_or_undo(segment, is_pchar, false, out);
}

static bool is_form(uint8_t c)
{
    return !is_control(c) && c != ' ';
}

int uri_form_decode(struct slice text, struct buf *out)
{
    return decode_or_undo(text, is_form, true, out);
}

void uri_segment_encode(struct slice text, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (is_pchar(c)) {
            buf_byte(out, c);
            continue;
        }
        buf_byte(out, '%');
        buf_byte(out, (uint8_t)digits[c >> 4]);
        buf_byte(out, (uint8_t)digits[c & 15]);
    }
}

/* The segment without its parameters. */
static struct slice bare(struct slice segment)
{
    size_t mark = slice_find(segment, ';');
    return mark == SIZE_MAX ? segment : slice_sub(segment, 0, mark);
}

/* "." or "..", escaped or not. */
static bool is_dots(struct slice s)
{
    size_t dots = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '%') {
            if (!escape_at(s, i, &c))
                return false;
            i += 2;
        }
        if (c != '.' || ++dots > 2)
            return false;
    }
    return dots > 0;
}

static bool is_plain_dots(struct slice s)
{
    return slice_eq_str(s, ".") || slice_eq_str(s, "..");
}

/*
 * What is wrong with a segment whoever reads it, or NULL. last: an empty one is the trailing slash.
 */
static const char *segment_flaw(struct slice s, bool last)
{
    struct slice name = bare(s);
    if (name.n == 0 && !(last && s.n == 0))
        return "an empty segment in the path";
    if (is_dots(name) && !is_plain_dots(s))
        return "a dot segment with escapes or parameters in the path";
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c != '%') {
            if (!is_pchar(c))
                return "an octet in the path that must be escaped";
            continue;
        }
        if (!escape_at(s, i, &c))
            return "an escape in the path without two hexadecimal digits";
        if (c == '\\')
            return "an escaped \"\\\" in the path";
        if (is_control(c))
            return "an escaped control character in the path";
        i += 2;
    }
    return NULL;
}

/* What in the decoded segment a provider could take for structure, or NULL. */
static const char *decoded_flaw(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (in_set(c, "/?#"))
            return "an escaped \"/\", \"?\" or \"#\" in the path";
        if (c == '%' && escape_at(s, i, &c))
            return "an escape behind an escape in the path";
    }
    return NULL;
}

/* Drops the last segment of the path that begins at `from`; false when there is none. */
static bool pop(struct buf *out, size_t from)
{
    if (out->n == from)
        return false;
    while (out->p[--out->n] != '/')
        ;
    return true;
}

/* Appends "/" and the segment, decoded or not, or resolves it; NULL or the flaw. */
static const char *push(struct slice segment, bool last, bool raw, struct buf *out, size_t from)
{
    const char *flaw = segment_flaw(segment, last);
    if (flaw != NULL)
        return flaw;
    if (is_plain_dots(segment)) {
        if (segment.n == 2 && !pop(out, from))
            return "\"..\" above the root of the path";
        if (last)
            buf_byte(out, '/');
        return NULL;
    }
    buf_byte(out, '/');
    size_t start = out->n;
    if (raw)
        buf_slice(out, segment);
    else if (uri_segment_decode(segment, out) == ERR_SYNTAX)
        return "escapes in the path that are not UTF-8";
    if (out->failed)
        return "the path is too long";
    return raw ? NULL : decoded_flaw(slice_from(buf_view(out), start));
}

static const char *walk(struct slice path, bool raw, struct buf *out, size_t from)
{
    if (path.n == 0)
        return NULL;
    if (path.p[0] != '/')
        return "the path does not begin with \"/\"";
    struct slice rest = slice_from(path, 1), segment;
    while (slice_next(&rest, '/', &segment)) {
        const char *flaw = push(segment, rest.p == NULL, raw, out, from);
        if (flaw != NULL)
            return flaw;
    }
    return out->failed ? "the path is too long" : NULL;
}

static const char *normalise(struct slice raw, struct buf *out, size_t from)
{
    const char *flaw = walk(raw, false, out, from);
    if (flaw != NULL)
        return flaw;
    struct slice path = slice_from(buf_view(out), from);
    return slice_find_slice(path, SLICE_LIT("..")) != SIZE_MAX ? "\"..\" is left in the path"
                                                               : NULL;
}

static int judged(const char *flaw, struct buf *out, size_t from, struct diag *d)
{
    if (flaw == NULL)
        return 0;
    out->n = from;
    diag_set(d, ERR_ACCESS_DENIED, "%s", flaw);
    diag_rule(d, "RFC 3986 6.2.2");
    return ERR_ACCESS_DENIED;
}

int uri_path_normalise(struct slice raw, struct buf *out, struct diag *d)
{
    size_t from = out->n;
    return judged(normalise(raw, out, from), out, from, d);
}

int uri_path_resolve(struct slice raw, struct buf *out, struct diag *d)
{
    size_t from = out->n;
    return judged(walk(raw, true, out, from), out, from, d);
}

/* Length of the well-formed escape sequence of one UTF-8 character at s[i], 0 when it is none. */
static size_t escaped_character(struct slice s, size_t i)
{
    uint8_t c[4];
    if (!escape_at(s, i, &c[0]))
        return 0;
    size_t n = c[0] < 0x80 ? 1 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;
    for (size_t k = 1; k < n; k++)
        if (i + 3 * k >= s.n || !escape_at(s, i + 3 * k, &c[k]))
            return 0;
    return slice_is_utf8(slice_of(c, n)) ? 3 * n : 0;
}

static const char *target_segment_flaw(struct slice s, bool last)
{
    const char *flaw = segment_flaw(s, last);
    if (flaw != NULL)
        return flaw;
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] != '%') {
            i++;
            continue;
        }
        size_t n = escaped_character(s, i);
        if (n == 0)
            return "escapes in the path that are not UTF-8";
        if (s.p[i + 1] == '2' && s.p[i + 2] == '5')
            return "an escaped \"%\" in the path";
        i += n;
    }
    return NULL;
}

static const char *query_flaw(struct slice q)
{
    for (size_t i = 0; i < q.n; i++) {
        uint8_t c = q.p[i];
        if (is_control(c) || in_set(c, " {}|\\^<>\"`#"))
            return "an octet in the query that must be escaped";
        if (c == '%' && !escape_at(q, i, &c))
            return "an escape in the query without two hexadecimal digits";
    }
    return NULL;
}

static const char *target_flaw(struct slice target)
{
    size_t mark = slice_find(target, '?');
    struct slice path = mark == SIZE_MAX ? target : slice_sub(target, 0, mark), segment;
    if (!slice_starts(path, "/"))
        return "the target does not begin with \"/\"";
    path = slice_from(path, 1);
    while (slice_next(&path, '/', &segment)) {
        const char *flaw = target_segment_flaw(segment, path.p == NULL);
        if (flaw != NULL)
            return flaw;
    }
    return mark == SIZE_MAX ? NULL : query_flaw(slice_from(target, mark + 1));
}

int uri_target_check(struct slice target, struct diag *d)
{
    const char *flaw = target_flaw(target);
    if (flaw == NULL)
        return 0;
    diag_set(d, ERR_BAD_REQUEST, "%s", flaw);
    diag_rule(d, "RFC 3986 3.3");
    return ERR_BAD_REQUEST;
}
