/* JSON (RFC 8259): a streaming writer, and reading through jansson with limits. */
#ifndef SILD_WIRE_JSON_H
#define SILD_WIRE_JSON_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"

#include <jansson.h>

/* Writer: keeps track of commas; no white space. */
struct json_out {
    struct buf *b;
    bool comma; /* a value stands before, at this level */
};
void json_begin(struct json_out *j, struct buf *b);
void json_open(struct json_out *j, char bracket);  /* '{' or '[' */
void json_close(struct json_out *j, char bracket); /* '}' or ']' */
void json_key(struct json_out *j, const char *key);
void json_str(struct json_out *j, struct slice text); /* not UTF-8: bytes are replaced by U+FFFD */
void json_num(struct json_out *j, int64_t n);
void json_decimal(struct json_out *j, double x, int decimals); /* not finite: null */
void json_bool(struct json_out *j, bool v);
void json_none(struct json_out *j); /* null; json_null and json_real are jansson's */
/* Shorthand: key and text / number. */
void json_kstr(struct json_out *j, const char *key, const char *text);
void json_kslice(struct json_out *j, const char *key, struct slice text);
void json_knum(struct json_out *j, const char *key, int64_t n);
/* Already written JSON as a value. */
void json_raw(struct json_out *j, struct slice json);

#define JSON_DEPTH_MAX 32

/*
 * Reader: an object or array, doubled keys refused, depth at most 32, size at most max. NULL with d
 * filled (ERR_SYNTAX, ERR_TOO_LARGE); json_decref it.
 */
json_t *json_parse(struct slice text, size_t max, struct diag *d) MUST_USE;

#endif
