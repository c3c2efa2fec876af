/* sild ledger anchor: a checkpoint as a short string to print, with an RFC 3161 token beside it. */
#ifndef SILD_CLI_LEDGER_ANCHOR_H
#define SILD_CLI_LEDGER_ANCHOR_H

int cli_ledger_anchor(int argc, char **argv);

#endif
