/* The commands of a ledger's operator: sild ledger WORD. */
#ifndef SILD_LEDGER_LEDGER_TOOL_H
#define SILD_LEDGER_LEDGER_TOOL_H

/* argv[0] is the word. */
int ledger_tool_main(int argc, char **argv);

#endif
