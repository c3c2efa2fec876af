/* sild ledger monitor: follows a ledger, or any log of the tlog-tiles format, and believes nobody.
 */
#ifndef SILD_MONITOR_MONITOR_H
#define SILD_MONITOR_MONITOR_H

int monitor_main(int argc, char **argv);

#endif
