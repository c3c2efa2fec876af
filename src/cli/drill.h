/* sild drill: breaks the running demonstration in one known way, for practice. */
#ifndef SILD_CLI_DRILL_H
#define SILD_CLI_DRILL_H

int cli_drill(int argc, char **argv);

#endif
