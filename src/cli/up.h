/* sild up, down, status: the demonstration country. */
#ifndef SILD_CLI_UP_H
#define SILD_CLI_UP_H

int cli_up(int argc, char **argv);
int cli_down(int argc, char **argv);
int cli_status(int argc, char **argv);

#endif
