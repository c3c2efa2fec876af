/* Founding the demonstration country: folders, keys, certificates, members. */
#ifndef SILD_CLI_FOUND_H
#define SILD_CLI_FOUND_H

#include "base/attr.h"
#include "base/diag.h"

/* Folders and configuration files; keys and certificates of trust and authority; the gateways'
 * keys, of a kind that keystore_generate knows. */
int found_files(const char *dir, const char *key_kind, struct diag *d) MUST_USE;
/* With trust running: the gateways' certificates. */
int found_certificates(const char *dir, struct diag *d) MUST_USE;
/* With authority running: members and all they have; the anchor. */
int found_members(const char *dir, struct diag *d) MUST_USE;

#endif
