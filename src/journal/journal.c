#include "journal/journal.h"
#include "base/err.h"
#include "base/tally.h"
#include "journal/journal_inner.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_BYTES (256ull << 20)
/* Beyond this an append syncs what is there first. */
#define PENDING_MAX (32u << 20)

static void release(struct journal *j)
{
    segment_close(&j->open);
    index_free(&j->index);
    salts_close(&j->salts);
    tiles_close(&j->tiles);
    journal_closed_forget(j, 0, true);
    io_close(&j->lock);
    buf_wipe(&j->pending);
    digest_ctx_free(j->hasher);
    free(j->closed);
    free(j);
}

static struct journal *new_journal(const struct journal_options *o)
{
    struct journal *j = calloc(1, sizeof *j);
    if (j == NULL)
        return NULL;
    j->read_only = o->read_only;
    j->segment_bytes = o->segment_bytes != 0 ? o->segment_bytes : SEGMENT_BYTES;
    j->lock = j->open.file = j->salts.file = IO_NO_FILE;
    for (size_t i = 0; i < TILES_LEVELS; i++)
        j->tiles.level[i] = IO_NO_FILE;
    buf_init(&j->pending, (size_t)PENDING_MAX + JOURNAL_RECORD_MAX + SEGMENT_HEAD + 8);
    j->hasher = digest_ctx_new();
    if (j->hasher == NULL) {
        free(j);
        return NULL;
    }
    return j;
}

static int take_lock(struct journal *j, struct diag *d)
{
    int rc = io_mkdir(&j->disk, "", d);
    if (rc == 0)
        rc = io_open(&j->disk, "lock", O_RDWR | O_CREAT, &j->lock, d);
    return rc == 0 ? io_lock(&j->lock, d) : rc;
}

int journal_open(const char *dir, const struct journal_options *o, struct journal **out,
                 struct diag *d)
{
    static const struct journal_options usual = {0};
    if (o == NULL)
        o = &usual;
    *out = NULL;
    if (o->segment_bytes > SEGMENT_BYTES_MAX)
        return diag_set(d, ERR_USAGE, "a segment takes at most %llu bytes", SEGMENT_BYTES_MAX);
    struct journal *j = new_journal(o);
    if (j == NULL)
        return diag_set(d, ERR_NOMEM, "no memory to open a journal");
    int rc = io_init(&j->disk, dir, o->io, o->io_ctx, d);
    if (rc == 0 && j->read_only)
        rc = journal_recover_nothing(j, d);
    else if (rc == 0 && (rc = take_lock(j, d)) == 0)
        rc = journal_recover(j, d);
    if (rc != 0) {
        release(j);
        return rc;
    }
    *out = j;
    return 0;
}

void journal_close(struct journal *j)
{
    if (j == NULL)
        return;
    if (!j->read_only && journal_sync(j, NULL) == 0 && segment_trim(&j->open, NULL) == 0 &&
        salts_trim(&j->salts, j->index.count, NULL) == 0 && j->durable > j->head_size) {
        int rc = journal_inner_hold(j, NULL);
        (void)rc; /* nothing acknowledged depends on it */
    }
    release(j);
}

const struct journal_recovery *journal_recovered(const struct journal *j)
{
    return &j->recovery;
}

uint64_t journal_size(const struct journal *j)
{
    return j->open.first + j->index.count;
}

uint64_t journal_segment(const struct journal *j)
{
    return j->open.first;
}

uint64_t journal_durable(const struct journal *j)
{
    return j->durable;
}

uint64_t journal_first(const struct journal *j)
{
    return j->closed_count > 0 ? j->closed[0] : j->open.first;
}

uint64_t journal_inner_end(const struct journal *j, size_t at)
{
    return at + 1 < j->closed_count ? j->closed[at + 1] : j->open.first;
}

int journal_inner_locate(const struct journal *j, uint64_t seq, size_t *at, struct diag *d)
{
    if (seq >= journal_size(j))
        return diag_set(d, ERR_NOT_FOUND, "there is no record %" PRIu64 " yet", seq);
    if (seq < journal_first(j))
        return diag_set(d, ERR_NOT_FOUND, "record %" PRIu64 " is dropped", seq);
    size_t low = 0, high = j->closed_count; /* the first segment that begins after seq */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (j->closed[mid] <= seq)
            low = mid + 1;
        else
            high = mid;
    }
    *at = seq >= j->open.first ? j->closed_count : low - 1;
    return 0;
}

int journal_inner_add_closed(struct journal *j, uint64_t first, struct diag *d)
{
    if (j->closed_count == j->closed_room) {
        size_t room = j->closed_room == 0 ? 64 : j->closed_room * 2;
        uint64_t *p = realloc(j->closed, room * sizeof *p);
        if (p == NULL)
            return diag_set(d, ERR_NOMEM, "no memory for the list of segments");
        j->closed = p;
        j->closed_room = room;
    }
    j->closed[j->closed_count++] = first;
    return 0;
}

int journal_inner_hold(struct journal *j, struct diag *d)
{
    struct journal_head h = {.size = j->durable};
    int rc = tiles_sync(&j->tiles, d);
    if (rc != 0) {
        j->broken = true;
        return rc;
    }
    rc = tiles_root(&j->tiles, h.size, &h.root, d);
    if (rc == 0)
        rc = journal_head_write(&j->disk, &h, d);
    if (rc == 0)
        j->head_size = h.size;
    return rc;
}

/* Salts, then records, then hashes: each is on disk before the next is written. */
static int settle(struct journal *j, struct diag *d)
{
    int rc = 0;
    if (j->pending.n > 0) {
        rc = salts_settle(&j->salts, j->index.count, d);
        if (rc == 0)
            rc = segment_append(&j->open, buf_view(&j->pending), j->segment_bytes, d);
        if (rc == 0)
            buf_reset(&j->pending);
    }
    if (rc == 0)
        rc = tiles_flush(&j->tiles, d);
    if (rc == 0)
        j->durable = journal_size(j);
    return rc;
}

static int refuse(const struct journal *j, struct diag *d)
{
    if (j->read_only)
        return diag_set(d, ERR_DENIED, "the journal is open for reading only");
    if (j->broken)
        return diag_set(d, ERR_IO,
                        "hashes of the tree could not be synced: the journal must be opened anew");
    return 0;
}

bool journal_is_broken(const struct journal *j)
{
    return j->broken;
}

int journal_sync(struct journal *j, struct diag *d)
{
    int rc = refuse(j, d);
    if (rc != 0)
        return rc;
    bool news = j->pending.n > 0;
    j->failed = settle(j, d);
    tally_add(TALLY_SYNCS, news && j->failed == 0);
    return j->failed;
}

/* Closes the open segment and begins the next. After a failure the next append tries again, also
 * when its record would fit: the file of the next segment may be there, and says that this one has
 * no more records. */
static int next_segment(struct journal *j, struct diag *d)
{
    struct segment s;
    struct salts salts;
    int rc = journal_sync(j, d);
    if (rc == 0)
        rc = segment_trim(&j->open, d);
    if (rc == 0)
        rc = io_sync(&j->open.file, d);
    if (rc == 0)
        rc = salts_trim(&j->salts, j->index.count, d);
    if (rc == 0)
        rc = io_sync(&j->salts.file, d);
    if (rc == 0)
        rc = journal_inner_hold(j, d);
    if (rc == 0)
        rc = index_write(&j->index, &j->disk, j->open.first, j->open.bytes, d);
    if (rc == 0)
        rc = journal_inner_add_closed(j, j->open.first, d);
    if (rc != 0)
        return rc;
    j->closing = true;
    rc = segment_create(&j->disk, j->durable, &s, d);
    if (rc == 0) {
        rc = salts_create(&j->disk, j->durable, &salts, d);
        if (rc == 0)
            rc = io_sync_dir(&j->disk, "", d);
        if (rc != 0) {
            salts_close(&salts);
            segment_close(&s);
        }
    }
    if (rc != 0) {
        j->closed_count--;
        return rc;
    }
    segment_close(&j->open);
    salts_close(&j->salts);
    index_free(&j->index);
    j->open = s;
    j->salts = salts;
    j->closing = false;
    return 0;
}

/* Brings the record's bytes, leaf and index into memory, all or nothing. */
static int take(struct journal *j, const struct journal_record *r, uint64_t id_hash, struct diag *d)
{
    struct merkle_hash leaf;
    const uint8_t *salt;
    size_t size = journal_record_size(r, id_hash);
    uint32_t magic = j->pending.n == 0 ? j->open.mark : JOURNAL_RECORD_MAGIC;
    int rc = salts_take(&j->salts, j->index.count, &salt, d);
    if (rc != 0)
        return rc;
    uint8_t *p = buf_room(&j->pending, size);
    if (p == NULL) {
        j->pending.failed = false;
        return diag_set(d, ERR_NOMEM, "no memory for the record");
    }
    rc = index_add(&j->index, id_hash, j->open.bytes + j->pending.n);
    if (rc != 0)
        return diag_set(d, rc, "no memory for the index");
    journal_record_put(p, magic, r, id_hash);
    journal_record_leaf(j->hasher, salt, slice_of(p, size), &leaf);
    rc = tiles_add(&j->tiles, &leaf, d);
    if (rc != 0) {
        index_undo(&j->index);
        return rc;
    }
    j->pending.n += size;
    return 0;
}

int journal_append(struct journal *j, uint16_t type, uint16_t flags, int64_t time_ms,
                   struct slice id, struct slice payload, uint64_t *seq, struct diag *d)
{
    int rc = refuse(j, d);
    if (rc != 0)
        return rc;
    if (j->failed != 0)
        return diag_set(d, j->failed, "an earlier record could not be written: %s",
                        err_text(j->failed));
    if (payload.n > JOURNAL_RECORD_MAX || id.n > 255)
        return diag_set(d, ERR_TOO_LARGE,
                        "a record takes at most %u bytes and an id of 255, not %zu and %zu",
                        JOURNAL_RECORD_MAX, payload.n, id.n);
    struct journal_record r = {
        .time_ms = time_ms, .type = type, .flags = flags, .payload = payload};
    uint64_t id_hash = journal_record_id(id);
    size_t size = journal_record_size(&r, id_hash);
    uint64_t used = j->open.bytes + j->pending.n;
    if (j->closing || (j->index.count > 0 && used + size > j->segment_bytes))
        rc = next_segment(j, d);
    else if (j->pending.n + size > PENDING_MAX)
        rc = journal_sync(j, d);
    if (rc != 0)
        return rc;
    r.seq = journal_size(j);
    rc = take(j, &r, id_hash, d);
    if (rc != 0)
        return rc;
    *seq = r.seq;
    tally_add(TALLY_RECORDS, 1);
    tally_add(TALLY_RECORD_BYTES, payload.n);
    return 0;
}
