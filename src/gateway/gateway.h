/* sild gateway: the security server. Its parent process; the children are worker, key, log, agent.
 */
#ifndef SILD_GATEWAY_GATEWAY_H
#define SILD_GATEWAY_GATEWAY_H

int gateway_main(int argc, char **argv);

#endif
