/*
 * The note of an aggregator: text "sild/aggregate@v1\n<name>\n<time
 * ms>\n<entries>\n<heads>\n<root>\n", signed by its key, whose name is <name>. It takes a head's
 * place in a round or in the subtree of another aggregator.
 */
#ifndef SILD_TLOG_AGGREGATE_H
#define SILD_TLOG_AGGREGATE_H

#include "base/buf.h"
#include "base/diag.h"
#include "crypto/merkle.h"

#define AGGREGATE_FIRST_LINE "sild/aggregate@v1\n"

struct aggregate {
    struct slice name; /* points into the text */
    uint64_t time_ms;  /* of its closing; must grow */
    uint64_t entries;  /* leaves of its subtree */
    uint64_t heads;    /* journals' heads below it in all */
    struct merkle_hash root;
};

/* ERR_SYNTAX. */
int aggregate_parse(struct slice text, struct aggregate *out, struct diag *d) MUST_USE;
void aggregate_print(const struct aggregate *a, struct buf *out);

#endif
