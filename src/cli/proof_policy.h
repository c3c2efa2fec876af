/*
 * Where a reader's policy comes from: the file named, the country's, or the one that was pinned for
 * this ledger when a proof was fetched beside it, as ssh pins hosts:
 * ${XDG_CONFIG_HOME:-~/.config}/sild/ledgers/<origin, '/' as '_'>.policy
 */
#ifndef SILD_CLI_PROOF_POLICY_H
#define SILD_CLI_PROOF_POLICY_H

#include "tlog/policy.h"

#define PROOF_POLICY_PATH 2048

/*
 * named: --policy, or NULL; dir: the country, or NULL; origin: of the ledger that the proof is
 * about. path: where it was found. The caller frees *out. ERR_NOT_FOUND says where was looked.
 */
int proof_policy_find(const char *named, const char *dir, struct slice origin, struct policy **out,
                      char path[PROOF_POLICY_PATH], struct diag *d) MUST_USE;

/* Keeps the policy file for the origin. *pinned: it was not there before. ERR_EXISTS when another
 * one is pinned: that one stays. */
int proof_policy_pin(struct slice origin, const char *file, char path[PROOF_POLICY_PATH],
                     bool *pinned, struct diag *d) MUST_USE;

#endif
