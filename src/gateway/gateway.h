/* sild gateway: the security server. Its parent process; the children are worker, key, log, agent.
 */
#ifndef SILD_GATEWAY_GATEWAY_H
#define SILD_GATEWAY_GATEWAY_H

#include <stdbool.h>

int gateway_main(int argc, char **argv);
/* sild gateway key new|import|certificate: argv[0] is "key". */
int gateway_key_main(int argc, char **argv);
/* sild gateway reload|refresh|stamp: argv[0] is that word. */
int gateway_tell_main(int argc, char **argv);
bool gateway_tell_knows(const char *word);

#endif
