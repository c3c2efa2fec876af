/* What every command does alike: its help page, its failure on stderr, a role's start. */
#ifndef SILD_PROC_COMMAND_H
#define SILD_PROC_COMMAND_H

#include "base/conf.h"
#include "base/diag.h"
#include "base/opt.h"
#include "proc/group.h"

/* Prints the help page; returns EXIT_DONE. */
int command_help(const struct opt_command *c);
/* "sild WHO: where: text" on stderr; returns the exit code given. */
int command_fail(const char *who, const struct diag *d, int code);
/* The exit code that fits an error: wrong use, no, or could not. */
int command_exit(int rc);
/* Parses; when there is nothing more to do (help, wrong use), *code is the exit code and false
 * returned. */
bool command_parse(const char *who, const struct opt_command *c, int argc, char **argv, char **args,
                   int *code);

/* One command to a role's control socket below dir; prints the answer; returns the exit code. */
int command_control(const char *who, const char *dir, struct slice command, int64_t timeout_ms);

/*
 * A configuration file of one role: parsed by its table into the arena. dir: the value of `dir` in
 * the section, below the file's own folder when relative.
 */
int command_config(const char *path, const char *section, const struct conf_rule *rules, size_t n,
                   struct arena *a, struct conf *out, char *dir, size_t cap,
                   struct diag *d) MUST_USE;
/* The text of a key as a C string in the arena; NULL when it is absent. */
const char *command_text(struct arena *a, const struct conf *c, const char *section,
                         const char *key);

#endif
