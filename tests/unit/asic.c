/* Containers: written as the worked example's, verified with X-Road's verdicts, reported. */
#include "world.h"

#include "base/err.h"
#include "crypto/tsp.h"
#include "evidence/asic.h"
#include "wire/zip.h"

#define STAMPED_AT 1767607320000 /* 2026-01-05T10:02:00Z */

static const struct {
    const char *name;
    int want;
    const char *rule; /* outer code of hash chain errors */
} containers[] = {
    {"asic/valid-signed-message", 0, ""},
    {"asic/valid-signed-hashchain", 0, ""},
    {"asic/valid-batch-ts", 0, ""},
    {"asic/valid-non-batch-rest", 0, ""},
    {"asic/valid-non-batch-soap-attachments", 0, ""},
    {"asic/core-valid-signed-message-with-attachments", 0, ""},
    {"asic/invalid-not-signed-hashchain", 0, ""},
    {"asic/wrong-message", ERR_INVALID_SIGNATURE_VALUE, ""},
    {"asic/invalid-digest", ERR_INVALID_SIGNATURE_VALUE, ""},
    {"asic/invalid-signed-hashchain", ERR_INVALID_HASH_CHAIN_REF, "malformed_signature"},
    {"asic/invalid-hashchain-modified-message", ERR_HASHCHAIN_UNUSED_INPUTS, "malformed_signature"},
    {"asic/invalid-incorrect-references", ERR_MALFORMED_SIGNATURE, ""},
    {"asic/invalid-ts-hashchainresult", ERR_MALFORMED_SIGNATURE, ""},
    {"asic/attachments", ERR_ASIC_MESSAGE_NOT_FOUND, ""},
    {"asic/core-valid-signed-message", ERR_MLOG_TSP_CERT, ""},
    {"asic/core-no-message", ERR_ASIC_MESSAGE_NOT_FOUND, ""},
    {"asic/core-not-asic", ERR_ASIC_MIME_TYPE_NOT_FOUND, ""},
    {"asic/core-no-mimetype", ERR_ASIC_MIME_TYPE_NOT_FOUND, ""},
    {"asic/core-no-signature", ERR_ASIC_SIGNATURE_NOT_FOUND, ""},
    {"worked/asic/single-rsa", 0, ""},
    {"worked/asic/single-ec", 0, ""},
    {"worked/asic/batch-ec-message2", 0, ""},
};

static const char *verdict(int rc, const char *rule)
{
    static char text[2][128];
    static int at;
    at ^= 1;
    snprintf(text[at], sizeof text[at], "%s%s%s", rule, rule[0] != 0 ? "." : "",
             rc == 0 ? "valid" : err_name(rc));
    return text[at];
}

static int verify_named(struct world *w, struct xades_cache *c, const char *name,
                        struct asic_report *r, struct diag *d)
{
    struct slice file = vector("%s.asice", name);
    arena_reset(w->a);
    int rc = asic_verify_cached(w->g, c, w->a, file, r, d);
    /* what the report points to is in the arena, not in the file */
    memset((void *)(uintptr_t)file.p, 0x55, file.n);
    vector_drop(file);
    return rc;
}

TEST(containers_have_their_verdicts)
{
    struct world xroad, worked;
    world_open(&xroad, "globalconf/globalconf_good2_v3", "DEV");
    world_open(&worked, "worked/globalconf", "ZZ");
    struct xades_cache *cache = xades_cache_new(256);
    int wrong = 0;
    printf("# %-48s %-46s %s\n", "container", "expected", "got");
    for (size_t i = 0; i < 3 * ARRAY_LEN(containers); i++) {
        size_t k = i % ARRAY_LEN(containers); /* the first round without cache, then two with it */
        struct world *w = strncmp(containers[k].name, "worked", 6) == 0 ? &worked : &xroad;
        struct asic_report r;
        struct diag d = {0};
        int rc =
            verify_named(w, i < ARRAY_LEN(containers) ? NULL : cache, containers[k].name, &r, &d);
        const char *rule = rc == 0 || strcmp(d.rule, "malformed_signature") != 0 ? "" : d.rule;
        bool good = rc == containers[k].want && strcmp(rule, containers[k].rule) == 0;
        if (i < ARRAY_LEN(containers) || !good)
            printf("# %-48s %-46s %s\n", containers[k].name,
                   verdict(containers[k].want, containers[k].rule), verdict(rc, rule));
        if (!good)
            printf("#   %s\n", d.text);
        wrong += !good;
        asic_report_free(&r);
    }
    xades_cache_free(cache);
    world_close(&xroad);
    world_close(&worked);
    CHECK_INT(wrong, 0);
}

/* Tokens by themselves: imprint over the data, then the signer, as for a container. */
TEST(time_stamps_have_their_verdicts)
{
    static const struct {
        const char *token, *data;
        int want;
    } t[] = {
        {"valid", "stamped-data", 0},
        {"valid", "valid", ERR_MALFORMED_SIGNATURE},
        {"invalid-signature", "stamped-data", ERR_MLOG_TS_SIGNER},
        {"stamped-data", "stamped-data", ERR_MLOG_TS_INVALID},
    };
    struct world w;
    world_open(&w, "globalconf/globalconf_good_v4", "EE");
    struct cert **tsas, *signer;
    size_t n = globalconf_all_tsas(w.g, &tsas);
    int wrong = 0;
    printf("# %-20s %-14s %-40s %s\n", "token", "data", "expected", "got");
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct slice token = vector("timestamps/%s", t[i].token);
        struct slice data = vector("timestamps/%s", t[i].data);
        struct tsp_info info;
        struct digest imprint;
        int rc = tsp_token_parse(token, &info, NULL);
        if (rc == 0) {
            digest_of(info.imprint.alg, data, &imprint);
            rc = digest_eq(&imprint, &info.imprint)
                     ? tsp_token_verify(token, tsas, n, &signer, NULL)
                     : ERR_MALFORMED_SIGNATURE;
        }
        printf("# %-20s %-14s %-40s %s\n", t[i].token, t[i].data, verdict(t[i].want, ""),
               verdict(rc, ""));
        wrong += rc != t[i].want;
        vector_drop(token);
        vector_drop(data);
    }
    world_close(&w);
    CHECK_INT(wrong, 0);
}

/* --- reports --- */

static void check_holds(struct buf *text, const char *what)
{
    if (strstr(buf_cstr(text), what) == NULL)
        FAIL("\"%s\" is not in:\n%s", what, buf_cstr(text));
}

TEST(report_of_a_request_with_body)
{
    struct world w;
    world_open(&w, "worked/globalconf", "ZZ");
    struct asic_report r;
    struct diag d = {0};
    if (verify_named(&w, NULL, "worked/asic/batch-ec-message2", &r, &d) != 0)
        FAIL("%s", d.text);
    CHECK(!r.response);
    CHECK(slice_eq_str(r.message_id, "worked-2"));
    CHECK_INT(r.timestamp_ms, STAMPED_AT);
    CHECK_INT(r.ocsp_produced_ms, STAMPED_AT - 120000);
    CHECK_INT(r.n_att, 1);
    CHECK(r.att[0].verified);
    struct buf text;
    buf_init(&text, 65536);
    asic_report_print(&r, false, &text);
    check_holds(&text, "valid: ZZ/GOV/100/registry → ZZ/GOV/200/data/items (request)\n");
    check_holds(&text, "worked-2");
    check_holds(&text, "CN=100,O=GOV,C=ZZ, serial number 4, issued by CN=Worked example CA");
    check_holds(&text, "2026-01-05T10:02:00Z by ");
    check_holds(&text, "2026-01-05T10:00:00Z by CN=Worked example OCSP");
    check_holds(&text, "/attachment1: verified, SHA-512 efb7a8298f905ae743dbe2152e1624");
    buf_reset(&text);
    asic_report_print(&r, true, &text);
    check_holds(&text, "\"kind\":\"request\",\"client\":\"ZZ/GOV/100/registry\"");
    check_holds(&text, "\"name\":\"/attachment1\",\"signed\":true,\"verified\":true");
    buf_free(&text);
    asic_report_free(&r);
    world_close(&w);
}

TEST(report_of_a_response_and_of_attachments)
{
    static const struct {
        const char *name;
        bool response, verified;
        size_t attachments;
    } t[] = {
        {"asic/valid-non-batch-rest", true, true, 1},
        {"asic/valid-non-batch-soap-attachments", true, true, 2},
        {"asic/core-valid-signed-message-with-attachments", true, true, 2},
        {"asic/valid-signed-hashchain", false, false, 1},
        {"asic/valid-batch-ts", false, false, 0},
    };
    struct world w;
    world_open(&w, "globalconf/globalconf_good2_v3", "DEV");
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct asic_report r;
        struct diag d = {0};
        if (verify_named(&w, NULL, t[i].name, &r, &d) != 0)
            FAIL("%s: %s", t[i].name, d.text);
        CHECK_INT(r.response, t[i].response);
        CHECK_INT(r.n_att, t[i].attachments);
        for (size_t k = 0; k < r.n_att; k++)
            CHECK_INT(r.att[k].verified, t[i].verified);
        CHECK(id_client_eq(&r.signer, t[i].response ? &r.service.provider : &r.client));
        asic_report_free(&r);
    }
    world_close(&w);
}

/* --- writing --- */

struct opened {
    struct slice file;
    struct zip_file zip;
};

static void open_container(struct opened *o, const char *name)
{
    o->file = vector("worked/asic/%s.asice", name);
    struct diag d = {0};
    if (zip_parse(o->file, &o->zip, &d) != 0)
        FAIL("%s: %s", name, d.text);
}

static struct slice entry(struct arena *a, const struct zip_file *z, const char *name)
{
    const struct zip_entry *e = zip_find(z, name);
    struct slice out = SLICE_NONE;
    if (e != NULL)
        CHECK_INT(zip_read(a, e, &out, NULL), 0);
    return out;
}

static struct asic_content content_of(struct arena *a, const struct zip_file *z)
{
    struct asic_content c = {
        .message = entry(a, z, "message.xml"),
        .signature = entry(a, z, "META-INF/signatures.xml"),
        .result = entry(a, z, "sig-hashchainresult.xml"),
        .chain = entry(a, z, "sig-hashchain.xml"),
        .ts_result = entry(a, z, "ts-hashchainresult.xml"),
        .ts_chain = entry(a, z, "ts-hashchain.xml"),
        .timestamp = entry(a, z, "META-INF/timestamp.tst"),
        .attachment = entry(a, z, "attachment1"),
        .has_attachment = zip_find(z, "attachment1") != NULL,
        .time_ms = STAMPED_AT,
    };
    return c;
}

TEST(worked_containers_written_again_have_the_same_entries)
{
    static const char *const names[] = {"single-rsa", "single-ec", "batch-ec-message2"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct opened o;
        open_container(&o, names[i]);
        struct arena *a = arena_new(4u << 20);
        struct asic_content c = content_of(a, &o.zip);
        struct buf out;
        buf_init(&out, 1u << 20);
        struct diag d = {0};
        if (asic_print(&c, &out, &d) != 0)
            FAIL("%s: %s", names[i], d.text);
        static struct zip_file again;
        CHECK_INT(zip_parse(buf_view(&out), &again, &d), 0);
        CHECK_INT(again.n, o.zip.n);
        for (size_t k = 0; k < again.n; k++) {
            struct slice want, got;
            if (!slice_eq(again.e[k].name, o.zip.e[k].name))
                FAIL("entry %zu is %.*s", k, SLICE_ARG(again.e[k].name));
            CHECK(again.e[k].deflated);
            CHECK_INT(zip_read(a, &o.zip.e[k], &want, &d), 0);
            CHECK_INT(zip_read(a, &again.e[k], &got, &d), 0);
            if (!slice_eq(got, want))
                FAIL("%s: %.*s differs:\n%.*s", names[i], SLICE_ARG(again.e[k].name),
                     SLICE_ARG(got));
        }
        CHECK(slice_ends(buf_view(&out), "mimetype=application/vnd.etsi.asic-e+zip"));
        buf_free(&out);
        arena_free(a);
        vector_drop(o.file);
    }
}

TEST(tree_of_the_worked_batch_time_stamp)
{
    struct digest s[2] = {vector_worked("== time-stamps", "S1 = "),
                          vector_worked("== time-stamps", "S2 = ")};
    struct buf result, chains[2];
    buf_init(&result, 65536);
    buf_init(&chains[0], 65536);
    buf_init(&chains[1], 65536);
    CHECK_INT(asic_timestamp_tree(s, 2, 0, &result, &chains[0]), 0);
    CHECK_INT(asic_timestamp_tree(s, 2, 1, NULL, &chains[1]), 0);
    vector_check_digest(buf_view(&result), "== time-stamps", "imprint of asic/batch.tst");
    static const char *const names[] = {"single-ec", "batch-ec-message2"};
    for (size_t i = 0; i < 2; i++) {
        struct opened o;
        open_container(&o, names[i]);
        struct arena *a = arena_new(4u << 20);
        CHECK(slice_eq(buf_view(&result), entry(a, &o.zip, "ts-hashchainresult.xml")));
        CHECK(slice_eq(buf_view(&chains[i]), entry(a, &o.zip, "ts-hashchain.xml")));
        arena_free(a);
        vector_drop(o.file);
        buf_free(&chains[i]);
    }
    buf_free(&result);
}

TEST(incomplete_content_is_not_written)
{
    struct slice x = SLICE_LIT("x");
    const struct asic_content bad[] = {
        {.message = x},
        {.signature = x},
        {.message = x, .signature = x, .chain = x},
        {.message = x, .signature = x, .result = x},
        {.message = x, .signature = x, .timestamp = x},
        {.message = x, .signature = x, .ts_chain = x, .ts_result = x},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf out;
        buf_init(&out, 65536);
        CHECK_INT(asic_print(&bad[i], &out, NULL), ERR_ASIC_INVALID_CONTAINER);
        CHECK_INT(out.n, 0);
    }
}

TEST(file_names)
{
    struct buf b;
    buf_init(&b, 4096);
    asic_file_name(SLICE_LIT("a b/\xc3\xbc-_.*~"), false, 63, &b);
    CHECK_STR(buf_cstr(&b), "a+b%2F%C3%BC-_.*%7E-request-1v.asice");
    buf_reset(&b);
    asic_file_name(SLICE_LIT("x"), true, 0, &b);
    CHECK_STR(buf_cstr(&b), "x-response-0.asice");
    buf_reset(&b);
    asic_file_name(SLICE_LIT("x"), true, UINT64_MAX, &b);
    CHECK_STR(buf_cstr(&b), "x-response-fvvvvvvvvvvvv.asice");
    buf_reset(&b);
    char longest[300];
    memset(longest, 'q', sizeof longest);
    asic_file_name(slice_of(longest, sizeof longest), true, 1, &b);
    CHECK_INT(b.n, 226 + strlen("-response-1.asice"));
    buf_free(&b);
}

/* --- containers changed by hand --- */

/* The worked container of this name with an entry replaced, added (it has none of that name) or
 * left out (data is empty), and the verdict on it. */
static int verify_with(struct world *w, const char *container, const char *name, struct slice data,
                       struct asic_report *r, struct diag *d)
{
    struct opened o;
    open_container(&o, container);
    struct arena *a = arena_new(4u << 20);
    struct buf out;
    buf_init(&out, 1u << 20);
    struct zip_writer *z = zip_writer_new(&out, STAMPED_AT);
    for (size_t i = 0; i < o.zip.n; i++) {
        char own[256];
        struct slice old = SLICE_NONE;
        CHECK(slice_cstr(o.zip.e[i].name, own, sizeof own));
        CHECK_INT(zip_read(a, &o.zip.e[i], &old, NULL), 0);
        if (strcmp(own, name) != 0)
            CHECK_INT(zip_add(z, own, old, true), 0);
    }
    if (data.n > 0)
        CHECK_INT(zip_add(z, name, data, true), 0);
    CHECK_INT(zip_finish(z, ""), 0);
    zip_writer_free(z);
    vector_drop(o.file);
    arena_free(a);
    arena_reset(w->a);
    int rc = asic_verify(w->g, w->a, buf_view(&out), r, d);
    buf_free(&out);
    return rc;
}

TEST(changed_containers_have_their_verdicts)
{
    static const struct {
        const char *container, *name, *data;
        int want;
        const char *where;
    } t[] = {
        {"single-rsa", "mimetype", "", ERR_ASIC_MIME_TYPE_NOT_FOUND, "container"},
        {"single-rsa", "mimetype", "application/VND.ETSI.asic-e+zip", 0, ""},
        {"single-rsa", "mimetype", "application/zip", ERR_ASIC_INVALID_MIME_TYPE, "container"},
        {"single-rsa", "message.xml", "", ERR_ASIC_MESSAGE_NOT_FOUND, "container"},
        {"single-rsa", "message.xml", " \n", ERR_ASIC_MESSAGE_NOT_FOUND, "container"},
        {"single-rsa", "message.xml", "\xff", ERR_ASIC_INVALID_CONTAINER, "container"},
        {"single-rsa", "META-INF/signatures.xml", "", ERR_ASIC_SIGNATURE_NOT_FOUND, "container"},
        {"single-rsa", "META-INF/signatures.xml", "<x/>", ERR_MALFORMED_SIGNATURE, "signature"},
        {"single-rsa", "META-INF/manifest.xml", " ", ERR_ASIC_MANIFEST_NOT_FOUND, "container"},
        {"single-rsa", "META-INF/manifest.xml", "", 0, ""},
        {"single-rsa", "META-INF/manifest.xml", "no XML", 0, ""},
        {"single-rsa", "sig-hashchain.xml", "<x/>", ERR_ASIC_HASH_CHAIN_RESULT_NOT_FOUND,
         "container"},
        {"batch-ec-message2", "sig-hashchain.xml", "", ERR_ASIC_HASH_CHAIN_NOT_FOUND, "container"},
        {"batch-ec-message2", "sig-hashchain.xml", "<x/>", ERR_MALFORMED_HASH_CHAIN, "hash chain"},
        {"single-ec", "ts-hashchain.xml", "", ERR_ASIC_HASH_CHAIN_NOT_FOUND, "container"},
        {"single-ec", "ts-hashchain.xml", "<x/>", ERR_MALFORMED_SIGNATURE, "time-stamp"},
        {"single-ec", "META-INF/timestamp.tst", "", ERR_MALFORMED_SIGNATURE, "time-stamp"},
        {"single-ec", "META-INF/timestamp.tst", "x", ERR_MLOG_TS_INVALID, "time-stamp"},
        {"single-ec", "note.txt", "whatever", 0, ""},
    };
    struct world w;
    world_open(&w, "worked/globalconf", "ZZ");
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct asic_report r;
        struct diag d = {0};
        int rc = verify_with(&w, t[i].container, t[i].name, slice_str(t[i].data), &r, &d);
        if (rc != t[i].want || (rc != 0 && strstr(d.where, t[i].where) != d.where))
            FAIL("%s with %s \"%s\": %s \"%s\" (%s)", t[i].container, t[i].name, t[i].data,
                 err_name(rc), d.text, d.where);
        asic_report_free(&r);
    }
    world_close(&w);
}

TEST(attachments_are_verified_unverified_or_not_signed)
{
    struct world w;
    world_open(&w, "worked/globalconf", "ZZ");
    struct asic_report r;
    struct diag d = {0};
    CHECK_INT(verify_with(&w, "batch-ec-message2", "attachment1", SLICE_LIT("other"), &r, &d), 0);
    CHECK_INT(r.n_att, 1);
    CHECK(!r.att[0].verified && r.att[0].digest.alg == DIGEST_SHA512);
    asic_report_free(&r);
    CHECK_INT(verify_with(&w, "batch-ec-message2", "attachment1", SLICE_NONE, &r, &d), 0);
    CHECK_INT(r.n_att, 1);
    CHECK(!r.att[0].verified);
    asic_report_free(&r);
    CHECK_INT(verify_with(&w, "single-rsa", "attachment1", SLICE_LIT("stray"), &r, &d), 0);
    CHECK_INT(r.n_att, 1);
    CHECK(!r.att[0].verified && r.att[0].digest.alg == DIGEST_NONE);
    CHECK(slice_eq_str(r.att[0].name, "/attachment1"));
    asic_report_free(&r);
    world_close(&w);
}

TEST(messages_of_others_and_unreadable_ones_are_refused)
{
    struct world w;
    world_open(&w, "worked/globalconf", "ZZ");
    struct asic_report r;
    struct diag d = {0};
    /* another message than the signed one: first of all it does not have its digest */
    struct slice other = vector("worked/message3.xml");
    CHECK_INT(verify_with(&w, "single-rsa", "message.xml", other, &r, &d),
              ERR_INVALID_SIGNATURE_VALUE);
    vector_drop(other);
    /* nobody can have signed what names no client */
    CHECK_INT(verify_with(&w, "single-rsa", "message.xml", SLICE_LIT("<Envelope/>"), &r, &d),
              ERR_INVALID_SOAP);
    CHECK_STR(d.where, "message");
    world_close(&w);
}
