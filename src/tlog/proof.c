#include "tlog/proof.h"

#include "base/base64.h"
#include "base/err.h"

#define FIRST_LINE "c2sp.org/tlog-proof@v1\n"

static int bad(struct diag *d, const char *why)
{
    diag_set(d, ERR_SYNTAX, "no proof file: %s", why);
    diag_rule(d, "C2SP tlog-proof");
    return ERR_SYNTAX;
}

static bool is_base64(struct slice text)
{
    size_t n;
    uint8_t none;
    return base64_into(text, &none, 0, &n) == 0;
}

int proof_parse(struct slice file, struct proof *out, struct diag *d)
{
    struct slice rest = file;
    *out = (struct proof){0};
    if (file.n > PROOF_MAX)
        return diag_set(d, ERR_TOO_LARGE, "a proof of more than %u bytes", PROOF_MAX);
    if (!slice_skip(&rest, SLICE_LIT(FIRST_LINE)))
        return bad(d, "the first line is another");
    out->has_extra = slice_skip(&rest, SLICE_LIT("extra "));
    if (out->has_extra && (!lines_take(&rest, &out->extra) || !is_base64(out->extra)))
        return bad(d, "extra data are not base64");
    if (!lines_take_number(&rest, SLICE_LIT("index "), &out->index))
        return bad(d, "no index");
    if (!lines_take_hashes(&rest, out->path, &out->n))
        return bad(d, "a line is no hash, more than 63 hashes, or no empty line after them");
    out->checkpoint = rest;
    return 0;
}

void proof_print(const struct proof *p, struct buf *out)
{
    buf_str(out, FIRST_LINE);
    if (p->has_extra) {
        buf_str(out, "extra ");
        buf_slice(out, p->extra);
        buf_byte(out, '\n');
    }
    lines_put_number(out, "index ", p->index);
    lines_put_hashes(out, p->path, p->n);
    buf_slice(out, p->checkpoint);
}

int proof_verify(const struct proof *p, const struct merkle_hash *leaf, const struct policy *policy,
                 struct policy_verdict *out, struct diag *d)
{
    struct note n;
    int rc = note_parse(p->checkpoint, &n, d);
    if (rc == 0)
        rc = policy_check(policy, &n, out, d);
    if (rc != 0)
        return rc;
    /* Size and root from the one signed text: a path alone does not bind the size. */
    rc = merkle_verify_inclusion(leaf, p->index, out->checkpoint.size, p->path, p->n,
                                 &out->checkpoint.root);
    return rc == 0 ? 0 : diag_set(d, rc, "the hashes do not lead from the leaf to the root");
}
