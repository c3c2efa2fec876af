#include "cli/proof_extend.h"
#include "base/err.h"
#include "base/opt.h"
#include "net/tile_source.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "tlog/chain.h"

#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MS 10000

struct wish {
    const char *anchor, *ledger, *out;
};

/* The path of the proof's round in the anchor's tree, from the ledger's tiles; they are believed
 * only as far as they give the anchor's root. */
static int path_of(struct chain *c, struct tile_source *s, struct diag *d)
{
    const struct anchor *n = &c->anchor;
    const uint64_t round = c->answer.ledger.index;
    if (round >= n->size)
        return diag_set(d, ERR_NOT_FOUND,
                        "round %llu is younger than the anchor, which is over %llu rounds",
                        (unsigned long long)round, (unsigned long long)n->size);
    s->diag = d;
    struct tile_tree *t = tile_tree_new(tile_source_fetch, s, n->size);
    if (t == NULL)
        return diag_set(d, ERR_NOMEM, "no memory");
    int rc = tile_tree_trust(t, &n->root, d);
    rc = rc != 0 ? rc
                 : merkle_inclusion(tile_tree_get, t, round, n->size, c->anchor_path.h,
                                    &c->anchor_path.n);
    tile_tree_free(t);
    c->anchor_path.index = round;
    return rc;
}

static int extend(const char *file, const struct wish *w, struct diag *d)
{
    struct chain *c = calloc(1, sizeof *c);
    struct tile_source source;
    char text[ANCHOR_TEXT];
    struct buf in, out;
    if (c == NULL)
        return diag_set(d, ERR_NOMEM, "no memory");
    buf_init(&in, CHAIN_MAX);
    buf_init(&out, CHAIN_MAX);
    int rc = fs_read(file, &in, d);
    rc = rc != 0 ? rc : chain_parse(buf_view(&in), c, d);
    rc = rc != 0 ? rc : anchor_read(slice_str(w->anchor), &c->anchor, d);
    rc = rc != 0 ? rc : tile_source_init(&source, w->ledger, TIMEOUT_MS, d);
    rc = rc != 0 ? rc : path_of(c, &source, d);
    if (rc == 0) {
        anchor_print(&c->anchor, text);
        c->anchor_text = slice_str(text);
        c->has_anchor = true;
        chain_print(c, &out);
        rc = fs_write(w->out != NULL ? w->out : file, buf_view(&out), 0600, d);
    }
    if (rc == 0)
        printf("%s: leads to the anchor of %llu rounds\n", w->out != NULL ? w->out : file,
               (unsigned long long)c->anchor.size);
    buf_free(&in);
    buf_free(&out);
    free(c);
    return rc;
}

int cli_proof_extend(int argc, char **argv)
{
    struct wish w = {.anchor = NULL};
    const struct opt opts[] = {
        {"--anchor", "STRING", "the printed anchor", &w.anchor, NULL},
        {"--ledger", "URL|DIR", "the ledger, or a copy of its files", &w.ledger, NULL},
        {"--out", "FILE", "where to write; default: the proof itself is replaced", &w.out, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild proof extend FILE --anchor STRING --ledger URL|DIR [--out FILE]",
        .text = "Adds to a proof the path from its round to a printed anchor that is younger.\n"
                "sild proof verify --anchor STRING then proves its age without any key.",
        .opts = opts,
        .min_args = 1,
        .max_args = 1,
        .needs = "--anchor",
    };
    struct diag d = {0};
    char *args[argc + 1];
    int code;
    if (!command_parse("proof extend", &cmd, argc, argv, args, &code))
        return code;
    int rc = w.ledger != NULL ? extend(args[0], &w, &d)
                              : diag_set(&d, ERR_USAGE, "--ledger URL or DIR is missing");
    return rc == 0 ? EXIT_DONE : command_fail("proof extend", &d, command_exit(rc));
}
