/* sild call: one exchange from the shell, like curl. */
#ifndef SILD_CLI_CALL_H
#define SILD_CLI_CALL_H

int cli_call(int argc, char **argv);

#endif
