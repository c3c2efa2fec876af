/* sild up: brings the demonstration country up, and keeps it. */
#ifndef SILD_CLI_UP_H
#define SILD_CLI_UP_H

int cli_up(int argc, char **argv);

#endif
