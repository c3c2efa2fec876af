/* sild up: brings the demonstration country up, and keeps it. */
#ifndef SILD_CLI_UP_H
#define SILD_CLI_UP_H

int cli_up(int argc, char **argv);
/* Has the country that runs in dir "start" or "stop" one role; prints what it says, returns the
 * exit code. who: the command, for errors. */
int up_tell(const char *who, const char *dir, const char *verb, const char *role);

#endif
