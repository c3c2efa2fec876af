/* Digests against published values and against OpenSSL's own one-shot interface. */
#include "base/hex.h"
#include "crypto/digest.h"
#include "test.h"

#include <openssl/objects.h>

static void check_hex(const struct digest *d, const char *want)
{
    char text[2 * DIGEST_MAX + 1];
    hex_print(digest_slice(d), text);
    CHECK_STR(text, want);
}

TEST(abc_of_fips_180_4)
{
    static const struct {
        enum digest_alg alg;
        const char *hex;
    } cases[] = {
        {DIGEST_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {DIGEST_SHA224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
        {DIGEST_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {DIGEST_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                        "8086072ba1e7cc2358baeca134c825a7"},
        {DIGEST_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    };
    struct digest_ctx *ctx = digest_ctx_new();
    CHECK(ctx != NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct digest one, parts;
        digest_of(cases[i].alg, SLICE_LIT("abc"), &one);
        check_hex(&one, cases[i].hex);
        CHECK_INT(one.n, digest_len(cases[i].alg));
        digest_begin(ctx, cases[i].alg);
        digest_add(ctx, SLICE_LIT("thrown away by the restart"));
        digest_begin(ctx, cases[i].alg);
        digest_add(ctx, SLICE_LIT("a"));
        digest_add(ctx, SLICE_NONE);
        digest_add(ctx, SLICE_LIT("bc"));
        digest_end(ctx, &parts);
        CHECK(digest_eq(&one, &parts));
    }
    digest_ctx_free(ctx);
}

TEST(names_uris_and_openssl_agree)
{
    for (enum digest_alg a = DIGEST_SHA1; a <= DIGEST_SHA512; a++) {
        CHECK_INT(digest_from_uri(slice_str(digest_uri(a))), a);
        CHECK_INT(digest_from_name(slice_str(digest_name(a))), a);
        CHECK_INT(digest_from_nid(EVP_MD_get_type(digest_md(a))), a);
        CHECK_INT(EVP_MD_get_size(digest_md(a)), digest_len(a));
        const ASN1_OBJECT *oid = OBJ_nid2obj(EVP_MD_get_type(digest_md(a)));
        struct slice octets = slice_of(OBJ_get0_data(oid), OBJ_length(oid));
        CHECK(slice_eq(digest_oid(a), octets));
        CHECK_INT(digest_from_oid(octets), a);
    }
    CHECK_INT(digest_from_name(SLICE_LIT("sha-512")), DIGEST_SHA512);
    CHECK_INT(digest_from_name(SLICE_LIT("SHA512")), DIGEST_NONE);
    CHECK_INT(digest_from_uri(SLICE_LIT("http://www.w3.org/2001/04/xmlenc#SHA512")), DIGEST_NONE);
    CHECK_INT(digest_from_uri(SLICE_NONE), DIGEST_NONE);
    CHECK_INT(digest_from_nid(NID_md5), DIGEST_NONE);
}

TEST(worked_example_message_digest)
{
    char path[4400];
    snprintf(path, sizeof path, "%s/xroad/worked/message1.xml", VECTORS());
    size_t n;
    unsigned char *p = test_file(path, &n);
    struct digest d;
    digest_of(DIGEST_SHA512, slice_of(p, n), &d);
    free(p);
    char text[2 * DIGEST_MAX + 1];
    hex_print(digest_slice(&d), text);
    text[16] = 0;
    CHECK_STR(text, "f5cdda3d0bc0d107");
}

TEST(different_digests_differ)
{
    struct digest a, b;
    digest_of(DIGEST_SHA256, SLICE_LIT("a"), &a);
    digest_of(DIGEST_SHA256, SLICE_LIT("b"), &b);
    CHECK(!digest_eq(&a, &b));
    b = a;
    CHECK(digest_eq(&a, &b));
    b.alg = DIGEST_SHA224;
    CHECK(!digest_eq(&a, &b));
}
