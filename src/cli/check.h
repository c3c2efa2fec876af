/* sild check FILE: what is wrong with a configuration, before a role runs with it. */
#ifndef SILD_CLI_CHECK_H
#define SILD_CLI_CHECK_H

int cli_check(int argc, char **argv);

#endif
