#include "tlog/aggregate.h"

#include "base/err.h"
#include "tlog/lines.h"
#include "tlog/note.h"

static bool take_number(struct slice *rest, uint64_t *v)
{
    return lines_take_number(rest, SLICE_LIT(""), v);
}

int aggregate_parse(struct slice text, struct aggregate *out, struct diag *d)
{
    struct slice rest = text;
    if (!slice_skip(&rest, SLICE_LIT(AGGREGATE_FIRST_LINE)) || !lines_take(&rest, &out->name) ||
        !note_is_name(out->name) || !take_number(&rest, &out->time_ms) ||
        !take_number(&rest, &out->entries) || !take_number(&rest, &out->heads) ||
        !lines_take_bytes(&rest, SLICE_LIT(""), out->root.b, MERKLE_HASH) || rest.n > 0)
        return diag_set(d, ERR_SYNTAX, "no aggregate: name, time, entries, heads, root are needed");
    /* Each leaf stands for one head or more, but the empty tree has neither. */
    if (out->heads < out->entries || (out->entries == 0 && out->heads > 0))
        return diag_set(d, ERR_SYNTAX, "an aggregate with fewer heads than entries");
    return 0;
}

void aggregate_print(const struct aggregate *a, struct buf *out)
{
    buf_str(out, AGGREGATE_FIRST_LINE);
    buf_slice(out, a->name);
    lines_put_number(out, "\n", a->time_ms);
    lines_put_number(out, "", a->entries);
    lines_put_number(out, "", a->heads);
    lines_put_bytes(out, "", slice_of(a->root.b, MERKLE_HASH));
}
