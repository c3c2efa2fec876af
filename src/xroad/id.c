#include "xroad/id.h"

#include "base/err.h"
#include "wire/uri.h"

#include <string.h>

#define PARTS_MAX 6

bool id_member_eq(const struct id_client *a, const struct id_client *b)
{
    return slice_eq(a->instance, b->instance) && slice_eq(a->member_class, b->member_class) &&
           slice_eq(a->member_code, b->member_code);
}

bool id_client_eq(const struct id_client *a, const struct id_client *b)
{
    return id_member_eq(a, b) && slice_eq(a->subsystem, b->subsystem);
}

bool id_server_eq(const struct id_server *a, const struct id_server *b)
{
    return slice_eq(a->instance, b->instance) && slice_eq(a->member_class, b->member_class) &&
           slice_eq(a->member_code, b->member_code) && slice_eq(a->server_code, b->server_code);
}

/* Length of the blank character at the start, by Java's Character.isWhitespace; 0: none. */
static size_t blank_at(struct slice s)
{
    if (s.p[0] < 0x80)
        return (s.p[0] >= 9 && s.p[0] <= 13) || (s.p[0] >= 0x1C && s.p[0] <= 0x20) ? 1 : 0;
    if (s.n < 3 || (s.p[0] & 0xF0) != 0xE0)
        return 0;
    unsigned c = (unsigned)(s.p[0] & 0x0F) << 12 | (unsigned)(s.p[1] & 0x3F) << 6 | (s.p[2] & 0x3F);
    bool blank = c == 0x1680 || (c >= 0x2000 && c <= 0x200A && c != 0x2007) || c == 0x2028 ||
                 c == 0x2029 || c == 0x205F || c == 0x3000;
    return blank ? 3 : 0;
}

bool id_part_is_blank(struct slice part)
{
    while (part.n > 0) {
        size_t n = blank_at(part);
        if (n == 0)
            return false;
        part = slice_from(part, n);
    }
    return true;
}

bool id_part_is_clean(struct slice part)
{
    if (id_part_is_blank(part) || !slice_is_utf8(part))
        return false;
    if (slice_eq_str(part, ".") || slice_eq_str(part, ".."))
        return false;
    for (size_t i = 0; i < part.n; i++) {
        uint8_t c = part.p[i];
        if (c < 0x20 || c == 0x7F || strchr("%:;/\\", c) != NULL)
            return false;
        if (c == 0xC2 && part.p[i + 1] < 0xA0)
            return false;
    }
    return slice_find_slice(part, SLICE_LIT("\xE2\x80\x8B")) == SIZE_MAX &&
           slice_find_slice(part, SLICE_LIT("\xEF\xBB\xBF")) == SIZE_MAX;
}

/* --- text --- */

int id_part_parse(struct arena *a, struct slice text, struct slice *out, struct diag *d)
{
    struct buf b;
    buf_init(&b, text.n + 1);
    int err = uri_segment_decode(text, &b);
    *out = arena_dup(a, buf_view(&b));
    buf_free(&b);
    if (err != 0)
        return diag_set(d, ERR_INVALID_ENCODED_ID,
                        "\"%.*s\" is no percent-encoded identifier: all but letters, digits and "
                        "-._~!$&'()*+,;=:@ must be encoded, as UTF-8",
                        SLICE_ARG(slice_sub(text, 0, 80)));
    return out->p == NULL ? diag_set(d, ERR_NOMEM, "no memory for an identifier") : 0;
}

/* Cuts at "/" into at most PARTS_MAX pieces; the number of pieces, PARTS_MAX + 1 for more. */
static size_t cut(struct slice text, struct slice part[PARTS_MAX])
{
    size_t n = 0;
    if (text.p == NULL)
        text = SLICE_LIT("");
    struct slice piece;
    while (slice_next(&text, '/', &piece)) {
        if (n == PARTS_MAX)
            return PARTS_MAX + 1;
        part[n++] = piece;
    }
    return n;
}

/* The decoded segments of an encoded id of `min` to `max` segments. */
static int parse(struct arena *a, struct slice text, size_t min, size_t max, const char *what,
                 struct slice part[PARTS_MAX], struct diag *d)
{
    size_t n = cut(text, part);
    if (n < min || n > max) {
        if (min == max)
            return diag_set(d, ERR_INTERNAL, "a %s identifier has %zu segments, not %zu", what, min,
                            n);
        return diag_set(d, ERR_INTERNAL, "a %s identifier has %zu or %zu segments, not %zu", what,
                        min, max, n);
    }
    for (size_t i = 0; i < n; i++) {
        int err = id_part_parse(a, part[i], &part[i], d);
        if (err != 0)
            return err;
        if (id_part_is_blank(part[i]))
            return diag_set(d, ERR_INTERNAL, "segment %zu of a %s identifier is blank", i + 1,
                            what);
    }
    for (size_t i = n; i < PARTS_MAX; i++)
        part[i] = SLICE_NONE;
    return 0;
}

int id_client_parse(struct arena *a, struct slice text, struct id_client *out, struct diag *d)
{
    struct slice part[PARTS_MAX];
    int err = parse(a, text, 3, 4, "client", part, d);
    if (err != 0)
        return err;
    *out = (struct id_client){part[0], part[1], part[2], part[3]};
    return 0;
}

int id_service_parse(struct arena *a, struct slice text, struct id_service *out, struct diag *d)
{
    struct slice part[PARTS_MAX];
    int err = parse(a, text, 5, 5, "service", part, d);
    if (err != 0)
        return err;
    *out = (struct id_service){{part[0], part[1], part[2], part[3]}, part[4], SLICE_NONE};
    return 0;
}

int id_server_parse(struct arena *a, struct slice text, struct id_server *out, struct diag *d)
{
    struct slice part[PARTS_MAX];
    int err = parse(a, text, 4, 4, "security server", part, d);
    if (err != 0)
        return err;
    *out = (struct id_server){part[0], part[1], part[2], part[3]};
    return 0;
}

typedef void put_part(struct buf *b, struct slice part);

/* Joins the parts that are not empty by "/". */
static void join(struct buf *b, put_part *put, const struct slice *part, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (part[i].n == 0)
            continue;
        if (i > 0)
            buf_byte(b, '/');
        put(b, part[i]);
    }
}

static void put_encoded(struct buf *b, struct slice part)
{
    uri_segment_encode(part, b);
}

static void join_client(struct buf *b, put_part *put, const struct id_client *id)
{
    struct slice part[] = {id->instance, id->member_class, id->member_code, id->subsystem};
    join(b, put, part, ARRAY_LEN(part));
}

static void join_service(struct buf *b, put_part *put, const struct id_service *id)
{
    struct slice part[] = {id->provider.instance,
                           id->provider.member_class,
                           id->provider.member_code,
                           id->provider.subsystem,
                           id->code,
                           id->version};
    join(b, put, part, ARRAY_LEN(part));
}

static void join_server(struct buf *b, put_part *put, const struct id_server *id)
{
    struct slice part[] = {id->instance, id->member_class, id->member_code, id->server_code};
    join(b, put, part, ARRAY_LEN(part));
}

void id_client_encode(struct buf *b, const struct id_client *id)
{
    join_client(b, put_encoded, id);
}

void id_service_encode(struct buf *b, const struct id_service *id)
{
    join_service(b, put_encoded, id);
}

void id_client_short(struct buf *b, const struct id_client *id)
{
    join_client(b, buf_slice, id);
}

void id_service_short(struct buf *b, const struct id_service *id)
{
    join_service(b, buf_slice, id);
}

void id_server_short(struct buf *b, const struct id_server *id)
{
    join_server(b, buf_slice, id);
}

static int from_short(struct slice text, size_t min, size_t max, struct slice part[PARTS_MAX])
{
    size_t n = cut(text, part);
    if (n < min || n > max)
        return ERR_SYNTAX;
    for (size_t i = 0; i < n; i++)
        if (id_part_is_blank(part[i]))
            return ERR_SYNTAX;
    for (size_t i = n; i < PARTS_MAX; i++)
        part[i] = SLICE_NONE;
    return 0;
}

int id_client_from_short(struct slice text, struct id_client *out)
{
    struct slice part[PARTS_MAX];
    int err = from_short(text, 3, 4, part);
    if (err != 0)
        return err;
    *out = (struct id_client){part[0], part[1], part[2], part[3]};
    return 0;
}

int id_service_from_short(struct slice text, struct id_service *out)
{
    struct slice part[PARTS_MAX];
    int err = from_short(text, 5, 6, part);
    if (err != 0)
        return err;
    *out = (struct id_service){{part[0], part[1], part[2], part[3]}, part[4], part[5]};
    return 0;
}

int id_server_from_short(struct slice text, struct id_server *out)
{
    struct slice part[PARTS_MAX];
    int err = from_short(text, 4, 4, part);
    if (err != 0)
        return err;
    *out = (struct id_server){part[0], part[1], part[2], part[3]};
    return 0;
}

/* --- XML --- */

enum {
    MUST,
    MAY,
};

struct field {
    const char *name;
    int card;
    struct slice *to;
};

static int xml_error(const struct xml_node *e, struct diag *d, const char *text)
{
    diag_set(d, ERR_INVALID_XML, "%s", text);
    diag_where(d, "%.*s", SLICE_ARG(e->local));
    return ERR_INVALID_XML;
}

/* Reads exactly the fields of the table, in its order. */
static int read_fields(struct arena *a, const struct xml_node *e, const struct field *f, size_t n,
                       struct diag *d)
{
    const struct xml_node *child = xml_first_element(e);
    for (size_t i = 0; i < n; i++) {
        *f[i].to = SLICE_NONE;
        if (child == NULL || !xml_is(child, ID_NS, f[i].name)) {
            if (f[i].card == MAY)
                continue;
            diag_set(d, ERR_INVALID_XML, "an identifier lacks %s, or has it in the wrong place",
                     f[i].name);
            diag_where(d, "%.*s", SLICE_ARG(e->local));
            return ERR_INVALID_XML;
        }
        *f[i].to = xml_text(a, child);
        if (id_part_is_blank(*f[i].to))
            return xml_error(child, d, "a field of an identifier is blank");
        child = xml_next_element(child);
    }
    if (child != NULL)
        return xml_error(child, d, "an identifier has a field that is not of its type");
    return 0;
}

int id_client_from_xml(struct arena *a, const struct xml_node *e, struct id_client *out,
                       struct diag *d)
{
    struct field f[] = {
        {"xRoadInstance", MUST, &out->instance},
        {"memberClass", MUST, &out->member_class},
        {"memberCode", MUST, &out->member_code},
        {"subsystemCode", MUST, &out->subsystem},
    };
    out->subsystem = SLICE_NONE;
    struct slice type = xml_attr(e, ID_NS, "objectType");
    if (slice_eq_str(type, "MEMBER"))
        return read_fields(a, e, f, 3, d);
    if (slice_eq_str(type, "SUBSYSTEM"))
        return read_fields(a, e, f, 4, d);
    return xml_error(e, d, "objectType of a client must be MEMBER or SUBSYSTEM");
}

int id_service_from_xml(struct arena *a, const struct xml_node *e, struct id_service *out,
                        struct diag *d)
{
    const struct field f[] = {
        {"xRoadInstance", MUST, &out->provider.instance},
        {"memberClass", MUST, &out->provider.member_class},
        {"memberCode", MUST, &out->provider.member_code},
        {"subsystemCode", MAY, &out->provider.subsystem},
        {"serviceCode", MUST, &out->code},
        {"serviceVersion", MAY, &out->version},
    };
    if (!slice_eq_str(xml_attr(e, ID_NS, "objectType"), "SERVICE"))
        return xml_error(e, d, "objectType of a service must be SERVICE");
    return read_fields(a, e, f, ARRAY_LEN(f), d);
}

int id_server_from_xml(struct arena *a, const struct xml_node *e, struct id_server *out,
                       struct diag *d)
{
    const struct field f[] = {
        {"xRoadInstance", MUST, &out->instance},
        {"memberClass", MUST, &out->member_class},
        {"memberCode", MUST, &out->member_code},
        {"serverCode", MUST, &out->server_code},
    };
    if (!slice_eq_str(xml_attr(e, ID_NS, "objectType"), "SERVER"))
        return xml_error(e, d, "objectType of a security server must be SERVER");
    return read_fields(a, e, f, ARRAY_LEN(f), d);
}
