#include "xroad/rest_lines.h"

#include "base/err.h"

/* Hop-by-hop and connection headers: never in a message (transport.md 5.6). */
static const char *const dropped[] = {"transfer-encoding",
                                      "keep-alive",
                                      "proxy-authenticate",
                                      "proxy-authorization",
                                      "te",
                                      "trailer",
                                      "upgrade",
                                      "connection",
                                      "user-agent",
                                      "host",
                                      "content-length",
                                      "server",
                                      "expect"};

bool rest_lines_is_dropped(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        if (slice_ieq_str(name, dropped[i]))
            return true;
    return false;
}

int rest_lines_no_memory(struct diag *d)
{
    return diag_set(d, ERR_NOMEM, "no memory for a REST message");
}

/* --- header values: ISO 8859-1 in HTTP, UTF-8 in the message --- */

static size_t count_high(struct slice v)
{
    size_t n = 0;
    for (size_t i = 0; i < v.n; i++)
        n += v.p[i] >= 0x80;
    return n;
}

/* A copy in the arena, each byte from 0x80 on as two bytes of UTF-8. */
struct slice rest_lines_widen(struct arena *a, struct slice v)
{
    size_t high = count_high(v), n = 0;
    if (high == 0)
        return arena_dup(a, v);
    uint8_t *to = arena_alloc(a, v.n + high + 1);
    if (to == NULL)
        return SLICE_NONE;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] >= 0x80) {
            to[n++] = (uint8_t)(0xC0 | v.p[i] >> 6);
            to[n++] = (uint8_t)(0x80 | (v.p[i] & 0x3F));
        } else {
            to[n++] = v.p[i];
        }
    }
    to[n] = 0;
    return slice_of(to, n);
}

/* The reverse. Values were checked when they came in: nothing past U+00FF. */
static void narrow(struct slice v, struct buf *out)
{
    uint8_t *to = buf_room(out, v.n);
    size_t n = 0;
    if (to == NULL)
        return;
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        if (c >= 0x80 && i + 1 < v.n)
            c = (uint8_t)((c & 3) << 6 | (v.p[++i] & 0x3F));
        to[n++] = c;
    }
    out->n += n;
}

bool rest_lines_is_value(struct slice v)
{
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F || c > 0xC3)
            return false;
    }
    return true;
}

int rest_lines_http(const struct rest_header *h, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        buf_slice(out, h[i].name);
        buf_str(out, ": ");
        narrow(h[i].value, out);
        buf_str(out, "\r\n");
    }
    return out->failed ? ERR_TOO_LARGE : 0;
}

void rest_lines_print(const struct rest_header *h, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        buf_slice(out, h[i].name);
        buf_byte(out, ':');
        buf_slice(out, h[i].value);
        buf_str(out, "\r\n");
    }
}

/* The last header of that name; p is NULL when absent. */
struct slice rest_lines_last(const struct rest_header *h, size_t n, const char *name)
{
    while (n > 0) {
        n--;
        if (slice_ieq_str(h[n].name, name))
            return h[n].value.p != NULL ? h[n].value : SLICE_LIT("");
    }
    return SLICE_NONE;
}

/* --- lines of a part --- */

int rest_lines_next(struct slice *rest, struct slice *line, const char *what, struct diag *d)
{
    size_t end = slice_find_slice(*rest, SLICE_LIT("\r\n"));
    if (end == SIZE_MAX)
        return diag_set(d, ERR_INTERNAL, "the %s of a REST message does not end with CR LF", what);
    *line = slice_sub(*rest, 0, end);
    *rest = slice_from(*rest, end + 2);
    if (slice_find(*line, '\r') != SIZE_MAX || slice_find(*line, '\n') != SIZE_MAX)
        return diag_set(d, ERR_INTERNAL, "the %s of a REST message holds a bare CR or LF", what);
    return 0;
}

int rest_lines_headers(struct slice rest, struct rest_header *h, size_t max, size_t *n,
                       struct diag *d)
{
    *n = 0;
    while (rest.n > 0) {
        struct slice line;
        int err = rest_lines_next(&rest, &line, "header", d);
        if (err != 0)
            return err;
        size_t colon = slice_find(line, ':');
        if (colon == SIZE_MAX)
            return diag_set(d, ERR_INTERNAL, "a header line of a REST message has no colon");
        struct rest_header got = {slice_sub(line, 0, colon), slice_from(line, colon + 1)};
        if (!http_is_token(got.name))
            return diag_set(d, ERR_INTERNAL, "a header of a REST message has an impossible name");
        if (rest_lines_is_dropped(got.name))
            return diag_set(d, ERR_INTERNAL, "header \"%.*s\" must not be in a REST message",
                            SLICE_ARG(got.name));
        if (!rest_lines_is_value(got.value))
            return diag_set(d, ERR_INTERNAL,
                            "header \"%.*s\" holds a character that no HTTP header can hold",
                            SLICE_ARG(got.name));
        if (*n == max)
            return diag_set(d, ERR_INTERNAL, "a REST message has more than %zu headers", max);
        h[(*n)++] = got;
    }
    return 0;
}

/* The receiver hashes its own print of what it has parsed: another form would get another hash. */
int rest_lines_same(const struct buf *printed, struct slice part, struct diag *d)
{
    if (printed->failed)
        return rest_lines_no_memory(d);
    if (!slice_eq(buf_view(printed), part))
        return diag_set(d, ERR_INTERNAL, "a REST message is not in its canonical form");
    return 0;
}

void rest_lines_add(struct rest_header *h, size_t *n, struct slice name, struct slice value)
{
    h[(*n)++] = (struct rest_header){name, value};
}
