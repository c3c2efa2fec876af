/*
 * C2SP cosignature/v1: a witness says "at this time this was the largest tree of this origin that
 * I had seen, and it is consistent with all I saw before". Its Ed25519 signature is over
 * "cosignature/v1\ntime <seconds>\n<checkpoint text>"; its line carries time (8 bytes, big-endian)
 * ‖ signature behind the key id.
 */
#ifndef SILD_TLOG_COSIGNATURE_H
#define SILD_TLOG_COSIGNATURE_H

#include "tlog/note.h"

/* Appends the signed message. */
void cosignature_message(uint64_t time_s, struct slice text, struct buf *out);
/* Appends the line of a cosigner. */
void cosignature_line(const struct note_key *k, uint64_t time_s,
                      const uint8_t signature[NOTE_SIGNATURE], struct buf *out);
/* Checks one value (time ‖ signature, 72 bytes) over a checkpoint's text. *time_s is filled on
 * success. ERR_INVALID_SIGNATURE_VALUE, also for a time of 0 or over 2^63-1. */
int cosignature_verify(const struct note_key *k, struct slice text, struct slice value,
                       uint64_t *time_s) MUST_USE;

#endif
