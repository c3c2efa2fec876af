/* sild journal verify: is a journal whole, and do its messages' signatures hold. */
#ifndef SILD_CLI_JOURNAL_VERIFY_H
#define SILD_CLI_JOURNAL_VERIFY_H

int cli_journal_verify(int argc, char **argv);

#endif
