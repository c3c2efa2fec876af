/* What files a journal's folder holds. */
#ifndef SILD_JOURNAL_FOLDER_H
#define SILD_JOURNAL_FOLDER_H

#include "journal/io.h"

struct folder {
    uint64_t *segments; /* first sequences, ascending */
    size_t count, room;
    /* Names of files that no segment needs: parts of segments that are not there, files that were
     * being written when a run ended. */
    char (*strays)[IO_NAME_MAX];
    size_t stray_count, stray_room;
    bool nomem;
};

int folder_read(const struct io_disk *k, struct folder *f, struct diag *d) MUST_USE;
void folder_free(struct folder *f);

#endif
