/* Signed directories: those of a Central Server, in other spellings, damaged, and our own. */
#include "base/base64.h"
#include "base/err.h"
#include "crypto/cert.h"
#include "test.h"
#include "xroad/directory.h"
#include "xroad/params.h"

#include <unistd.h>

#define V4 "signed-globalconf/V4/20240529203822880997000/"
#define V6 "signed-globalconf/V6/20251110170000548026000/"

static struct arena *arena;
static struct diag why;
static struct directory dir;
static struct params_shared shared;
static struct params_list certs;

static void fresh(void)
{
    if (arena == NULL)
        arena = arena_new(64u << 20);
    arena_reset(arena);
    memset(&why, 0, sizeof why);
}

static struct slice vector(const char *name)
{
    char path[5000];
    size_t n;
    snprintf(path, sizeof path, "%s/xroad/%s", VECTORS(), name);
    unsigned char *bytes = test_file(path, &n);
    struct slice s = arena_dup(arena, slice_of(bytes, n));
    free(bytes);
    return s;
}

/* Internal certificates come first in `certs`, as the shared parameters give them. */
static void load_certs(const char *params, int version, bool external)
{
    CHECK_INT(params_shared_parse(arena, vector(params), version, &shared, &why), 0);
    certs = external ? shared.sources[0].external_certs : shared.sources[0].internal_certs;
}

static int verify(struct slice body, int64_t now_ms)
{
    return directory_verify(arena, body, certs.v, certs.n, SLICE_LIT("DEV"), now_ms, &dir, &why);
}

static const struct directory_part *part(const char *identifier)
{
    for (size_t i = 0; i < dir.n; i++)
        if (slice_eq_str(dir.part[i].identifier, identifier))
            return &dir.part[i];
    FAIL("no part %s", identifier);
    return NULL;
}

TEST(v4_internal)
{
    fresh();
    load_certs(V4 "shared-params.xml", 4, false);
    CHECK_INT(verify(vector("signed-globalconf/V4/internalconf"), 0), 0);
    CHECK_INT(dir.version, 4);
    CHECK_INT(dir.n, 2);
    CHECK_INT(dir.expires_ms, 2032584362000); /* date -d 2034-05-30T06:46:02Z +%s */
    CHECK(slice_eq_str(part("PRIVATE-PARAMETERS")->location,
                       "/V4/20240529203822880997000/private-params.xml"));
    CHECK(slice_eq_str(part("PRIVATE-PARAMETERS")->file_name, "private-params.xml"));
    CHECK_INT(
        directory_check_part(part("PRIVATE-PARAMETERS"), vector(V4 "private-params.xml"), &why), 0);
    CHECK_INT(directory_check_part(part("SHARED-PARAMETERS"), vector(V4 "shared-params.xml"), &why),
              0);
    CHECK_INT(
        directory_check_part(part("SHARED-PARAMETERS"), vector(V4 "private-params.xml"), &why),
        ERR_GC_PART_INTEGRITY);
}

TEST(v4_external)
{
    fresh();
    load_certs(V4 "shared-params.xml", 4, true);
    CHECK_INT(verify(vector("signed-globalconf/V4/externalconf"), 0), 0);
    CHECK_INT(dir.n, 1);
    CHECK_INT(directory_check_part(part("SHARED-PARAMETERS"), vector(V4 "shared-params.xml"), &why),
              0);
}

TEST(v6_internal_with_its_anchor)
{
    struct params_anchor anchor;
    fresh();
    CHECK_INT(params_anchor_parse(arena,
                                  vector("signed-globalconf/configuration_anchor_CS_internal.xml"),
                                  &anchor, &why),
              0);
    certs = anchor.sources[0].internal_certs;
    CHECK_INT(verify(vector("signed-globalconf/V6/internalconf"), 0), 0);
    CHECK_INT(dir.version, 6);
    CHECK(slice_eq(dir.part[0].instance, anchor.instance));
    CHECK_INT(
        directory_check_part(part("PRIVATE-PARAMETERS"), vector(V6 "private-params.xml"), &why), 0);
    CHECK_INT(directory_check_part(part("SHARED-PARAMETERS"), vector(V6 "shared-params.xml"), &why),
              0);
}

/* Its signature is right, the hash in it is another file's. */
TEST(v6_external_names_another_hash)
{
    fresh();
    load_certs(V6 "shared-params.xml", 6, true);
    CHECK_INT(verify(vector("signed-globalconf/V6/externalconf"), 0), 0);
    CHECK_INT(directory_check_part(part("SHARED-PARAMETERS"), vector(V6 "shared-params.xml"), &why),
              ERR_GC_PART_INTEGRITY);
}

TEST(time_signer_and_instance_count)
{
    fresh();
    load_certs(V4 "shared-params.xml", 4, false);
    struct slice body = vector("signed-globalconf/V4/internalconf");
    CHECK_INT(verify(body, 2032584362000), 0);
    CHECK_INT(verify(body, 2032584362001), ERR_GC_OUTDATED);
    CHECK_INT(directory_verify(arena, body, certs.v, certs.n, SLICE_LIT("EE"), 0, &dir, &why),
              ERR_GC_INSTANCE);
    CHECK_INT(directory_verify(arena, body, certs.v, certs.n, SLICE_NONE, 0, &dir, &why), 0);
    CHECK_INT(directory_verify(arena, body, certs.v, 0, SLICE_LIT("DEV"), 0, &dir, &why),
              ERR_GC_NO_CERT);
    load_certs(V4 "shared-params.xml", 4, true);
    CHECK_INT(verify(body, 0), ERR_GC_NO_CERT);
}

TEST(one_changed_byte_anywhere_in_the_signed_bytes)
{
    fresh();
    load_certs(V4 "shared-params.xml", 4, false);
    struct slice body = vector("signed-globalconf/V4/internalconf");
    size_t from = slice_find_slice(body, SLICE_LIT("\r\n\r\n--fAJ")) + 4;
    size_t to = slice_find_slice(body, SLICE_LIT("--fAJduGDKxL3Q1Kv2jNpw--")) + 26;
    uint8_t *p = arena_alloc(arena, body.n);
    for (size_t i = from; i < to; i += 13) {
        memcpy(p, body.p, body.n);
        p[i] ^= 1;
        int err = verify(slice_of(p, body.n), 0);
        if (err != ERR_GC_SIGNATURE)
            FAIL("a change at %zu gives %s: %s", i, err_name(err), why.text);
    }
}

/* The signed bytes of the sample in a document as a configuration proxy writes it: lower-case
 * names, LF outside the signed bytes, double-quoted and bare parameters. */

static struct buf doc;

static int verify_with(const char *fmt)
{
    fresh();
    load_certs(V4 "shared-params.xml", 4, false);
    struct slice body = vector("signed-globalconf/V4/internalconf");
    size_t from = slice_find_slice(body, SLICE_LIT("\r\n\r\n--fAJ")) + 4;
    size_t to = slice_find_slice(body, SLICE_LIT("--fAJduGDKxL3Q1Kv2jNpw--")) + 26;
    size_t value = slice_find_slice(body, SLICE_LIT("AcfMejc4r0"));
    struct slice data = slice_sub(body, from, to - from);
    struct slice signature = slice_sub(slice_from(body, value), 0, 344);
    buf_free(&doc);
    buf_init(&doc, 1u << 20);
    for (const char *p = fmt; *p != 0; p++) { /* ^: the signed bytes, @: the signature value */
        if (*p == '^')
            buf_slice(&doc, data);
        else if (*p == '@')
            buf_slice(&doc, signature);
        else
            buf_byte(&doc, (uint8_t)*p);
    }
    return verify(buf_view(&doc), 0);
}

#define HASH                                                                                       \
    "u6Ew+6/PxaKUw6ew/mzVzQLkrhjoRFqBn8VLX1SKx0DesO1z6Ww7PM0wLtJx/c08rHas0Sdq0tiNpYTLIKgu3A=="
#define FRONT                                                                                      \
    "content-type: multipart/related; charset=UTF-8; boundary=\"OUT\"\n\n--OUT\n"                  \
    "CONTENT-TYPE: multipart/mixed;\n\tboundary=fAJduGDKxL3Q1Kv2jNpw\n\n^\n--OUT\n"
#define SIGNED                                                                                     \
    "content-type: application/octet-stream\ncontent-transfer-encoding: base64\n"                  \
    "signature-algorithm-id: http://www.w3.org/2001/04/xmldsig-more#rsa-sha512\n"
#define CERT                                                                                       \
    "verification-certificate-hash: " HASH                                                         \
    "; hash-algorithm-id=http://www.w3.org/2001/04/xmlenc#sha512\n"

TEST(other_spellings_outside_the_signed_bytes)
{
    CHECK_INT(verify_with(FRONT SIGNED CERT "\n@\n--OUT--\n"), 0);
    CHECK_INT(dir.n, 2);
    /* a repeated header overwrites, white space in the value, text around the parts */
    CHECK_INT(
        verify_with(FRONT "Signature-Algorithm-Id: none\r\n" SIGNED CERT "\r\n\r\n @ \n\n--OUT--"),
        0);
}

TEST(damaged_documents)
{
    static const struct {
        const char *doc;
        int code;
    } bad[] = {
        {"", ERR_GC_PARSE},
        {"content-type: multipart/related; boundary=OUT\n", ERR_GC_PARSE},
        {"content-type: text/plain\n\n", ERR_GC_PARSE},
        {"x: y\n\n", ERR_GC_HEADER_MISSING},
        {"content-type: multipart/related\n\n", ERR_GC_PARSE},
        {FRONT SIGNED CERT "\n@\n", ERR_GC_PARSE},
        {"content-type: multipart/related; boundary=OUT\n\n--OUT\ncontent-type: multipart/mixed; "
         "boundary=fAJduGDKxL3Q1Kv2jNpw\n\n^\n--OUT--\n",
         ERR_GC_NO_SIGNED_DATA},
        {FRONT SIGNED CERT "\n@\n--OUT\n" SIGNED CERT "\n@\n--OUT--\n", ERR_GC_PARSE},
        {FRONT SIGNED "\n@\n--OUT--\n", ERR_GC_HEADER_MISSING},
        {FRONT SIGNED "verification-certificate-hash: " HASH "\n\n@\n--OUT--\n",
         ERR_GC_HEADER_PARAM},
        {FRONT SIGNED "verification-certificate-hash: AA==; "
                      "hash-algorithm-id=http://www.w3.org/2001/04/xmlenc#sha512\n\n@\n--OUT--\n",
         ERR_GC_HEADER_VALUE},
        {FRONT SIGNED "verification-certificate-hash: " HASH
                      "; hash-algorithm-id=md5\n\n@\n--OUT--\n",
         ERR_GC_HEADER_VALUE},
        {FRONT CERT "\n@\n--OUT--\n", ERR_GC_HEADER_MISSING},
        {FRONT SIGNED "Content-Type: APPLICATION/octet-stream\n" CERT "\n@\n--OUT--\n",
         ERR_GC_HEADER_VALUE},
        {FRONT SIGNED "Signature-Algorithm-Id: x\n" CERT "\n@\n--OUT--\n", ERR_GC_HEADER_VALUE},
        {FRONT SIGNED CERT "\nnot base64!\n--OUT--\n", ERR_GC_SIGNATURE},
        {FRONT SIGNED CERT "\n\n--OUT--\n", ERR_GC_SIGNATURE},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int err = verify_with(bad[i].doc);
        if (err != bad[i].code)
            FAIL("case %zu gives %s: %s", i, err_name(err), why.text);
    }
}

/* --- our own --- */

static EVP_PKEY *key;
static struct buf cert_der;

static void make_key(const char *kind)
{
    struct cert_rdn rdn = {"2.5.4.3", "internalSigningKey"};
    struct cert_spec spec = {.purpose = CERT_CONF_SIGNING,
                             .rdns = &rdn,
                             .rdn_count = 1,
                             .serial = {1},
                             .not_after_ms = 2145916800000};
    EVP_PKEY_free(key);
    key = key_generate(kind, &why);
    CHECK(key != NULL);
    buf_free(&cert_der);
    buf_init(&cert_der, 10000);
    CHECK_INT(cert_issue(&spec, key, NULL, key, &cert_der, &why), 0);
}

static struct directory_part make_part(const char *identifier, const char *instance,
                                       const char *location, const char *bytes)
{
    struct directory_part p = {slice_str(identifier), slice_str(instance),
                               slice_str(location),   SLICE_NONE,
                               DIGEST_SHA512,         {0}};
    digest_of(p.alg, slice_str(bytes), &p.hash);
    return p;
}

/* Signs what is in `data` into `doc`. */
static void sign(struct slice data)
{
    struct buf value;
    struct digest hash;
    const struct sign_alg *alg = sign_alg_for_key(key);
    buf_init(&value, 1000);
    buf_free(&doc);
    buf_init(&doc, 1u << 20);
    CHECK_INT(sign_data(key, alg, data, &value), 0);
    digest_of(DIGEST_SHA512, buf_view(&cert_der), &hash);
    directory_print(data, "OUT", "IN", alg->uri, &hash, buf_view(&value), &doc);
    buf_free(&value);
}

static int verify_own(int64_t now_ms)
{
    struct slice cert = buf_view(&cert_der);
    return directory_verify(arena, buf_view(&doc), &cert, 1, SLICE_LIT("ZZ"), now_ms, &dir, &why);
}

static void sign_parts(const struct directory_part *parts, size_t n)
{
    struct buf data;
    buf_init(&data, 1u << 20);
    directory_signed_bytes(parts, n, 1798761600000, 6, "IN", &data);
    sign(buf_view(&data));
    buf_free(&data);
}

TEST(own_directory_is_byte_exact)
{
    struct directory_part p = make_part("SHARED-PARAMETERS", "ZZ", "/V6/1/shared-params.xml", "x");
    struct buf out;
    buf_init(&out, 10000);
    directory_signed_bytes(&p, 1, 1798761600000, 6, "IN", &out);
    CHECK_STR(buf_cstr(&out),
              "--IN\r\nExpire-date: 2027-01-01T00:00:00Z\r\nVersion: 6\r\n\r\n--IN\r\n"
              "Content-type: application/octet-stream\r\nContent-transfer-encoding: base64\r\n"
              "Content-identifier: SHARED-PARAMETERS; instance='ZZ'\r\n"
              "Content-location: /V6/1/shared-params.xml\r\n"
              "Hash-algorithm-id: http://www.w3.org/2001/04/xmlenc#sha512\r\n\r\n"
              /* printf x | openssl dgst -sha512 -binary | openssl base64 -A */
              "pKvURIxJVi2CgRXROh/M6pJ/"
              "UrTVRZKX+LQ+QtqJI4vBNibkPcs43bCCSIkn7JBPtCBXRDmD6IWFF51QVRr+Yg==\r\n"
              "--IN--\r\n");
    buf_free(&out);
}

TEST(own_directories_verify_with_all_kinds_of_keys)
{
    static const char *const kinds[] = {"rsa2048", "p256", "p384"};
    struct directory_part parts[] = {
        make_part("PRIVATE-PARAMETERS", "ZZ", "/V6/1/private-params.xml", "p"),
        make_part("SHARED-PARAMETERS", "ZZ", "/V6/1/shared-params.xml", "s"),
        make_part("NEXTUPDATE", "ZZ", "/V6/1/nextupdate-params.xml", "n")};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        fresh();
        make_key(kinds[i]);
        sign_parts(parts, ARRAY_LEN(parts));
        if (verify_own(1798761600000) != 0)
            FAIL("%s: %s", kinds[i], why.text);
        CHECK_INT(dir.n, 3);
        CHECK_INT(dir.expires_ms, 1798761600000);
        CHECK(slice_eq_str(dir.part[2].file_name, "nextupdate-params.xml"));
        CHECK_INT(directory_check_part(&dir.part[1], SLICE_LIT("s"), &why), 0);
    }
}

static void write_file(const char *path, struct slice s)
{
    FILE *f = fopen(path, "wb");
    CHECK(f != NULL && fwrite(s.p, 1, s.n, f) == s.n);
    fclose(f);
}

/* The judge: openssl and sed alone, cutting the document by the rule of globalconf.md section 4. */
TEST(own_directory_verifies_with_openssl)
{
    static const char *const kinds[] = {"rsa2048", "p256"};
    char folder[] = "/tmp/sild-directory-XXXXXX", path[100], command[1200];
    CHECK(mkdtemp(folder) != NULL);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct directory_part p =
            make_part("SHARED-PARAMETERS", "ZZ", "/V6/1/shared-params.xml", "s");
        fresh();
        make_key(kinds[i]);
        sign_parts(&p, 1);
        snprintf(path, sizeof path, "%s/dir", folder);
        write_file(path, buf_view(&doc));
        snprintf(path, sizeof path, "%s/cert", folder);
        write_file(path, buf_view(&cert_der));
        snprintf(command, sizeof command,
                 "cd %s && sed -n '/^--IN/,/^--IN--/p' dir > data && "
                 "tail -n 2 dir | head -n 1 | tr -d '\\r' | openssl base64 -d -A > value && "
                 "openssl x509 -inform DER -in cert -noout -pubkey > key && "
                 "openssl dgst -sha512 -verify key -signature value data > out 2>&1",
                 folder);
        if (system(command) != 0)
            FAIL("openssl refuses the directory signed with %s in %s", kinds[i], folder);
    }
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK_INT(system(command), 0);
}

TEST(faulty_entries_of_a_signed_directory)
{
#define FIRST "--IN\r\nExpire-date: 2027-01-01T00:00:00Z\r\n\r\n"
#define ENTRY(identifier, location)                                                                \
    "--IN\r\nContent-type: application/octet-stream\r\nContent-transfer-encoding: base64\r\n"      \
    "Content-identifier: " identifier "\r\nContent-location: " location "\r\n"                     \
    "Hash-algorithm-id: "                                                                          \
    "http://www.w3.org/2000/09/xmldsig#sha1\r\n\r\nqZk+NkcGgWq6PiVxeFDCbJzQ2J0=\r\n"
#define LAST "--IN--\r\n"
    static const struct {
        const char *data;
        int code;
    } cases[] = {
        {FIRST ENTRY("SHARED-PARAMETERS; instance=\"ZZ\"", "/s") LAST, 0},
        {FIRST ENTRY("X", "/a/x.xml") LAST, 0},
        {FIRST ENTRY("SHARED-PARAMETERS", "/s") LAST, ERR_GC_HEADER_PARAM},
        {FIRST ENTRY("SHARED-PARAMETERS; instance=''", "/s") LAST, ERR_GC_HEADER_PARAM},
        {FIRST ENTRY("SHARED-PARAMETERS; instance='YY'", "/s") LAST, ERR_GC_INSTANCE},
        {FIRST ENTRY("SHARED-PARAMETERS; instance='ZZ'", "/s")
             ENTRY("SHARED-PARAMETERS; instance='ZZ'", "/t") LAST,
         ERR_GC_PARSE},
        {FIRST ENTRY("X", "/a/..") LAST, ERR_GC_HEADER_VALUE},
        {FIRST ENTRY("X", "/a/") LAST, ERR_GC_HEADER_VALUE},
        {FIRST ENTRY("X", "/a/.x") LAST, ERR_GC_HEADER_VALUE},
        {FIRST ENTRY("X", "/a/b\\c") LAST, ERR_GC_HEADER_VALUE},
        {FIRST ENTRY("X", "/a/b\x7F") LAST, ERR_GC_PARSE},
        {FIRST ENTRY("X\x01", "/a/b") LAST, ERR_GC_PARSE},
        {FIRST, ERR_GC_PARSE},
        {LAST, ERR_GC_PARSE},
        {"--IN\r\n\r\n" LAST, ERR_GC_HEADER_MISSING},
        {"--IN\r\nExpire-date: soon\r\n\r\n" LAST, ERR_GC_HEADER_VALUE},
        {"--IN\r\nExpire-date: 2027-01-01T00:00:00Z\r\nVersion: 7\r\n\r\n" LAST, ERR_INTERNAL},
        {"--IN\r\nExpire-date: 2027-01-01T00:00:00Z\r\nVersion: x\r\n\r\n" LAST, ERR_INTERNAL},
        {FIRST
         "--IN\r\nContent-type: application/octet-stream\r\nContent-transfer-encoding: base64\r\n"
         "Content-location: /s\r\nHash-algorithm-id: md5\r\n\r\nAA==\r\n" LAST,
         ERR_GC_HEADER_VALUE},
        {FIRST
         "--IN\r\nContent-type: application/octet-stream\r\nContent-transfer-encoding: base64\r\n"
         "Content-location: /s\r\n"
         "Hash-algorithm-id: http://www.w3.org/2001/04/xmlenc#sha512\r\n\r\nAA==\r\n" LAST,
         ERR_GC_PARSE},
    };
    make_key("p256");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fresh();
        sign(slice_str(cases[i].data));
        int err = verify_own(0);
        if (err != cases[i].code)
            FAIL("case %zu gives %s: %s", i, err_name(err), why.text);
    }
    fresh();
    sign(slice_str(cases[0].data));
    CHECK_INT(verify_own(0), 0);
    CHECK_INT(dir.version, 2); /* no header */
    CHECK_INT(directory_check_part(&dir.part[0], SLICE_LIT("abc"), &why), 0);
    fresh();
    sign(slice_str(cases[1].data));
    CHECK_INT(verify_own(0), 0);
    CHECK(slice_eq_str(dir.part[0].file_name, "x.xml"));
}

TEST(more_parts_than_allowed)
{
    static struct directory_part parts[DIRECTORY_PARTS_MAX + 1];
    static char names[DIRECTORY_PARTS_MAX + 1][20];
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        snprintf(names[i], sizeof names[i], "/a/x%zu.xml", i);
        parts[i] = make_part("X", "ZZ", names[i], "x");
    }
    make_key("p256");
    fresh();
    sign_parts(parts, DIRECTORY_PARTS_MAX);
    CHECK_INT(verify_own(0), 0);
    CHECK_INT(dir.n, DIRECTORY_PARTS_MAX);
    fresh();
    sign_parts(parts, DIRECTORY_PARTS_MAX + 1);
    CHECK_INT(verify_own(0), ERR_GC_PARSE);
}
