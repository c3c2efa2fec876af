/* DER against OpenSSL's encoders. */
#include "crypto/der.h"
#include "test.h"

#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

static void check_bytes(const struct buf *got, const void *want, size_t n)
{
    CHECK(!got->failed);
    CHECK_INT(got->n, n);
    CHECK(memcmp(got->p, want, n) == 0);
}

TEST(names_as_openssl_writes_them)
{
    static const char *const oids[] = {"2.5.29.15",
                                       "1.3.6.1.5.5.7.48.1.5",
                                       "0.9.2342.19200300.100.1.25",
                                       "2.999.3",
                                       "1.2.840.113549.1.9.16.1.4",
                                       "1.39",
                                       "2.16.840.1.101.3.4.2.3"};
    for (size_t i = 0; i < ARRAY_LEN(oids); i++) {
        struct buf b;
        buf_init(&b, 100);
        der_oid(&b, oids[i]);
        unsigned char *want = NULL;
        ASN1_OBJECT *o = OBJ_txt2obj(oids[i], 1);
        int n = i2d_ASN1_OBJECT(o, &want);
        check_bytes(&b, want, (size_t)n);
        OPENSSL_free(want);
        ASN1_OBJECT_free(o);
        buf_free(&b);
    }
    static const char *const bad[] = {"", "1", "3.1", "1.40", "1..2", "1.a", "1.2."};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf b;
        buf_init(&b, 100);
        der_oid(&b, bad[i]);
        if (!b.failed)
            FAIL("took \"%s\" for a name", bad[i]);
        buf_free(&b);
    }
}

TEST(integers_as_openssl_writes_them)
{
    static const uint64_t v[] = {0, 1, 127, 128, 255, 256, 0x7fff, 0x8000, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        struct buf b;
        buf_init(&b, 100);
        der_uint(&b, v[i]);
        ASN1_INTEGER *a = ASN1_INTEGER_new();
        CHECK(ASN1_INTEGER_set_uint64(a, v[i]) == 1);
        unsigned char *want = NULL;
        int n = i2d_ASN1_INTEGER(a, &want);
        check_bytes(&b, want, (size_t)n);
        OPENSSL_free(want);
        ASN1_INTEGER_free(a);
        buf_free(&b);
    }
}

TEST(times_as_openssl_writes_them)
{
    static const int64_t s[] = {0, 1767607500, 2524607999, 2524608000, -631152000, -631152001};
    for (size_t i = 0; i < ARRAY_LEN(s); i++) {
        struct buf b;
        buf_init(&b, 100);
        der_time(&b, s[i] * 1000 + 999);
        ASN1_TIME *t = X509_time_adj_ex(NULL, (int)(s[i] / 86400), s[i] % 86400, &(time_t){0});
        unsigned char *want = NULL;
        int n = i2d_ASN1_TIME(t, &want);
        check_bytes(&b, want, (size_t)n);
        OPENSSL_free(want);
        ASN1_TIME_free(t);
        buf_free(&b);
    }
}

TEST(lengths_at_their_borders)
{
    static const size_t sizes[] = {0, 1, 127, 128, 255, 256, 65535, 65536};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint8_t *content = calloc(1, sizes[i] + 1);
        memset(content, 'x', sizes[i]);
        struct buf b;
        buf_init(&b, 70000);
        size_t at = der_open(&b, DER_SEQUENCE);
        der_put(&b, DER_OCTET_STRING, slice_of(content, sizes[i]));
        der_close(&b, at);
        const uint8_t *p = b.p;
        long len;
        int tag, xclass;
        CHECK_INT(ASN1_get_object(&p, &len, &tag, &xclass, (long)b.n), V_ASN1_CONSTRUCTED);
        CHECK_INT(tag, V_ASN1_SEQUENCE);
        ASN1_OCTET_STRING *o = d2i_ASN1_OCTET_STRING(NULL, &p, len);
        CHECK(o != NULL && (size_t)ASN1_STRING_length(o) == sizes[i]);
        CHECK(p == b.p + b.n);
        ASN1_OCTET_STRING_free(o);
        struct slice in = buf_view(&b), inner, got;
        CHECK(!der_next(&in, DER_SET, NULL, NULL));
        CHECK(der_next(&in, DER_SEQUENCE, &inner, NULL) && in.n == 0);
        CHECK(der_next(&inner, DER_OCTET_STRING, &got, NULL) && inner.n == 0);
        CHECK(slice_eq(got, slice_of(content, sizes[i])));
        buf_free(&b);
        free(content);
    }
}

TEST(cut_short_at_any_octet)
{
    static const uint8_t whole[] = {0x30, 0x82, 0x00, 0x03, 0x02, 0x01, 0x05};
    for (size_t n = 0; n < sizeof whole; n++) {
        uint8_t *copy = malloc(n + 1); /* exact, so that the sanitizer sees a read past it */
        memcpy(copy, whole, n);
        struct slice in = slice_of(copy, n);
        CHECK(!der_next(&in, DER_SEQUENCE, NULL, NULL));
        CHECK_INT(in.n, n);
        free(copy);
    }
    struct slice indefinite = SLICE_LIT("\x30\x80\x00\x00");
    CHECK(!der_next(&indefinite, DER_SEQUENCE, NULL, NULL));
    struct slice huge = SLICE_LIT("\x30\x85\x01\x00\x00\x00\x00");
    CHECK(!der_next(&huge, DER_SEQUENCE, NULL, NULL));
}

TEST(a_full_buffer_fails_once_and_stays_so)
{
    struct buf b;
    buf_init(&b, 10);
    size_t at = der_open(&b, DER_SEQUENCE);
    der_put(&b, DER_OCTET_STRING, SLICE_LIT("0123456"));
    der_close(&b, at);
    CHECK(b.failed);
    buf_free(&b);
}

TEST(ber_becomes_der)
{
    /* SEQUENCE { [0] { OCTET STRING "ab" + ("c" + "") }, INTEGER 5 with a long length } */
    static const uint8_t ber[] = {0x30, 0x80, 0xa0, 0x80, 0x24, 0x80, 0x04, 0x02, 'a',  'b',
                                  0x24, 0x05, 0x04, 0x01, 'c',  0x04, 0x00, 0x00, 0x00, 0x00,
                                  0x00, 0x02, 0x82, 0x00, 0x01, 0x05, 0x00, 0x00};
    static const uint8_t der[] = {0x30, 0x0a, 0xa0, 0x05, 0x04, 0x03,
                                  'a',  'b',  'c',  0x02, 0x01, 0x05};
    struct buf b;
    buf_init(&b, 100);
    CHECK(der_from_ber(slice_of(ber, sizeof ber), &b));
    check_bytes(&b, der, sizeof der);
    buf_reset(&b);
    CHECK(der_from_ber(slice_of(der, sizeof der), &b));
    check_bytes(&b, der, sizeof der);
    for (size_t n = 0; n < sizeof ber; n++) {
        uint8_t *cut = malloc(n + 1);
        memcpy(cut, ber, n);
        struct slice in = slice_of(cut, n), whole;
        CHECK(!der_any_ber(&in, &whole));
        buf_reset(&b);
        CHECK(!der_from_ber(slice_of(cut, n), &b));
        free(cut);
    }
    uint8_t two[sizeof ber + 2] = {0};
    memcpy(two, ber, sizeof ber);
    memcpy(two + sizeof ber, "\x05", 1);
    struct slice in = slice_of(two, sizeof two), whole;
    CHECK(der_any_ber(&in, &whole) && whole.n == sizeof ber && in.n == 2);
    CHECK(!der_from_ber(slice_of(two, sizeof two), &b));
    buf_free(&b);
}

TEST(depth_has_a_limit)
{
    uint8_t deep[4000];
    for (size_t i = 0; i < sizeof deep; i += 2)
        memcpy(deep + i, "\x30\x80", 2);
    struct buf b;
    buf_init(&b, 10000);
    struct slice in = slice_of(deep, sizeof deep), whole;
    CHECK(!der_any_ber(&in, &whole));
    CHECK(!der_from_ber(slice_of(deep, sizeof deep), &b));
    buf_free(&b);
}
