#include "xroad/message.h"

#include "base/err.h"
#include "xroad/fault.h"

#include <stdlib.h>
#include <string.h>

/* --- encoder --- */

void message_boundary(const uint8_t random[30], char out[MESSAGE_BOUNDARY])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    memcpy(out, "xtop", 4);
    for (size_t i = 0; i < 30; i++)
        out[4 + i] = letters[random[i] % (sizeof letters - 1)];
    out[34] = 0;
}

void message_part_begin(struct message_writer *w, const char *content_type, struct buf *out)
{
    mime_begin_part(out, slice_str(w->boundary), !w->begun, content_type);
    w->begun = true;
}

void message_part(struct message_writer *w, const char *content_type, struct slice body,
                  struct buf *out)
{
    message_part_begin(w, content_type, out);
    buf_slice(out, body);
}

void message_finish(struct message_writer *w, struct buf *out)
{
    mime_end(out, slice_str(w->boundary));
}

/* --- decoder --- */

enum kind {
    KIND_OTHER,
    KIND_OCSP,
    KIND_REQUEST,
    KIND_RESPONSE,
    KIND_BODY,
    KIND_RESULT,
    KIND_CHAIN,
    KIND_SIGNATURE,
    KIND_SOAP,
};

/* Media types of parts (transport.md 5.2), what each part may hold, and the event it gives. */
static const struct part_type {
    const char *name;
    enum kind kind;
    size_t max; /* 0: passed on in pieces */
    enum message_event event;
} part_types[] = {
    {"application/ocsp-response", KIND_OCSP, MESSAGE_OCSP_BYTES, MESSAGE_OCSP},
    {"application/x-road-rest-request", KIND_REQUEST, MESSAGE_PART_MAX, MESSAGE_HEAD},
    {"application/x-road-rest-response", KIND_RESPONSE, MESSAGE_PART_MAX, MESSAGE_HEAD},
    {"application/x-road-rest-body", KIND_BODY, 0, MESSAGE_BODY},
    {"application/hash-chain-result", KIND_RESULT, MESSAGE_CHAIN_MAX, MESSAGE_CHAIN_RESULT},
    {"application/hash-chain", KIND_CHAIN, MESSAGE_CHAIN_MAX, MESSAGE_CHAIN},
    {"signature/bdoc-1.0/ts", KIND_SIGNATURE, MESSAGE_SIGNATURE_MAX, MESSAGE_SIGNATURE},
    {"text/xml", KIND_SOAP, MESSAGE_PART_MAX, MESSAGE_FAULT},
    {"application/xop+xml", KIND_SOAP, MESSAGE_PART_MAX, MESSAGE_FAULT},
};

/* What may come next. Each state lets pass what its successors let pass, but for a chain, which
 * must follow its result. */
enum state {
    AT_HEAD, /* or at the OCSP responses before it */
    AT_BODY,
    AT_RESULT,
    AT_CHAIN,
    AT_SIGNATURE,
    AT_END,
    AFTER_FAULT, /* nothing that follows a fault counts */
    CLOSED,
};

struct message_reader {
    struct mime_reader *mime;
    struct buf part; /* the part being gathered */
    const struct part_type *type;
    enum state state;
    bool response, inside;
    size_t ocsp;
};

int message_reader_new(struct slice content_type, bool response, struct message_reader **out,
                       struct diag *d)
{
    struct mime_type type;
    *out = NULL;
    if (mime_type_parse(content_type, &type) != 0 || !slice_ieq_str(type.base, "multipart/mixed"))
        return diag_set(d, ERR_INVALID_CONTENT_TYPE, "Invalid content type: %.*s",
                        SLICE_ARG(slice_sub(content_type, 0, 100)));
    if (type.boundary.n == 0 || type.boundary.n > MIME_BOUNDARY_MAX)
        return diag_set(d, ERR_INVALID_CONTENT_TYPE,
                        "Multipart content type is missing required boundary");
    struct message_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a message");
    buf_init(&r->part, MESSAGE_SIGNATURE_MAX);
    r->response = response;
    r->mime = mime_reader_new(type.boundary);
    if (r->mime == NULL) {
        free(r);
        return diag_set(d, ERR_INVALID_CONTENT_TYPE, "Invalid boundary in the content type");
    }
    *out = r;
    return 0;
}

void message_reader_free(struct message_reader *r)
{
    if (r == NULL)
        return;
    mime_reader_free(r->mime);
    buf_free(&r->part);
    free(r);
}

static const struct part_type *type_of(const struct message_reader *r, struct slice *name)
{
    struct mime_type type;
    *name = SLICE_LIT("text/plain");
    struct slice value = mime_header(r->mime, "content-type");
    if (value.p == NULL || mime_type_parse(value, &type) != 0)
        return NULL;
    *name = slice_sub(type.base, 0, 100);
    for (size_t i = 0; i < ARRAY_LEN(part_types); i++)
        if (slice_ieq_str(type.base, part_types[i].name))
            return &part_types[i];
    return NULL;
}

/* A part where OCSP responses or the message are expected. */
static int enter_message(struct message_reader *r, enum kind kind, struct slice name,
                         struct diag *d)
{
    if (kind == KIND_OCSP && !r->response) {
        if (++r->ocsp > MESSAGE_OCSP_MAX)
            return diag_set(d, ERR_TOO_LARGE, "a message has more than %d OCSP responses",
                            MESSAGE_OCSP_MAX);
        return 0;
    }
    if (kind == (r->response ? KIND_RESPONSE : KIND_REQUEST)) {
        r->state = AT_BODY;
        return 0;
    }
    if (kind == KIND_SOAP)
        return 0;
    return diag_set(d, ERR_INVALID_CONTENT_TYPE, "Invalid content type for REST message: %.*s",
                    SLICE_ARG(name));
}

/* A part after the message. */
static int enter_tail(struct message_reader *r, enum kind kind, struct slice name, struct diag *d)
{
    if (kind == KIND_BODY && r->state == AT_BODY) {
        r->state = AT_RESULT;
        return 0;
    }
    if (kind == KIND_RESULT && r->state <= AT_RESULT) {
        r->state = AT_CHAIN;
        return 0;
    }
    if (kind == KIND_CHAIN && r->state == AT_CHAIN) {
        r->state = AT_SIGNATURE;
        return 0;
    }
    if (kind == KIND_SIGNATURE && r->state != AT_CHAIN) {
        r->state = AT_END;
        return 0;
    }
    if (kind == KIND_SOAP)
        return 0;
    if (r->state == AT_CHAIN)
        return diag_set(d, ERR_INVALID_CONTENT_TYPE,
                        "Received %.*s after a hash chain result, where its hash chain must stand",
                        SLICE_ARG(name));
    return diag_set(d, ERR_INVALID_CONTENT_TYPE,
                    "Received invalid content type instead of signature: %.*s", SLICE_ARG(name));
}

static int enter_part(struct message_reader *r, struct diag *d)
{
    struct slice name;
    r->type = type_of(r, &name);
    enum kind kind = r->type == NULL ? KIND_OTHER : r->type->kind;
    buf_reset(&r->part);
    if (r->state == AFTER_FAULT)
        return 0;
    if (r->state == AT_END)
        return diag_set(d, ERR_INVALID_MESSAGE, "Extra content (%.*s) after signature",
                        SLICE_ARG(name));
    return r->state == AT_HEAD ? enter_message(r, kind, name, d) : enter_tail(r, kind, name, d);
}

/* A SOAP part must be a fault, in either place. */
static int classify_soap(struct message_reader *r, struct diag *d)
{
    struct fault f;
    struct arena *a = arena_new(16 * MESSAGE_PART_MAX);
    if (a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a fault");
    int err = fault_from_soap(a, buf_view(&r->part), &f, d);
    arena_free(a);
    if (err == 0) {
        r->state = AFTER_FAULT;
        return 0;
    }
    if (err != ERR_INVALID_MESSAGE)
        return err;
    if (r->state != AT_HEAD)
        return diag_set(d, ERR_INVALID_CONTENT_TYPE,
                        "Received invalid content type instead of signature: text/xml");
    return diag_set(d, ERR_MISSING_REST, "a SOAP message came where a REST message is expected");
}

static int gather(struct message_reader *r, struct slice data, struct diag *d)
{
    size_t max = r->type->max;
    if (data.n > max - r->part.n)
        return diag_set(d, ERR_TOO_LARGE, "a part of type %s is longer than %zu bytes",
                        r->type->name, max);
    buf_slice(&r->part, data);
    return r->part.failed ? diag_set(d, ERR_NOMEM, "no memory for a part of a message") : 0;
}

static int closing(struct message_reader *r, struct diag *d)
{
    enum state was = r->state;
    if (was == AT_END || was == AFTER_FAULT) {
        r->state = CLOSED;
        return 0;
    }
    if (was == AT_HEAD)
        return diag_set(d, ERR_MISSING_REST, "REST message is missing");
    return diag_set(d, ERR_MISSING_SIGNATURE, "Signature is missing");
}

/* One event of the MIME reader; *event stays MESSAGE_MORE when the caller has nothing to learn. */
static int step(struct message_reader *r, enum mime_event what, struct slice data,
                enum message_event *event, struct slice *piece, struct diag *d)
{
    bool body = r->type != NULL && r->type->max == 0, skip = r->state == AFTER_FAULT;
    int err = 0;
    switch (what) {
    case MIME_PART:
        r->inside = true;
        err = enter_part(r, d);
        if (err == 0 && !skip && r->type->kind == KIND_BODY)
            *event = MESSAGE_BODY;
        return err;
    case MIME_DATA:
        if (skip)
            return 0;
        if (!body)
            return gather(r, data, d);
        *event = MESSAGE_BODY;
        *piece = data;
        return 0;
    case MIME_PART_END:
        r->inside = false;
        if (skip)
            return 0;
        if (r->type->kind == KIND_SOAP)
            err = classify_soap(r, d);
        *event = body ? MESSAGE_BODY_END : r->type->event;
        *piece = body ? SLICE_NONE : buf_view(&r->part);
        return err;
    case MIME_END:
        err = closing(r, d);
        *event = MESSAGE_END;
        return err;
    case MIME_MORE:
        break;
    }
    return 0;
}

int message_read(struct message_reader *r, struct slice *in, enum message_event *event,
                 struct slice *piece, struct diag *d)
{
    *event = MESSAGE_MORE;
    *piece = SLICE_NONE;
    if (r->state == CLOSED) {
        *in = slice_from(*in, in->n);
        return 0;
    }
    while (*event == MESSAGE_MORE) {
        enum mime_event what;
        struct slice data;
        int err = mime_read(r->mime, in, &what, &data, d);
        if (err != 0)
            return err;
        if (what == MIME_MORE)
            return 0;
        err = step(r, what, data, event, piece, d);
        if (err != 0)
            return err;
    }
    return 0;
}

bool message_reader_inside(const struct message_reader *r)
{
    return r->inside;
}

int message_reader_eof(const struct message_reader *r, struct diag *d)
{
    switch (r->state) {
    case CLOSED:
        return 0;
    case AT_HEAD:
        return diag_set(d, ERR_MISSING_REST, "the message ends before its REST part");
    case AT_END:
    case AFTER_FAULT:
        return diag_set(d, ERR_MIME_PARSING, "the message ends before its closing delimiter");
    default:
        return diag_set(d, ERR_MISSING_SIGNATURE, "the message ends before its signature");
    }
}
