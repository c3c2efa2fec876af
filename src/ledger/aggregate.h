/* sild ledger aggregate: checks the heads of its journals and hands in one signed subtree. */
#ifndef SILD_LEDGER_AGGREGATE_H
#define SILD_LEDGER_AGGREGATE_H

int aggregate_main(int argc, char **argv);

#endif
