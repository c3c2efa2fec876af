/*
 * What a monitor keeps in its folder, so that it goes on where it stopped:
 *   checkpoint   the last one that was verified
 *   state        text: "sild/monitor@v1", "entries <n>" (leaves read), "record <base64>" (the last
 *                round's record) or "record -", then a line for each journal and aggregator:
 *                <size or time> <root, base64> <vkey>
 *   seen         every checkpoint that the log signed, one after the other, an empty line between
 *   evidence/    a folder for each thing that must not be
 */
#ifndef SILD_MONITOR_MONITOR_STATE_H
#define SILD_MONITOR_MONITOR_STATE_H

#include "base/map.h"
#include "tlog/round.h"
#include "tlog/witness.h"

#define MONITOR_STATE_DIR 1400
#define MONITOR_STATE_PATH 1500
#define MONITOR_STATE_NAMES 200000

/* A journal or an aggregator, as its last entry showed it. */
struct monitor_known {
    struct note_key key;
    uint64_t size; /* of an aggregator: its time */
    struct merkle_hash root;
};

struct monitor_state {
    char dir[MONITOR_STATE_DIR];
    bool begun; /* there is a last checkpoint */
    struct witness_state last;
    struct buf note; /* its signed form */
    uint64_t entries;
    bool has_record;
    uint8_t record[ROUND_RECORD];
    struct monitor_known **known;
    size_t n, cap;
    struct map *by_name;
    bool changed; /* since it was written */
};

/* Reads the folder; one that is not there is made. ERR_CORRUPT, ERR_IO. */
int monitor_state_open(struct monitor_state *s, const char *dir, struct diag *d) MUST_USE;
void monitor_state_free(struct monitor_state *s);
/* Writes what changed, durably. */
int monitor_state_write(struct monitor_state *s, struct diag *d) MUST_USE;
/* Takes a verified checkpoint as the last one. */
int monitor_state_take(struct monitor_state *s, const struct checkpoint *c, struct slice note,
                       struct diag *d) MUST_USE;
/* NULL when the name is new. */
struct monitor_known *monitor_state_find(struct monitor_state *s, struct slice name);
/* A new name with its key; NULL without memory or when there are too many. */
struct monitor_known *monitor_state_add(struct monitor_state *s, struct slice vkey);
/* Adds to `seen`. */
int monitor_state_seen(struct monitor_state *s, struct slice note, struct diag *d) MUST_USE;
/*
 * A new folder below evidence/, its path into out, with the sentence in the file `what`. Then
 * monitor_state_keep puts files into it.
 */
int monitor_state_evidence(struct monitor_state *s, int64_t now_ms, const char *sentence,
                           char out[MONITOR_STATE_PATH], struct diag *d) MUST_USE;
int monitor_state_keep(const char *folder, const char *name, struct slice bytes,
                       struct diag *d) MUST_USE;

#endif
