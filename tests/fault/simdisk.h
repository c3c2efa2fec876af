/*
 * A disk in memory behind the journal's table of calls. It keeps what was synced apart from what
 * was only written, and can lose the second: whole, or in any part. Steps are counted: at a chosen
 * one the power goes, or the call fails.
 */
#ifndef SILD_TESTS_FAULT_SIMDISK_H
#define SILD_TESTS_FAULT_SIMDISK_H

#include "journal/io.h"

#include <stdbool.h>
#include <stdint.h>

struct simdisk;

enum simdisk_cut {
    SIMDISK_DROP_ALL, /* nothing unsynced survives */
    SIMDISK_KEEP_ALL, /* the process died, the machine did not */
    SIMDISK_PREFIXES, /* of each unsynced write a part from its start, names made or not */
    SIMDISK_SECTORS,  /* of each unsynced write any of its sectors of 512 bytes */
    SIMDISK_CUT_COUNT,
};

enum simdisk_fault {
    SIMDISK_NONE,
    SIMDISK_POWER, /* this call fails, a write half way; all after it do nothing and fail */
    SIMDISK_EIO,   /* the call fails; a sync that fails loses what was unsynced, silently */
    SIMDISK_FULL,  /* a write stores a part or nothing: no space */
    SIMDISK_SHORT, /* a write stores a part and says so; a read gives a part */
};

struct simdisk *simdisk_new(void);
void simdisk_free(struct simdisk *s);
extern const struct journal_io simdisk_io; /* with the simdisk as ctx */

/* The step-th call from now on (from 1) has this fault; for EIO and FULL, `times` matching calls in
 * a row have it. */
void simdisk_arm(struct simdisk *s, enum simdisk_fault fault, uint64_t step, uint64_t times);
/* Calls so far since the last simdisk_arm. */
uint64_t simdisk_steps(const struct simdisk *s);
/* Whether the armed fault came to pass. */
bool simdisk_struck(const struct simdisk *s);
/* The machine starts again: descriptors and locks are gone, and of what was unsynced survives what
 * `how` and chance (from seed) leave. */
void simdisk_restart(struct simdisk *s, enum simdisk_cut how, uint64_t seed);
/* Puts a file there, synced. */
void simdisk_put(struct simdisk *s, const char *path, const void *p, size_t n);
/* Its bytes as a process sees them; NULL when it is not there. Valid until the next call. */
const uint8_t *simdisk_get(struct simdisk *s, const char *path, size_t *n);

#endif
