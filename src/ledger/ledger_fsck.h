/* sild ledger fsck: every file of a ledger read again, and its root computed from them. */
#ifndef SILD_LEDGER_LEDGER_FSCK_H
#define SILD_LEDGER_LEDGER_FSCK_H

/* argv[0] is the word. */
int ledger_fsck_main(int argc, char **argv);

#endif
