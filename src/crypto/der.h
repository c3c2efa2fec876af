/*
 * DER (X.690), the little of it that this project writes by itself: certificates, OCSP responses,
 * time-stamps, digest lists. Writing appends to a buf, whose `failed` is the sticky error; reading
 * takes elements off the front of a slice.
 */
#ifndef SILD_CRYPTO_DER_H
#define SILD_CRYPTO_DER_H

#include "base/attr.h"
#include "base/buf.h"

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8 = 0x0c,
    DER_PRINTABLE = 0x13,
    DER_IA5 = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};
#define DER_CONTEXT(n) (0x80 | (n)) /* [n] IMPLICIT of a primitive type */
#define DER_CONTEXT_CONSTRUCTED(n)                                                                 \
    (0xa0 | (n)) /* [n] EXPLICIT, or IMPLICIT of a constructed one                                 \
                  */

/* Begins an element; what is appended until der_close is its content. Elements nest. */
size_t der_open(struct buf *b, uint8_t tag) MUST_USE;
void der_close(struct buf *b, size_t at);
/* A whole element. */
void der_put(struct buf *b, uint8_t tag, struct slice content);

void der_uint(struct buf *b, uint64_t v);
/* INTEGER from big-endian octets of a number that is not negative; nothing at all is 0. */
void der_unsigned(struct buf *b, struct slice big_endian);
void der_true(struct buf *b);
/* "1.2.840.113549"; text that is no such name sets b->failed. */
void der_oid(struct buf *b, const char *dotted);
/* Without fraction, in seconds; X.509's choice of type: UTCTime from 1950 to 2049. */
void der_time(struct buf *b, int64_t ms);
/* GeneralizedTime, without fraction. */
void der_generalized(struct buf *b, int64_t ms);
/* BIT STRING of whole octets. */
void der_bits(struct buf *b, struct slice octets);
/* AlgorithmIdentifier of a name (its content octets); `null`: with NULL parameters, else without
 * any. */
void der_algorithm(struct buf *b, struct slice oid, bool null);

/*
 * Takes the next element off *in, when it has this tag (one octet) and a definite length that fits;
 * *in stays as it is otherwise. content (may be NULL) gets its content, whole (may be NULL) all of
 * it.
 */
bool der_next(struct slice *in, uint8_t tag, struct slice *content, struct slice *whole);
/* Takes the next element, whatever its tag. */
bool der_any(struct slice *in, uint8_t *tag, struct slice *content, struct slice *whole);

/* The same, also when its length is indefinite (BER); whole runs to the end of its end marker. */
bool der_any_ber(struct slice *in, struct slice *whole);
/*
 * Appends the one element that `ber` is, with lengths definite and shortest, and octet strings in
 * one piece: older programs write CMS in BER. False when it is not well-formed, or deeper than
 * anything that is in use.
 */
bool der_from_ber(struct slice ber, struct buf *out);

#endif
