/*
 * Command lines from a table: the same table parses the arguments and prints --help.
 * Exit codes of every command: 0 done, 1 the answer is no, 2 wrong use, 3 could not.
 */
#ifndef SILD_BASE_OPT_H
#define SILD_BASE_OPT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

enum {
    EXIT_DONE = 0,
    EXIT_NO = 1,
    EXIT_USE = 2,
    EXIT_COULD_NOT = 3,
};

#define OPT_REPEAT_MAX 32

struct opt {
    const char *name; /* "--dir"; NULL ends the table */
    const char *arg;  /* "DIR"; NULL: a flag without value */
    const char *help;
    const char **value; /* where the (last) value goes; a flag sets it to "" */
    const char **all;   /* optional: OPT_REPEAT_MAX values of a repeated option, then NULL */
};

struct opt_command {
    const char *usage; /* "sild asic verify [options] FILE" */
    const char *text;  /* a paragraph: what it does, exit codes beyond the usual */
    const struct opt *opts;
    int min_args, max_args; /* positional; max_args -1: any number */
    const char *needs;      /* optional: the option of the table that must be there */
};

/*
 * Parses argv[1…]. Options may stand anywhere; "--" ends them; "--name=value" and "--name value"
 * both work. Positional arguments are moved to args (NULL-ended; room for argc + 1).
 * Returns 0, ERR_USAGE with a sentence in d, or OPT_HELP when --help or -h was there.
 */
#define OPT_HELP (-1)
int opt_parse(const struct opt_command *c, int argc, char **argv, char **args,
              struct diag *d) MUST_USE;

/* The help page. */
void opt_help(const struct opt_command *c, struct buf *out);

#endif
