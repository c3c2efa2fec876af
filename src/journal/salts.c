/*
 * The salts of a segment, "<first>.salt": 32 random bytes a record, in order, without a head; an
 * erased one is zeros. While the segment is open the file may hold salts made in advance, which the
 * next records will take: they are synced before the first record that takes one of them is
 * written. So salts cost a sync once in many batches, and a record that is on disk has its salt on
 * disk.
 */
#include "journal/salts.h"
#include "base/err.h"
#include "journal/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

/* The first rounds are small, so that a journal of few records has a small file. */
#define AHEAD_FIRST 64u
#define AHEAD_MOST 16384u

#define HELD_MAX (256u << 20)

static void start(struct salts *s)
{
    *s = (struct salts){.file = IO_NO_FILE, .ahead = AHEAD_FIRST};
    buf_init(&s->held, HELD_MAX);
}

int salts_create(const struct io_disk *k, uint64_t first, struct salts *s, struct diag *d)
{
    char name[IO_NAME_MAX];
    start(s);
    segment_name(first, "salt", name);
    return io_open(k, name, O_RDWR | O_CREAT | O_TRUNC, &s->file, d);
}

int salts_open(const struct io_disk *k, uint64_t first, bool read_only, struct salts *s,
               struct diag *d)
{
    char name[IO_NAME_MAX];
    start(s);
    segment_name(first, "salt", name);
    return io_open(k, name, read_only ? O_RDONLY : O_RDWR, &s->file, d);
}

void salts_close(struct salts *s)
{
    io_close(&s->file);
    buf_wipe(&s->held);
}

static int random_bytes(uint8_t *p, size_t n, struct diag *d)
{
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return diag_set(d, ERR_INTERNAL, "the kernel gives no random bytes");
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

/* Wipes what is held, keeps the memory. */
static void forget(struct salts *s)
{
    if (s->held.n > 0)
        explicit_bzero(s->held.p, s->held.n);
    buf_reset(&s->held);
}

int salts_take(struct salts *s, uint32_t rel, const uint8_t **salt, struct diag *d)
{
    uint32_t end = s->held_at + (uint32_t)(s->held.n / JOURNAL_SALT);
    if (rel >= end) {
        if (s->synced == end) { /* none of those in memory is needed any more */
            forget(s);
            s->held_at = end;
        }
        size_t n = (size_t)s->ahead * JOURNAL_SALT;
        uint8_t *p = buf_room(&s->held, n);
        if (p == NULL) {
            s->held.failed = false;
            return diag_set(d, ERR_NOMEM, "no memory for salts");
        }
        int rc = random_bytes(p, n, d);
        if (rc != 0)
            return rc;
        s->held.n += n;
        s->ahead = s->ahead * 2 < AHEAD_MOST ? s->ahead * 2 : AHEAD_MOST;
    }
    *salt = s->held.p + (size_t)(rel - s->held_at) * JOURNAL_SALT;
    return 0;
}

int salts_settle(struct salts *s, uint32_t n, struct diag *d)
{
    if (n <= s->synced)
        return 0;
    uint32_t end = s->held_at + (uint32_t)(s->held.n / JOURNAL_SALT);
    struct slice fresh =
        slice_from(buf_view(&s->held), (size_t)(s->synced - s->held_at) * JOURNAL_SALT);
    /* After a failure all of it is written again. */
    int rc = io_write(&s->file, fresh.p, fresh.n, (uint64_t)s->synced * JOURNAL_SALT, d);
    if (rc == 0)
        rc = io_sync(&s->file, d);
    if (rc == 0)
        s->synced = end;
    return rc;
}

int salts_trim(struct salts *s, uint32_t n, struct diag *d)
{
    int rc = io_truncate(&s->file, (uint64_t)n * JOURNAL_SALT, d);
    if (rc != 0)
        return rc;
    forget(s);
    s->held_at = n;
    s->synced = n;
    return 0;
}

int salts_read(const struct salts *s, uint32_t rel, uint8_t *out, size_t n, size_t *got,
               struct diag *d)
{
    size_t bytes;
    int rc = io_read(&s->file, out, n * JOURNAL_SALT, (uint64_t)rel * JOURNAL_SALT, &bytes, d);
    *got = rc == 0 ? bytes / JOURNAL_SALT : 0;
    return rc;
}

int salts_erase(struct salts *s, uint32_t rel, struct diag *d)
{
    static const uint8_t none[JOURNAL_SALT];
    int rc = io_write(&s->file, none, sizeof none, (uint64_t)rel * JOURNAL_SALT, d);
    if (rc == 0)
        rc = io_sync(&s->file, d);
    if (rc == 0 && rel >= s->held_at && (rel - s->held_at) < s->held.n / JOURNAL_SALT)
        explicit_bzero(s->held.p + (size_t)(rel - s->held_at) * JOURNAL_SALT, JOURNAL_SALT);
    return rc;
}

bool salts_is_erased(const uint8_t salt[JOURNAL_SALT])
{
    static const uint8_t none[JOURNAL_SALT];
    return memcmp(salt, none, sizeof none) == 0;
}
