/* What the agent hands to workers: taken only when nobody can change it any more. */
#include "base/err.h"
#include "gateway/snapshot.h"
#include "test.h"

#include <sys/mman.h>
#include <unistd.h>

/* A snapshot with a server configuration only. */
static int write_one(int *fd, struct diag *d)
{
    const struct snapshot_part part = {SNAPSHOT_SERVERCONF, 0,
                                       SLICE_LIT("[gateway]\nserver = ZZ/GOV/100/ss1\n")};
    return snapshot_write(7, 1234, &part, 1, fd, d);
}

TEST(a_snapshot_comes_back_as_it_was_written)
{
    struct snapshot *s;
    struct diag d = {0};
    int fd;
    CHECK_INT(write_one(&fd, &d), 0);
    CHECK_INT(snapshot_open(fd, &s, &d), 0);
    CHECK_INT(s->generation, 7);
    CHECK_INT(s->expires_ms, 1234);
    CHECK(slice_eq_str(s->conf.server.server_code, "ss1"));
    CHECK(s->gc == NULL);
    snapshot_unref(s);
}

TEST(a_snapshot_that_can_still_change_is_refused)
{
    struct snapshot *s;
    struct diag d = {0};
    char bytes[4096];
    int sealed, loose = memfd_create("loose", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK_INT(write_one(&sealed, &d), 0);
    ssize_t n = pread(sealed, bytes, sizeof bytes, 0);
    CHECK(n > 0 && write(loose, bytes, (size_t)n) == n);
    close(sealed);
    CHECK_INT(snapshot_open(loose, &s, &d), ERR_CORRUPT);
    CHECK(s == NULL);
}
