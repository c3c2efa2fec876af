/* sild gateway: the security server. Its parent process; the children are worker, key, log, agent.
 */
#ifndef SILD_GATEWAY_GATEWAY_H
#define SILD_GATEWAY_GATEWAY_H

int gateway_main(int argc, char **argv);
/* sild gateway key new|import: argv[0] is "key". */
int gateway_key_main(int argc, char **argv);

#endif
