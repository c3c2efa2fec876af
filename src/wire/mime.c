/*
 * The delimiter is looked for as the pattern CR LF "--" boundary. Octets that may belong to it are
 * not kept: they equal the pattern's, so that `from` and `at` (what was matched of the pattern)
 * give them back when it turns out that they are data. CR LF stand only at the pattern's beginning,
 * therefore a match can begin anew only at the octet that broke the old one.
 */
#include "wire/mime.h"

#include "base/err.h"
#include "wire/http.h"

#include <stdlib.h>
#include <string.h>

#define PADDING_MAX 64 /* blanks behind a delimiter */

enum state {
    BODY,       /* preamble or data of a part: looking for the delimiter */
    DASH,       /* delimiter and "-" */
    PADDING,    /* delimiter and blanks */
    PADDING_CR, /* delimiter, blanks, CR */
    CLOSING,    /* MIME_END is to be told */
    HEAD,
    HEAD_CR,  /* CR within the head */
    EPILOGUE, /* nothing counts any more */
    BROKEN,   /* reset with a boundary that is none */
};

struct header {
    struct slice name, value;
};

struct mime_reader {
    enum state state;
    bool in_part; /* the preamble is over */
    char pattern[4 + MIME_BOUNDARY_MAX];
    size_t n;        /* of the pattern */
    size_t from, at; /* pattern[from..at) was read and not told yet */
    size_t padding;
    uint8_t head[MIME_PART_HEAD_MAX];
    size_t head_n, line; /* bytes of the head, and where its current line begins */
    struct header headers[MIME_HEADERS_MAX];
    size_t headers_n;
};

/* A little wider than RFC 2046 5.1.1: whatever cannot break a header line or the delimiter's. */
static bool is_boundary(struct slice b)
{
    if (b.n == 0 || b.n > MIME_BOUNDARY_MAX || b.p[b.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] < ' ' || b.p[i] > '~' || b.p[i] == '"' || b.p[i] == '\\')
            return false;
    return true;
}

/* The next body octet stands at the beginning of a line. */
static void at_line_start(struct mime_reader *r)
{
    r->from = r->at = 2;
}

static void start(struct mime_reader *r, struct slice boundary)
{
    r->state = BODY;
    r->in_part = false;
    r->headers_n = r->head_n = 0;
    memcpy(r->pattern, "\r\n--", 4);
    memcpy(r->pattern + 4, boundary.p, boundary.n);
    r->n = 4 + boundary.n;
    at_line_start(r);
}

struct mime_reader *mime_reader_new(struct slice boundary)
{
    if (!is_boundary(boundary))
        return NULL;
    struct mime_reader *r = malloc(sizeof *r);
    if (r != NULL)
        start(r, boundary);
    return r;
}

void mime_reader_free(struct mime_reader *r)
{
    free(r);
}

void mime_reader_reset(struct mime_reader *r, struct slice boundary)
{
    if (is_boundary(boundary))
        start(r, boundary);
    else
        r->state = BROKEN;
}

static int refuse(struct diag *d, int err, const char *text)
{
    diag_set(d, err, "%s", text);
    diag_rule(d, "RFC 2046 5.1.1");
    return err;
}

static struct slice pattern_part(const struct mime_reader *r, size_t from, size_t to)
{
    return slice_of(r->pattern + from, to - from);
}

/*
 * Length of the data at the front of `in` that cannot belong to a delimiter. What follows them is
 * the beginning of one, or begins like one as far as it is known.
 */
static size_t plain_length(const struct mime_reader *r, struct slice in)
{
    struct slice rest = pattern_part(r, 2, r->n);
    size_t i = 0;
    for (;;) {
        const uint8_t *lf = memchr(in.p + i, '\n', in.n - i);
        if (lf == NULL)
            return in.p[in.n - 1] == '\r' ? in.n - 1 : in.n;
        size_t at = (size_t)(lf - in.p);
        size_t have = in.n - at - 1;
        if (memcmp(lf + 1, rest.p, have < rest.n ? have : rest.n) == 0)
            return at > 0 && lf[-1] == '\r' ? at - 1 : at;
        i = at + 1;
        if (i == in.n)
            return in.n;
    }
}

/* One octet against the pattern. True when octets matched before turn out to be data. */
static bool match(struct mime_reader *r, struct slice *in, struct slice *data)
{
    uint8_t c = in->p[0];
    if (r->at < r->n && c == (uint8_t)r->pattern[r->at]) {
        r->at++;
        *in = slice_from(*in, 1);
        return false;
    }
    *data = pattern_part(r, r->from, r->at);
    r->from = r->at = 0;
    if (c == '\n' && data->n == 0) {
        r->from = 1;
        r->at = 2;
        *in = slice_from(*in, 1);
    }
    return data->n > 0;
}

/* An octet behind a whole delimiter. */
static int after_delimiter(struct mime_reader *r, uint8_t c, struct diag *d)
{
    switch (r->state) {
    case PADDING:
        r->state = c == '\r' ? PADDING_CR : c == '\n' ? HEAD : PADDING;
        if (c == '-' && r->padding == 0)
            r->state = DASH;
        else if (r->state == PADDING && ((c != ' ' && c != '\t') || ++r->padding > PADDING_MAX))
            return refuse(d, ERR_MIME_PARSING, "text behind a boundary in its line");
        return 0;
    case DASH:
        r->state = CLOSING;
        return c == '-' ? 0 : refuse(d, ERR_MIME_PARSING, "text behind a boundary in its line");
    default:
        r->state = HEAD;
        return c == '\n' ? 0 : refuse(d, ERR_MIME_PARSING, "CR without LF behind a boundary");
    }
}

static bool ends_delimiter(uint8_t c)
{
    return c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * Runs through data or preamble up to an event; MIME_MORE when `in` is used up or the state
 * changed. A boundary that only begins a longer word is data.
 */
static int read_body(struct mime_reader *r, struct slice *in, enum mime_event *event,
                     struct slice *data)
{
    while (in->n > 0) {
        if (r->at == r->n && ends_delimiter(in->p[0])) {
            r->padding = 0;
            r->state = PADDING;
            return 0;
        }
        if (r->at == 0) {
            size_t n = plain_length(r, *in);
            *data = slice_sub(*in, 0, n);
            *in = slice_from(*in, n);
            if (n > 0 && r->in_part) {
                *event = MIME_DATA;
                return 0;
            }
            if (in->n == 0)
                return 0;
        }
        if (match(r, in, data) && r->in_part) {
            *event = MIME_DATA;
            return 0;
        }
    }
    return 0;
}

/* Takes the header line that has just ended (or opens the body at the empty one). */
static int end_of_line(struct mime_reader *r, bool *complete, struct diag *d)
{
    struct slice line = slice_of(r->head + r->line, r->head_n - r->line);
    r->line = r->head_n;
    *complete = line.n == 0;
    if (line.n == 0)
        return 0;
    struct header *last = r->headers_n > 0 ? &r->headers[r->headers_n - 1] : NULL;
    if (line.p[0] == ' ' || line.p[0] == '\t') {
        if (last == NULL)
            return refuse(d, ERR_MIME_PARSING, "a part's head begins with a folded line");
        const uint8_t *from = last->value.p;
        last->value = slice_trim(slice_of(from, (size_t)(r->head + r->head_n - from)));
        return 0;
    }
    size_t colon = slice_find(line, ':');
    if (colon == SIZE_MAX || !http_is_token(slice_sub(line, 0, colon)))
        return refuse(d, ERR_MIME_PARSING, "a line of a part's head without name and colon");
    if (r->headers_n == MIME_HEADERS_MAX)
        return refuse(d, ERR_TOO_LARGE, "too many headers in a part");
    struct header *h = &r->headers[r->headers_n++];
    h->name = slice_sub(line, 0, colon);
    h->value = slice_trim(slice_from(line, colon + 1));
    return 0;
}

/* Two of these would be two readings of one part. */
static bool is_doubled(const struct mime_reader *r, const char *name)
{
    size_t found = 0;
    for (size_t i = 0; i < r->headers_n; i++)
        found += slice_ieq_str(r->headers[i].name, name);
    return found > 1;
}

static int begin_body(struct mime_reader *r, struct diag *d)
{
    if (is_doubled(r, "content-type"))
        return refuse(d, ERR_MIME_PARSING, "a part has two content types");
    r->state = BODY;
    r->in_part = true;
    at_line_start(r);
    return 0;
}

static int head_octet(struct mime_reader *r, uint8_t c, struct diag *d)
{
    if (c != '\t' && (c < ' ' || c == 0x7F))
        return refuse(d, ERR_MIME_PARSING, "a control character in a part's head");
    if (r->head_n == sizeof r->head || r->head_n - r->line == MIME_LINE_MAX)
        return refuse(d, ERR_TOO_LARGE, "the head of a part is too long");
    r->head[r->head_n++] = c;
    return 0;
}

/* Runs through a part's head up to MIME_PART. */
static int read_head(struct mime_reader *r, struct slice *in, enum mime_event *event,
                     struct diag *d)
{
    while (in->n > 0) {
        uint8_t c = in->p[0];
        int err = 0;
        bool complete = false;
        *in = slice_from(*in, 1);
        if (r->state == HEAD_CR && c != '\n')
            return refuse(d, ERR_MIME_PARSING, "CR without LF in a part's head");
        r->state = c == '\r' ? HEAD_CR : HEAD;
        if (c == '\n')
            err = end_of_line(r, &complete, d);
        else if (c != '\r')
            err = head_octet(r, c, d);
        if (err == 0 && complete) {
            *event = MIME_PART;
            return begin_body(r, d);
        }
        if (err != 0)
            return err;
    }
    return 0;
}

/* Reads behind a delimiter; the part before it ends there. */
static int read_delimiter(struct mime_reader *r, struct slice *in, enum mime_event *event,
                          struct diag *d)
{
    while (in->n > 0 && r->state != HEAD && r->state != CLOSING) {
        int err = after_delimiter(r, in->p[0], d);
        if (err != 0)
            return err;
        *in = slice_from(*in, 1);
    }
    if (r->state != HEAD && r->state != CLOSING)
        return 0;
    if (r->in_part)
        *event = MIME_PART_END;
    r->in_part = false;
    r->head_n = r->line = r->headers_n = 0;
    return 0;
}

static int step(struct mime_reader *r, struct slice *in, enum mime_event *event, struct slice *data,
                struct diag *d)
{
    switch (r->state) {
    case BODY:
        return read_body(r, in, event, data);
    case HEAD:
    case HEAD_CR:
        return read_head(r, in, event, d);
    case BROKEN:
        return refuse(d, ERR_MIME_PARSING, "the boundary is malformed");
    case EPILOGUE:
        *in = slice_from(*in, in->n);
        return 0;
    default:
        return read_delimiter(r, in, event, d);
    }
}

int mime_read(struct mime_reader *r, struct slice *in, enum mime_event *event, struct slice *data,
              struct diag *d)
{
    int err = 0;
    *event = MIME_MORE;
    *data = SLICE_NONE;
    do {
        if (r->state == CLOSING) {
            r->state = EPILOGUE;
            *event = MIME_END;
        } else {
            err = step(r, in, event, data, d);
        }
    } while (err == 0 && *event == MIME_MORE && (in->n > 0 || r->state == CLOSING));
    if (*event != MIME_DATA)
        *data = SLICE_NONE; /* the preamble's */
    return err;
}

struct slice mime_header(const struct mime_reader *r, const char *name)
{
    for (size_t i = 0; i < r->headers_n; i++)
        if (slice_ieq_str(r->headers[i].name, name))
            return r->headers[i].value;
    return SLICE_NONE;
}

bool mime_finished(const struct mime_reader *r)
{
    return r->state == EPILOGUE;
}

/* Position of the next ";" outside quotes, or the end; SIZE_MAX when quotes are not closed. */
static size_t parameter_end(struct slice s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && s.p[i] == ';')
            return i;
    }
    return quoted ? SIZE_MAX : s.n;
}

/* Cuts the next "name=value" off *rest; false at the end or where the quotes are not closed. */
static bool next_parameter(struct slice *rest, struct slice *name, struct slice *value)
{
    while (rest->n > 0) {
        size_t end = parameter_end(*rest);
        if (end == SIZE_MAX)
            return false;
        struct slice piece = slice_sub(*rest, 0, end);
        *rest = slice_from(*rest, end + 1);
        size_t eq = slice_find(piece, '=');
        if (eq == SIZE_MAX)
            continue;
        *name = slice_trim(slice_sub(piece, 0, eq));
        *value = slice_trim(slice_from(piece, eq + 1));
        uint8_t quote = value->n >= 2 ? value->p[0] : 0;
        if ((quote == '"' || quote == '\'') && value->p[value->n - 1] == quote)
            *value = slice_sub(*value, 1, value->n - 2);
        return true;
    }
    return false;
}

/* The value without its parameters, which go to *rest. */
static struct slice base_of(struct slice value, struct slice *rest)
{
    size_t end = slice_find(value, ';');
    *rest = end == SIZE_MAX ? SLICE_NONE : slice_from(value, end + 1);
    return slice_trim(end == SIZE_MAX ? value : slice_sub(value, 0, end));
}

bool mime_param(struct slice value, const char *name, struct slice *out)
{
    struct slice rest, found;
    base_of(value, &rest);
    while (next_parameter(&rest, &found, out))
        if (slice_ieq_str(found, name))
            return true;
    *out = SLICE_NONE;
    return false;
}

/* Tokens joined by "/": two, but X-Road's "signature/bdoc-1.0/ts" has three. */
static bool is_media_type(struct slice s)
{
    struct slice piece;
    size_t n = 0;
    for (; slice_next(&s, '/', &piece); n++)
        if (!http_is_token(piece))
            return false;
    return n >= 2;
}

int mime_type_parse(struct slice value, struct mime_type *out)
{
    struct slice rest, name, v;
    *out = (struct mime_type){.base = base_of(value, &rest)};
    if (!is_media_type(out->base))
        return ERR_INVALID_CONTENT_TYPE;
    while (next_parameter(&rest, &name, &v)) {
        struct slice *to = NULL;
        if (slice_ieq_str(name, "boundary"))
            to = &out->boundary;
        else if (slice_ieq_str(name, "charset"))
            to = &out->charset;
        else if (slice_ieq_str(name, "type"))
            to = &out->type;
        if (to == NULL)
            continue;
        if (to->p != NULL)
            return ERR_INVALID_CONTENT_TYPE;
        *to = v;
    }
    if (rest.n > 0 || (out->boundary.p != NULL && !is_boundary(out->boundary)))
        return ERR_INVALID_CONTENT_TYPE;
    return 0;
}

void mime_begin_part(struct buf *out, struct slice boundary, bool first, const char *content_type)
{
    buf_str(out, first ? "--" : "\r\n--");
    buf_slice(out, boundary);
    buf_str(out, "\r\ncontent-type: ");
    buf_str(out, content_type);
    buf_str(out, "\r\n\r\n");
}

void mime_end(struct buf *out, struct slice boundary)
{
    buf_str(out, "\r\n--");
    buf_slice(out, boundary);
    buf_str(out, "--\r\n");
}
