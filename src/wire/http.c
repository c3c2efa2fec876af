/*
 * One pass over the head, nothing allocated. The scanner stops at the first octet that is not
 * allowed where it stands, so that a wrong head is refused before it is complete.
 */
#include "wire/http.h"

#include "base/err.h"
#include "wire/uri.h"

#include <string.h>

/* Inside only: the head is right so far but not complete. */
#define MORE (-1)

enum {
    TOKEN = 1,  /* tchar of RFC 9110 5.6.2 */
    VALUE = 2,  /* HTAB, SP, VCHAR, obs-text */
    TARGET = 4, /* VCHAR but "#" */
    HOST = 8,   /* of uri-host and port: no comma, no user */
};

/* The sum of the classes of each octet, sixteen a row. */
/* clang-format off */
static const uint8_t class_of[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, /* 00 */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 10 */
    2, 15, 6, 3, 15, 15, 15, 15, 14, 14, 15, 15, 6, 15, 15, 6, /* 20 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 14, 6, 14, 6, 6, /* 30 */
    6, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 40 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 6, 14, 7, 15, /* 50 */
    7, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 60 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 7, 6, 15, 0, /* 70 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 80 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 90 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* A0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* B0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* C0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* D0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* E0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* F0 */
};
/* clang-format on */

static bool all_of(struct slice s, unsigned cls)
{
    for (size_t i = 0; i < s.n; i++)
        if ((class_of[s.p[i]] & cls) == 0)
            return false;
    return true;
}

bool http_is_token(struct slice s)
{
    return s.n > 0 && all_of(s, TOKEN);
}

bool http_is_value(struct slice s)
{
    return all_of(s, VALUE);
}

struct scan {
    const uint8_t *p, *end;
    struct diag *d;
    struct http_head *h;
    bool has_length, has_coding, close, keep;
    unsigned hosts;
    struct slice host;
};

static int refuse(struct scan *s, const char *rule, const char *text)
{
    diag_set(s->d, ERR_SYNTAX, "%s", text);
    diag_rule(s->d, rule);
    return ERR_SYNTAX;
}

/* Takes the run of octets of a class. */
static struct slice run_of(struct scan *s, unsigned cls)
{
    const uint8_t *from = s->p, *p = from;
    while (p < s->end && (class_of[*p] & cls) != 0)
        p++;
    s->p = p;
    return slice_of(from, (size_t)(p - from));
}

static int line_end(struct scan *s)
{
    if (s->p == s->end)
        return MORE;
    if (*s->p == '\n')
        return refuse(s, "RFC 9112 2.2", "a line ends in LF without CR");
    if (*s->p != '\r')
        return refuse(s, "RFC 9110 5.5", "an octet that is not allowed in a head");
    if (s->p + 1 == s->end)
        return MORE;
    if (s->p[1] != '\n')
        return refuse(s, "RFC 9112 2.2", "a CR without LF in the head");
    s->p += 2;
    return 0;
}

/* Takes "HTTP/1.0" or "HTTP/1.1". */
static int version(struct scan *s)
{
    static const char prefix[] = "HTTP/1.";
    size_t have = (size_t)(s->end - s->p), n = sizeof prefix - 1;
    if (memcmp(s->p, prefix, have < n ? have : n) != 0)
        return refuse(s, "RFC 9112 2.3", "the version is not HTTP/1.0 or HTTP/1.1");
    if (have <= n)
        return MORE;
    uint8_t minor = s->p[n];
    if (minor != '0' && minor != '1')
        return refuse(s, "RFC 9112 2.3", "the version is not HTTP/1.0 or HTTP/1.1");
    s->h->minor = minor - '0';
    s->p += n + 1;
    return 0;
}

static int one_space(struct scan *s, const char *rule)
{
    if (s->p == s->end)
        return MORE;
    if (*s->p != ' ')
        return refuse(s, rule, "the first line is not three parts with one space between them");
    s->p++;
    return 0;
}

/* Raw octets above ASCII are let through in the query, where X-Road's own servers take them. */
static void take_target(struct scan *s)
{
    const uint8_t *from = s->p;
    bool query = false;
    while (s->p < s->end && ((class_of[*s->p] & TARGET) != 0 || (query && *s->p >= 0x80))) {
        query = query || *s->p == '?';
        s->p++;
    }
    s->h->target = slice_of(from, (size_t)(s->p - from));
}

static int request_line(struct scan *s)
{
    struct http_head *h = s->h;
    h->method = run_of(s, TOKEN);
    if (s->p == s->end)
        return MORE;
    if (h->method.n == 0)
        return refuse(s, "RFC 9112 3.1", "the request does not begin with a method");
    int err = one_space(s, "RFC 9112 3");
    if (err != 0)
        return err;
    take_target(s);
    if (h->target.n == 0 && s->p < s->end)
        return refuse(s, "RFC 9112 3.2", "the request has no target, or one with a wrong octet");
    err = one_space(s, "RFC 9112 3.2");
    if (err == 0)
        err = version(s);
    return err != 0 ? err : line_end(s);
}

static int status_line(struct scan *s)
{
    struct http_head *h = s->h;
    int err = version(s);
    if (err == 0)
        err = one_space(s, "RFC 9112 4");
    if (err != 0)
        return err;
    if (s->end - s->p < 4)
        return MORE;
    const uint8_t *c = s->p;
    if (c[0] < '1' || c[0] > '9' || c[1] < '0' || c[1] > '9' || c[2] < '0' || c[2] > '9' ||
        (c[3] != ' ' && c[3] != '\r'))
        return refuse(s, "RFC 9112 4", "the status is not three digits");
    h->status = (c[0] - '0') * 100 + (c[1] - '0') * 10 + (c[2] - '0');
    s->p += c[3] == ' ' ? 4 : 3;
    h->reason = run_of(s, VALUE);
    return line_end(s);
}

static int take_length(struct scan *s, struct slice v)
{
    if (s->has_length)
        return refuse(s, "RFC 9112 6.3", "two Content-Length headers");
    s->has_length = true;
    if (!slice_u64(v, &s->h->length) || s->h->length > INT64_MAX)
        return refuse(s, "RFC 9110 8.6", "Content-Length is not a decimal number");
    return 0;
}

static int take_coding(struct scan *s, struct slice v)
{
    if (s->has_coding)
        return refuse(s, "RFC 9112 6.1", "two Transfer-Encoding headers");
    s->has_coding = true;
    if (!slice_ieq_str(v, "chunked"))
        return refuse(s, "RFC 9112 6.1", "a transfer coding other than chunked");
    return 0;
}

static void take_connection(struct scan *s, struct slice v)
{
    struct slice piece;
    while (slice_next(&v, ',', &piece)) {
        piece = slice_trim(piece);
        s->close = s->close || slice_ieq_str(piece, "close");
        s->keep = s->keep || slice_ieq_str(piece, "keep-alive");
    }
}

/* The few headers that decide where the message ends. */
static int interpret(struct scan *s, const struct http_header *f)
{
    switch (f->name.n) {
    case 4:
        if (slice_ieq_str(f->name, "host")) {
            s->hosts++;
            s->host = f->value;
        }
        return 0;
    case 6:
        if (slice_ieq_str(f->name, "expect"))
            s->h->expect_continue = slice_ieq_str(f->value, "100-continue");
        return 0;
    case 10:
        if (slice_ieq_str(f->name, "connection"))
            take_connection(s, f->value);
        return 0;
    case 14:
        return slice_ieq_str(f->name, "content-length") ? take_length(s, f->value) : 0;
    case 17:
        return slice_ieq_str(f->name, "transfer-encoding") ? take_coding(s, f->value) : 0;
    default:
        return 0;
    }
}

static int field_line(struct scan *s)
{
    if (s->h->n == HTTP_HEADERS_MAX)
        return diag_set(s->d, ERR_TOO_LARGE, "more than %d header lines", HTTP_HEADERS_MAX);
    struct http_header *f = &s->h->h[s->h->n];
    f->name = run_of(s, TOKEN);
    if (s->p == s->end)
        return MORE;
    if (f->name.n == 0 && (*s->p == ' ' || *s->p == '\t'))
        return refuse(s, "RFC 9112 5.2", "a folded header line, or a blank before the first one");
    if (*s->p == ' ' || *s->p == '\t')
        return refuse(s, "RFC 9112 5.1", "a blank before the colon of a header line");
    if (f->name.n == 0 || *s->p != ':')
        return refuse(s, "RFC 9112 5.1", "a header line without name and colon");
    s->p++;
    f->value = run_of(s, VALUE);
    int err = line_end(s);
    if (err != 0)
        return err;
    f->value = slice_trim(f->value);
    s->h->n++;
    return interpret(s, f);
}

static int fields(struct scan *s)
{
    for (;;) {
        if (s->p == s->end)
            return MORE;
        if (*s->p == '\r' || *s->p == '\n')
            return line_end(s);
        int err = field_line(s);
        if (err != 0)
            return err;
    }
}

/* What request and response have in common: how the body ends, whether another message follows. */
static int framing(struct scan *s)
{
    struct http_head *h = s->h;
    if (s->has_length && s->has_coding)
        return refuse(s, "RFC 9112 6.3", "Content-Length and Transfer-Encoding together");
    if (s->has_coding && h->minor == 0)
        return refuse(s, "RFC 9112 6.1", "Transfer-Encoding in an HTTP/1.0 message");
    h->keep_alive = !s->close && (h->minor == 1 || s->keep);
    h->body = HTTP_BODY_NONE;
    if (s->has_coding)
        h->body = HTTP_BODY_CHUNKED;
    else if (s->has_length)
        h->body = HTTP_BODY_LENGTH;
    return 0;
}

/* The authority of an absolute-form target; p is NULL in the other forms. */
static struct slice target_authority(struct slice target)
{
    size_t from = 0;
    if (slice_istarts(target, "http://"))
        from = 7;
    else if (slice_istarts(target, "https://"))
        from = 8;
    else
        return SLICE_NONE;
    size_t to = from;
    while (to < target.n && target.p[to] != '/' && target.p[to] != '?')
        to++;
    return slice_of(target.p + from, to - from);
}

static int judge_target(struct scan *s)
{
    struct slice t = s->h->target;
    if (t.p[0] == '/')
        return 0;
    if (slice_eq_str(t, "*")) {
        if (slice_eq_str(s->h->method, "OPTIONS"))
            return 0;
        return refuse(s, "RFC 9112 3.2.4", "the target \"*\" with a method other than OPTIONS");
    }
    struct slice authority = target_authority(t);
    if (authority.n == 0)
        return refuse(s, "RFC 9112 3.2", "the target is neither a path nor an absolute URI");
    if (s->hosts == 1 && !slice_ieq(authority, s->host))
        return refuse(s, "RFC 9112 3.2.2", "the target names another host than the Host header");
    if (!all_of(authority, HOST))
        return refuse(s, "RFC 9112 3.2.2", "the target has a malformed host");
    return 0;
}

static int judge_request(struct scan *s)
{
    struct http_head *h = s->h;
    if (s->hosts > 1)
        return refuse(s, "RFC 9112 3.2", "two Host headers");
    if (s->hosts == 0 && h->minor == 1)
        return refuse(s, "RFC 9112 3.2", "no Host header");
    if (!all_of(s->host, HOST))
        return refuse(s, "RFC 9112 3.2", "the Host header is no host");
    int err = judge_target(s);
    if (err == 0)
        err = framing(s);
    if (err != 0)
        return err;
    if (h->body == HTTP_BODY_NONE || h->minor == 0)
        h->expect_continue = false;
    return 0;
}

static int judge_response(struct scan *s, bool head_request)
{
    struct http_head *h = s->h;
    int err = framing(s);
    if (err != 0)
        return err;
    h->expect_continue = false;
    bool never = h->status < 200 || h->status == 204;
    if (never && (s->has_coding || h->length > 0))
        return refuse(s, "RFC 9112 6.3", "a response that cannot have a body announces one");
    if (never || h->status == 304 || head_request) {
        h->body = HTTP_BODY_NONE;
        return 0;
    }
    if (h->body == HTTP_BODY_NONE) {
        h->body = HTTP_BODY_CLOSE;
        h->keep_alive = false;
    }
    return 0;
}

/* The octets that may belong to the head; the fields of *out that the scan does not always set. */
static struct scan begin(struct slice in, size_t max, struct http_head *out, struct diag *d)
{
    size_t n = in.n < max ? in.n : max;
    out->method = out->target = out->reason = SLICE_NONE;
    out->status = out->minor = 0;
    out->n = 0;
    out->length = 0;
    out->body = HTTP_BODY_NONE;
    out->keep_alive = out->expect_continue = false;
    return (struct scan){.p = in.p, .end = in.p == NULL ? NULL : in.p + n, .d = d, .h = out};
}

static int finish(struct scan *s, struct slice in, size_t max, int err, size_t *used)
{
    if (err == MORE && in.n >= max)
        return diag_set(s->d, ERR_TOO_LARGE, "a head of more than %zu bytes", max);
    if (err == MORE)
        return 0;
    if (err == 0)
        *used = (size_t)(s->p - in.p);
    return err;
}

int http_parse_request(struct slice in, size_t max, struct http_head *out, size_t *used,
                       struct diag *d)
{
    struct scan s = begin(in, max, out, d);
    *used = 0;
    if (in.n == 0)
        return 0;
    int err = request_line(&s);
    if (err == 0)
        err = fields(&s);
    if (err == 0)
        err = judge_request(&s);
    return finish(&s, in, max, err, used);
}

int http_parse_response(struct slice in, size_t max, bool head_request, struct http_head *out,
                        size_t *used, struct diag *d)
{
    struct scan s = begin(in, max, out, d);
    *used = 0;
    if (in.n == 0)
        return 0;
    int err = status_line(&s);
    if (err == 0)
        err = fields(&s);
    if (err == 0)
        err = judge_response(&s, head_request);
    return finish(&s, in, max, err, used);
}

bool http_each(const struct http_head *h, const char *name, size_t *at, struct slice *value)
{
    struct slice want = slice_str(name);
    while (*at < h->n) {
        const struct http_header *f = &h->h[(*at)++];
        if (slice_ieq(f->name, want)) {
            *value = f->value;
            return true;
        }
    }
    return false;
}

struct slice http_get(const struct http_head *h, const char *name)
{
    struct slice value = SLICE_NONE;
    size_t at = 0;
    return http_each(h, name, &at, &value) ? value : SLICE_NONE;
}

void http_target_split(struct slice target, struct slice *path, struct slice *query,
                       bool *has_query)
{
    struct slice authority = target_authority(target);
    if (authority.p != NULL)
        target = slice_from(target, (size_t)(authority.p + authority.n - target.p));
    size_t mark = slice_find(target, '?');
    *has_query = mark != SIZE_MAX;
    *path = *has_query ? slice_sub(target, 0, mark) : target;
    *query = *has_query ? slice_from(target, mark + 1) : SLICE_NONE;
    if (authority.p != NULL && path->n == 0)
        *path = SLICE_LIT("/");
}

bool http_query_get(struct slice query, const char *name, struct buf *value)
{
    struct slice want = slice_str(name), pair;
    size_t from = value->n;
    bool failed = value->failed;
    while (slice_next(&query, '&', &pair)) {
        size_t eq = slice_find(pair, '=');
        struct slice key = eq == SIZE_MAX ? pair : slice_sub(pair, 0, eq);
        bool same =
            uri_form_decode(key, value) == 0 && slice_eq(slice_from(buf_view(value), from), want);
        value->n = from;
        value->failed = failed; /* a key may be longer than the value that is asked for */
        if (!same)
            continue;
        if (uri_form_decode(eq == SIZE_MAX ? SLICE_NONE : slice_from(pair, eq + 1), value) == 0)
            return true;
        break;
    }
    value->n = from;
    return false;
}

static const struct {
    int status;
    const char *text;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {511, "Network Authentication Required"},
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "";
}
