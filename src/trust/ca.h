/*
 * The CA's state: certificates issued and revoked, each a record of a journal, and a view of it in
 * memory. The child "log" runs it: it alone writes, issues through the key process, and tells the
 * responder what a certificate's status is.
 *
 * Journal records: CA_ISSUED payload = the certificate's DER; CA_REVOKED payload = u64 time_ms,
 * u8 CRLReason, then the serial number's bytes. The journal id of both is the serial in hex.
 */
#ifndef SILD_TRUST_CA_H
#define SILD_TRUST_CA_H

#include "proc/group.h"

enum ca_record {
    CA_ISSUED = 1,
    CA_REVOKED,
};

/* Frames from log to responder; bodies: var serial, then for REVOKED u64 time, u8 reason. */
enum ca_frame {
    CA_FRAME_ISSUED = 200,
    CA_FRAME_REVOKED,
    CA_FRAME_ALL_SENT, /* the state of the start is complete */
};

#define CA_SERIAL_MAX 20

int ca_run(struct group_self *self, const char *config_path);

#endif
