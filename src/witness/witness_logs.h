/*
 * The logs that a witness knows: a text with a vkey a line (empty lines and lines that begin with
 * '#' are passed over). A log's name is its origin; it may have several keys, any of which signs.
 */
#ifndef SILD_WITNESS_WITNESS_LOGS_H
#define SILD_WITNESS_WITNESS_LOGS_H

#include "base/buf.h"
#include "base/diag.h"
#include "tlog/note.h"

#define WITNESS_LOGS_MAX 10000       /* keys */
#define WITNESS_LOGS_FILE (4u << 20) /* bytes */
#define WITNESS_LOG_KEYS_MAX 16      /* of one origin */

struct witness_log {
    const struct note_key *key[WITNESS_LOG_KEYS_MAX];
    size_t n;
};

struct witness_logs;
/* ERR_SYNTAX with the line: no vkey, a cosigner's, a key that stands there twice. */
int witness_logs_parse(struct slice text, struct witness_logs **out, struct diag *d) MUST_USE;
/* The file itself; none is an empty list. */
int witness_logs_read(const char *path, struct witness_logs **out, struct diag *d) MUST_USE;
/* Its bytes, for processes that open no files. */
int witness_logs_load(const char *path, struct buf *text, struct diag *d) MUST_USE;
void witness_logs_free(struct witness_logs *l); /* NULL is harmless */

size_t witness_logs_count(const struct witness_logs *l); /* keys */
/* In the order of the text. */
const struct note_key *witness_logs_at(const struct witness_logs *l, size_t i);
/* NULL: not known. */
const struct witness_log *witness_logs_find(const struct witness_logs *l, struct slice origin);

#endif
