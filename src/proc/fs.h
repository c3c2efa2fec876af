/* Whole files and folders, durably: temporary name, sync, rename, sync of the folder. */
#ifndef SILD_PROC_FS_H
#define SILD_PROC_FS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"

/* Appends the file's bytes to out; at most out->max. ERR_NOT_FOUND, ERR_TOO_LARGE, ERR_IO. */
int fs_read(const char *path, struct buf *out, struct diag *d) MUST_USE;
/* Replaces the file as a whole; after return it survives a power cut. ERR_DISK_FULL, ERR_IO. */
int fs_write(const char *path, struct slice data, unsigned mode, struct diag *d) MUST_USE;
/* With its parents; a folder that is there already is no error. */
int fs_mkdirs(const char *path, unsigned mode, struct diag *d) MUST_USE;
bool fs_exists(const char *path);

/* For a process that cannot begin without space on the disk: says so now and then, and sleeps a
 * second. Ending instead would be taken for a start that fails, and the group would give up. */
void fs_wait_for_space(const struct diag *why);

#endif
