/*
 * The message between security servers (transport.md 4, 5): multipart encoder and the decoder's
 * state machine for REST (SOAP parts are recognised and refused until they are supported). Pure and
 * streaming: bodies are never held.
 */
#ifndef SILD_XROAD_MESSAGE_H
#define SILD_XROAD_MESSAGE_H

#include "base/buf.h"
#include "base/diag.h"
#include "wire/mime.h"

#define MESSAGE_OCSP_MAX 8
#define MESSAGE_OCSP_BYTES (32u << 10)
#define MESSAGE_PART_MAX (64u << 10) /* REST head part */
#define MESSAGE_SIGNATURE_MAX (256u << 10)
#define MESSAGE_CHAIN_MAX (64u << 10)
#define MESSAGE_BOUNDARY 35 /* "xtop", 30 letters, zero */

/* Makes "xtop" and 30 ASCII letters of 30 random bytes. */
void message_boundary(const uint8_t random[30], char out[MESSAGE_BOUNDARY]);

/* Encoder: appends to out. The first part has no line break before its delimiter. */
struct message_writer {
    char boundary[MESSAGE_BOUNDARY];
    bool begun;
};
void message_part_begin(struct message_writer *w, const char *content_type, struct buf *out);
void message_part(struct message_writer *w, const char *content_type, struct slice body,
                  struct buf *out);
void message_finish(struct message_writer *w, struct buf *out); /* closing delimiter */

enum message_event {
    MESSAGE_MORE, /* input consumed */
    MESSAGE_OCSP, /* a whole OCSP part: in ->piece */
    MESSAGE_HEAD, /* the whole REST head part: in ->piece */
    MESSAGE_BODY, /* the body part: a piece (may be empty at its begin) */
    MESSAGE_BODY_END,
    MESSAGE_CHAIN_RESULT,
    MESSAGE_CHAIN,
    MESSAGE_SIGNATURE, /* the whole signature document */
    MESSAGE_FAULT,     /* a SOAP fault instead of message or signature: the XML in ->piece */
    MESSAGE_END,       /* closing delimiter read after signature or fault */
};

struct message_reader;
/* response: REST response parts are expected, else request parts. content_type: HTTP header value.
 * ERR_INVALID_CONTENT_TYPE. */
int message_reader_new(struct slice content_type, bool response, struct message_reader **out,
                       struct diag *d) MUST_USE;
void message_reader_free(struct message_reader *r);
/*
 * Consumes *in up to the next event. Pieces are borrowed until the next call. Order, doubles,
 * maxima, unknown types are checked here: ERR_INVALID_CONTENT_TYPE, ERR_INVALID_MESSAGE,
 * ERR_MISSING_REST, ERR_MISSING_SIGNATURE, ERR_MIME_PARSING, ERR_TOO_LARGE; of what should be a
 * fault and cannot be read ERR_INVALID_SOAP and ERR_MISSING_BODY.
 */
int message_read(struct message_reader *r, struct slice *in, enum message_event *event,
                 struct slice *piece, struct diag *d) MUST_USE;
/* Between a part's head and the delimiter after it? */
bool message_reader_inside(const struct message_reader *r);
/* The connection ended: 0 only after MESSAGE_END, else says what is missing. */
int message_reader_eof(const struct message_reader *r, struct diag *d) MUST_USE;

#endif
