#include "wire/http_chunked.h"

#include "base/err.h"
#include "wire/http.h"

enum state {
    SIZE_FIRST,    /* the first digit of a chunk's size */
    SIZE,          /* further digits, ";" or CR */
    EXTENSION,     /* up to CR */
    SIZE_LF,       /* the LF that ends the size line */
    DATA,          /* `left` bytes of data */
    DATA_CR,       /* the CR behind them */
    DATA_LF,       /* and its LF */
    TRAILER_FIRST, /* a trailer line begins, or the CR of the empty line */
    TRAILER_NAME,  /* up to the colon */
    TRAILER_VALUE, /* up to CR */
    TRAILER_LF,
    LAST_LF, /* the LF of the empty line */
};

#define SIZE_DIGITS_MAX 16

void http_chunked_init(struct http_chunked *c)
{
    *c = (struct http_chunked){.state = SIZE_FIRST};
}

static int refuse(struct diag *d, const char *text)
{
    diag_set(d, ERR_SYNTAX, "%s", text);
    diag_rule(d, "RFC 9112 7.1");
    return ERR_SYNTAX;
}

static int digit_of(uint8_t b)
{
    if (b >= '0' && b <= '9')
        return b - '0';
    if (b >= 'a' && b <= 'f')
        return b - 'a' + 10;
    if (b >= 'A' && b <= 'F')
        return b - 'A' + 10;
    return -1;
}

static bool is_text(uint8_t b)
{
    return b == '\t' || (b >= 0x20 && b != 0x7F);
}

static bool is_name(uint8_t b)
{
    return http_is_token(slice_of(&b, 1));
}

static int size_line(struct http_chunked *c, uint8_t b, struct diag *d)
{
    int digit = digit_of(b);
    c->line++;
    if (c->state == SIZE_LF) {
        if (b != '\n')
            return refuse(d, "a chunk's size line has CR without LF");
        c->line = 0;
        c->state = c->left > 0 ? DATA : TRAILER_FIRST;
        return 0;
    }
    if (c->state == EXTENSION) {
        if (c->line > HTTP_CHUNK_LINE_MAX)
            return refuse(d, "a chunk's extensions are too long");
        if (b == '\r')
            c->state = SIZE_LF;
        else if (!is_text(b))
            return refuse(d, "a chunk's extensions have a bare LF or control character");
        return 0;
    }
    if (digit >= 0) {
        if (c->line > SIZE_DIGITS_MAX || c->left > (uint64_t)INT64_MAX >> 4)
            return refuse(d, "a chunk's size is too large");
        c->left = c->left << 4 | (uint64_t)digit;
        c->state = SIZE;
        return 0;
    }
    if (c->state == SIZE_FIRST || (b != '\r' && b != ';'))
        return refuse(d, "a chunk's size is not a hexadecimal number ended by CR LF");
    c->state = b == '\r' ? SIZE_LF : EXTENSION;
    return 0;
}

static int trailer(struct http_chunked *c, uint8_t b, struct diag *d)
{
    if (++c->line > HTTP_TRAILERS_MAX)
        return refuse(d, "the trailer lines are too long");
    switch (c->state) {
    case TRAILER_FIRST:
        c->state = b == '\r' ? LAST_LF : TRAILER_NAME;
        return b == '\r' || is_name(b) ? 0 : refuse(d, "a trailer line without a name");
    case TRAILER_NAME:
        c->state = b == ':' ? TRAILER_VALUE : TRAILER_NAME;
        return b == ':' || is_name(b) ? 0 : refuse(d, "a malformed name in a trailer line");
    case TRAILER_VALUE:
        c->state = b == '\r' ? TRAILER_LF : TRAILER_VALUE;
        return b == '\r' || is_text(b) ? 0
                                       : refuse(d, "a bare LF or control character in a trailer");
    default:
        if (b != '\n')
            return refuse(d, "a trailer line has CR without LF");
        c->done = c->state == LAST_LF;
        c->state = TRAILER_FIRST;
        return 0;
    }
}

static int one_byte(struct http_chunked *c, uint8_t b, struct diag *d)
{
    if (c->state < DATA)
        return size_line(c, b, d);
    if (c->state >= TRAILER_FIRST)
        return trailer(c, b, d);
    if (b != (c->state == DATA_CR ? '\r' : '\n'))
        return refuse(d, "a chunk is longer than its size");
    c->state = c->state == DATA_CR ? DATA_LF : SIZE_FIRST;
    return 0;
}

int http_chunked_feed(struct http_chunked *c, struct slice in, size_t *used, struct slice *piece,
                      struct diag *d)
{
    *used = 0;
    *piece = SLICE_NONE;
    while (*used < in.n && !c->done) {
        if (c->state == DATA) {
            size_t have = in.n - *used;
            size_t take = c->left < have ? (size_t)c->left : have;
            *piece = slice_of(in.p + *used, take);
            *used += take;
            c->left -= take;
            if (c->left == 0)
                c->state = DATA_CR;
            return 0;
        }
        int err = one_byte(c, in.p[*used], d);
        if (err != 0)
            return err;
        ++*used;
    }
    return 0;
}
