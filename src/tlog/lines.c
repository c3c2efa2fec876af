#include "tlog/lines.h"

#include <inttypes.h>

#include "base/base64.h"

bool lines_take(struct slice *rest, struct slice *line)
{
    if (!slice_until(rest, '\n', line))
        return false;
    *rest = slice_from(*rest, 1);
    return true;
}

bool lines_number(struct slice text, uint64_t *out)
{
    return slice_u64(text, out) && (text.n == 1 || text.p[0] != '0') && *out <= INT64_MAX;
}

bool lines_bytes(struct slice text, uint8_t *out, size_t n)
{
    size_t got;
    return base64_into(text, out, n, &got) == 0 && got == n;
}

bool lines_take_number(struct slice *rest, struct slice word, uint64_t *out)
{
    struct slice line;
    return lines_take(rest, &line) && slice_skip(&line, word) && lines_number(line, out);
}

bool lines_take_bytes(struct slice *rest, struct slice word, uint8_t *out, size_t n)
{
    struct slice line;
    return lines_take(rest, &line) && slice_skip(&line, word) && lines_bytes(line, out, n);
}

bool lines_take_hashes(struct slice *rest, struct merkle_hash *out, size_t *n)
{
    struct slice line;
    for (*n = 0; lines_take(rest, &line); ++*n) {
        if (line.n == 0)
            return true;
        if (*n == LINES_HASHES || !lines_bytes(line, out[*n].b, MERKLE_HASH))
            return false;
    }
    return false;
}

void lines_put_number(struct buf *b, const char *word, uint64_t v)
{
    buf_printf(b, "%s%" PRIu64 "\n", word, v);
}

void lines_put_bytes(struct buf *b, const char *word, struct slice bytes)
{
    buf_str(b, word);
    base64_append(b, bytes);
    buf_byte(b, '\n');
}

void lines_put_hashes(struct buf *b, const struct merkle_hash *h, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lines_put_bytes(b, "", slice_of(h[i].b, MERKLE_HASH));
    buf_byte(b, '\n');
}
