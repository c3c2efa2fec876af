/* sild journal vkey: the key that a role signs its journal's heads with, as others know it. */
#ifndef SILD_CLI_JOURNAL_VKEY_H
#define SILD_CLI_JOURNAL_VKEY_H

int cli_journal_vkey(int argc, char **argv);

#endif
