#include "gateway/peer_version.h"

bool peer_version_parse(struct slice text, struct peer_version *out)
{
    struct slice rest = slice_sub(text, 0, slice_find(text, '+')), part;
    size_t dash = slice_find(rest, '-');
    out->before = dash != SIZE_MAX;
    if (out->before && dash + 1 == rest.n)
        return false;
    rest = slice_sub(rest, 0, dash);
    for (int i = 0; i < 3; i++)
        if (!slice_next(&rest, '.', &part) || !slice_u64(part, &out->part[i]))
            return false;
    return rest.p == NULL;
}

int peer_version_cmp(const struct peer_version *a, const struct peer_version *b)
{
    for (int i = 0; i < 3; i++)
        if (a->part[i] != b->part[i])
            return a->part[i] < b->part[i] ? -1 : 1;
    return (int)b->before - (int)a->before;
}
