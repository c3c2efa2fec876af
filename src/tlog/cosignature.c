#include "tlog/cosignature.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/cursor.h"

#define TIME 8 /* bytes before the signature */

void cosignature_message(uint64_t time_s, struct slice text, struct buf *out)
{
    buf_printf(out, "cosignature/v1\ntime %" PRIu64 "\n", time_s);
    buf_slice(out, text);
}

void cosignature_line(const struct note_key *k, uint64_t time_s,
                      const uint8_t signature[NOTE_SIGNATURE], struct buf *out)
{
    uint8_t value[TIME + NOTE_SIGNATURE];
    put_be64(value, time_s);
    memcpy(value + TIME, signature, NOTE_SIGNATURE);
    note_sig_line(note_key_name(k), k->id, slice_of(value, sizeof value), out);
}

int cosignature_verify(const struct note_key *k, struct slice text, struct slice value,
                       uint64_t *time_s)
{
    if (value.n != TIME + NOTE_SIGNATURE)
        return ERR_INVALID_SIGNATURE_VALUE;
    uint64_t t = get_be64(value.p);
    if (t == 0 || t > INT64_MAX)
        return ERR_INVALID_SIGNATURE_VALUE;
    struct buf message;
    buf_init(&message, NOTE_MAX + 64);
    cosignature_message(t, text, &message);
    int rc =
        message.failed ? ERR_NOMEM : note_verify(k, buf_view(&message), slice_from(value, TIME));
    buf_free(&message);
    if (rc == 0)
        *time_s = t;
    return rc;
}
