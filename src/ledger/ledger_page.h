/* The page at a ledger's root: now, last rounds, journals, witnesses, and what a hash or a round's
 * number is found in. Whole HTML, without script and without other files. */
#ifndef SILD_LEDGER_LEDGER_PAGE_H
#define SILD_LEDGER_LEDGER_PAGE_H

#include "ledger/ledger_files.h"
#include "ledger/ledger_lists.h"

#define LEDGER_PAGE_MAX (512u << 10)

/* query: of the request, "q=…" or empty. Reads public files only. ERR_NOT_FOUND: there is no
 * checkpoint. */
int ledger_page_print(struct ledger_files *files, const struct ledger_lists *lists,
                      struct slice query, int64_t now_ms, struct buf *out, struct diag *d) MUST_USE;

#endif
