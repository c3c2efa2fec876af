/* sild down: stops the demonstration country. */
#ifndef SILD_CLI_DOWN_H
#define SILD_CLI_DOWN_H

int cli_down(int argc, char **argv);

#endif
