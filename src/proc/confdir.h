/*
 * A global configuration on disk in X-Road's layout (globalconf.md 8): <instance>/<part> with
 * <part>.metadata, and instance-identifier. Read whole for verifiers, written part by part.
 */
#ifndef SILD_PROC_CONFDIR_H
#define SILD_PROC_CONFDIR_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "xroad/directory.h"
#include "xroad/params.h"

/* Reads all of a folder and compiles it (xroad/globalconf.h); appends the image. */
int confdir_compile(const char *folder, struct buf *image, struct diag *d) MUST_USE;

/* One part's bytes, in the arena. ERR_NOT_FOUND. */
int confdir_read(struct arena *a, const char *folder, struct slice instance, struct slice name,
                 struct slice *bytes) MUST_USE;
/* Instance and sources of the stored shared parameters (params_shared_sources). */
int confdir_sources(struct arena *a, const char *folder, struct slice instance,
                    struct params_shared *out) MUST_USE;
/* When the stored shared parameters expire; INT64_MAX when there are none or nothing says so. */
int64_t confdir_expires(struct arena *a, const char *folder, struct slice instance);

/*
 * Content first, then metadata, each by rename; a new part's metadata come before it as well.
 * bytes.p NULL: the content is there already. ERR_GC_PART_SAVE.
 */
int confdir_write(const char *folder, struct slice instance, const struct directory_part *p,
                  struct slice bytes, int64_t expires_ms, int version, struct diag *d) MUST_USE;
/* Removes the instance's files of parts that are not among these (globalconf.md 5, step 10). */
void confdir_keep(const char *folder, struct slice instance, const struct slice *names, size_t n);
/* Says whose configuration the folder is. */
int confdir_own(const char *folder, struct slice instance, struct diag *d) MUST_USE;

#endif
