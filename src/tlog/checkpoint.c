#include "tlog/checkpoint.h"

#include "base/err.h"
#include "tlog/lines.h"

static int bad(struct diag *d, const char *why)
{
    diag_set(d, ERR_SYNTAX, "no checkpoint: %s", why);
    diag_rule(d, "C2SP tlog-checkpoint");
    return ERR_SYNTAX;
}

int checkpoint_parse(struct slice text, struct checkpoint *out, struct diag *d)
{
    struct slice rest = text, line;
    if (!lines_take(&rest, &out->origin) || out->origin.n == 0)
        return bad(d, "no origin");
    if (!lines_take(&rest, &line) || !lines_number(line, &out->size))
        return bad(d, "the size is no decimal number up to 2^63-1");
    if (!lines_take(&rest, &line) || !lines_bytes(line, out->root.b, MERKLE_HASH))
        return bad(d, "the root is not the base64 of 32 bytes");
    out->extensions = rest;
    while (rest.n > 0)
        if (!lines_take(&rest, &line) || line.n == 0)
            return bad(d, "an empty or unfinished line");
    return 0;
}

void checkpoint_print(const struct checkpoint *c, struct buf *out)
{
    buf_slice(out, c->origin);
    lines_put_number(out, "\n", c->size);
    lines_put_bytes(out, "", slice_of(c->root.b, MERKLE_HASH));
    buf_slice(out, c->extensions);
}

bool checkpoint_is_origin(struct slice origin)
{
    for (size_t i = 0; i < origin.n; i++)
        if (origin.p[i] <= ' ' || origin.p[i] > '~' || origin.p[i] == '+')
            return false;
    return origin.n > 0 && origin.n <= CHECKPOINT_ORIGIN_MAX;
}

bool checkpoint_is_sound(const struct checkpoint *c)
{
    struct merkle_hash empty;
    merkle_empty(&empty);
    return c->size > 0 || memcmp(c->root.b, empty.b, MERKLE_HASH) == 0;
}
