/* sild status: how the demonstration country's roles are. */
#ifndef SILD_CLI_STATUS_H
#define SILD_CLI_STATUS_H

int cli_status(int argc, char **argv);

#endif
