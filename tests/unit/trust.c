/* Who is who: TLS chains of peers, signing certificates, profiles. */
#include "base/err.h"
#include "xroad_world.h"

static struct diag why;
static int64_t until;

static struct id_client client(const char *text)
{
    struct id_client id;
    CHECK_INT(id_client_from_short(slice_str(text), &id), 0);
    return id;
}

/* The leaf alone with one OCSP response. */
static int auth(const struct world *w, struct cert *leaf, const struct buf *ocsp,
                const char *member, int64_t at_ms)
{
    struct id_client id = client(member);
    struct slice response = ocsp == NULL ? SLICE_NONE : buf_view(ocsp);
    memset(&why, 0, sizeof why);
    return trust_auth_chain(w->gc, id.instance, &leaf, 1, &response, ocsp == NULL ? 0 : 1, &id,
                            at_ms, &until, &why);
}

TEST(a_registered_servers_certificate)
{
    struct world w;
    struct buf good;
    world_open(&w);
    world_ocsp(w.auth.cert, w.ca.cert, &w.ocsp, OCSP_GOOD, WORLD_NOW, &good);
    CHECK_INT(auth(&w, w.auth.cert, &good, "ZZ/GOV/100/client", WORLD_NOW), 0);
    CHECK_INT(until, WORLD_NOW + 3600 * 1000); /* freshness and nextUpdate are an hour both */
    CHECK_INT(auth(&w, w.auth.cert, &good, "ZZ/GOV/100", WORLD_NOW), 0);
    CHECK_INT(auth(&w, w.auth.cert, &good, "ZZ/GOV/200/data", WORLD_NOW), ERR_SSL_AUTH);
    CHECK_STR(why.text,
              "Client 'ZZ/GOV/200/data' is not registered at security server ZZ/GOV/100/ss1");
    CHECK_INT(auth(&w, w.auth.cert, &good, "YY/GOV/100", WORLD_NOW), ERR_INTERNAL);
    CHECK_STR(why.text, "Certificate is not issued by approved certification service provider.");
    CHECK_INT(auth(&w, w.auth.cert, NULL, "ZZ/GOV/100", WORLD_NOW), ERR_CERT_VALIDATION);
    CHECK(strstr(why.text, "Unable to find OCSP response for certificate CN=ss1") != NULL);
    CHECK_STR(trust_code_prefix(ERR_CERT_VALIDATION), "invalid_cert_path");
    CHECK_STR(trust_code_prefix(ERR_SSL_AUTH), "");
    CHECK_INT(auth(&w, w.auth.cert, &good, "ZZ/GOV/100", WORLD_NOW + 3600 * 1000 + 1),
              ERR_INCORRECT_VALIDATION_INFO);
    CHECK_INT(until, 0);
    buf_free(&good);
    world_close(&w);
}

TEST(revoked_and_unregistered_and_wrong_kinds)
{
    struct world w;
    struct buf revoked, other, sign;
    world_open(&w);
    struct world_key stranger = world_named(CERT_AUTH, "stranger", &w.ca);
    world_ocsp(w.auth.cert, w.ca.cert, &w.ocsp, OCSP_REVOKED, WORLD_NOW, &revoked);
    world_ocsp(stranger.cert, w.ca.cert, &w.ocsp, OCSP_GOOD, WORLD_NOW, &other);
    world_ocsp(w.sign.cert, w.ca.cert, &w.ocsp, OCSP_GOOD, WORLD_NOW, &sign);
    CHECK_INT(auth(&w, w.auth.cert, &revoked, "ZZ/GOV/100", WORLD_NOW), ERR_CERT_VALIDATION);
    CHECK_INT(auth(&w, w.auth.cert, &other, "ZZ/GOV/100", WORLD_NOW), ERR_CERT_VALIDATION);
    CHECK_INT(auth(&w, stranger.cert, &other, "ZZ/GOV/100", WORLD_NOW), ERR_SSL_AUTH);
    CHECK(strstr(why.text, "CN=stranger is not associated with any security server") != NULL);
    CHECK_INT(auth(&w, w.sign.cert, &sign, "ZZ/GOV/100", WORLD_NOW), ERR_SSL_AUTH);
    CHECK_STR(why.text, "Peer certificate is not an authentication certificate");
    world_free_key(&stranger);
    buf_free(&revoked);
    buf_free(&other);
    buf_free(&sign);
    world_close(&w);
}

TEST(only_listed_or_delegated_responders_count)
{
    struct world w;
    struct buf by_ca, by_delegate, by_other;
    world_open(&w);
    struct world_key delegate = world_named(CERT_OCSP, "delegate", &w.ca);
    struct world_key other = world_named(CERT_OCSP, "other", &w.inter);
    world_ocsp(w.auth.cert, w.ca.cert, &w.ca, OCSP_GOOD, WORLD_NOW, &by_ca);
    world_ocsp(w.auth.cert, w.ca.cert, &delegate, OCSP_GOOD, WORLD_NOW, &by_delegate);
    world_ocsp(w.auth.cert, w.ca.cert, &other, OCSP_GOOD, WORLD_NOW, &by_other);
    CHECK_INT(auth(&w, w.auth.cert, &by_ca, "ZZ/GOV/100", WORLD_NOW), 0);
    CHECK_INT(auth(&w, w.auth.cert, &by_delegate, "ZZ/GOV/100", WORLD_NOW), 0);
    CHECK_INT(auth(&w, w.auth.cert, &by_other, "ZZ/GOV/100", WORLD_NOW),
              ERR_INCORRECT_VALIDATION_INFO);
    world_free_key(&delegate);
    world_free_key(&other);
    buf_free(&by_ca);
    buf_free(&by_delegate);
    buf_free(&by_other);
    world_close(&w);
}

TEST(times_and_issuers_of_the_path)
{
    struct world w;
    struct buf ocsp;
    const struct cert_rdn rdn = {"2.5.4.3", "short"};
    world_open(&w);
    struct world_key brief = world_issue(CERT_AUTH, &rdn, 1, &w.ca, WORLD_NOW + 1000);
    world_ocsp(brief.cert, w.ca.cert, &w.ocsp, OCSP_GOOD, WORLD_NOW, &ocsp);
    CHECK_INT(auth(&w, brief.cert, &ocsp, "ZZ/GOV/100", WORLD_NOW + 2000), ERR_CERT_VALIDITY_TIME);
    buf_free(&ocsp);
    /* the name of the CA and another key */
    struct world_key fake = world_named(CERT_CA, "Root", NULL);
    struct world_key forged = world_named(CERT_AUTH, "ss1", &fake);
    world_ocsp(forged.cert, fake.cert, &w.ocsp, OCSP_GOOD, WORLD_NOW, &ocsp);
    CHECK_INT(auth(&w, forged.cert, &ocsp, "ZZ/GOV/100", WORLD_NOW), ERR_CANNOT_CREATE_CERT_PATH);
    buf_free(&ocsp);
    world_free_key(&brief);
    world_free_key(&fake);
    world_free_key(&forged);
    world_close(&w);
}

/* An intermediate CA that no configuration lists: its root is the anchor, both need a response. */
TEST(chains_over_an_unlisted_intermediate)
{
    struct world w;
    struct buf leaf_ocsp, inter_ocsp;
    world_open(&w);
    struct world_key inter = world_named(CERT_INTERMEDIATE, "Unlisted", &w.ca);
    struct world_key leaf = world_named(CERT_AUTH, "deep", &inter);
    struct id_client id = client("ZZ/GOV/100");
    world_ocsp(leaf.cert, inter.cert, &inter, OCSP_GOOD, WORLD_NOW, &leaf_ocsp);
    world_ocsp(inter.cert, w.ca.cert, &w.ocsp, OCSP_GOOD, WORLD_NOW - 1000, &inter_ocsp);
    struct cert *chain[] = {leaf.cert, inter.cert};
    struct slice ocsp[] = {buf_view(&inter_ocsp), buf_view(&leaf_ocsp)};
    CHECK_INT(trust_auth_chain(w.gc, id.instance, chain, 2, ocsp, 2, &id, WORLD_NOW, &until, &why),
              ERR_SSL_AUTH); /* all but its registration is right */
    CHECK(strstr(why.text, "not associated") != NULL);
    CHECK_INT(
        trust_auth_chain(w.gc, id.instance, chain, 2, ocsp + 1, 1, &id, WORLD_NOW, &until, &why),
        ERR_CERT_VALIDATION);
    CHECK(strstr(why.text, "CN=Unlisted") != NULL);
    CHECK_INT(trust_auth_chain(w.gc, id.instance, chain, 1, ocsp, 2, &id, WORLD_NOW, &until, &why),
              ERR_INTERNAL);
    CHECK_INT(trust_auth_chain(w.gc, id.instance, chain, 0, ocsp, 2, &id, WORLD_NOW, &until, &why),
              ERR_SSL_AUTH);
    world_free_key(&inter);
    world_free_key(&leaf);
    buf_free(&leaf_ocsp);
    buf_free(&inter_ocsp);
    world_close(&w);
}

static int sign(const struct world *w, struct cert *c, const struct buf *ocsp, const char *sender,
                struct cert **responder)
{
    struct id_client id = client(sender);
    struct slice response = buf_view(ocsp);
    memset(&why, 0, sizeof why);
    return trust_sign_cert(w->gc, &id, c, NULL, 0, &response, 1, WORLD_NOW, &until, responder,
                           &why);
}

TEST(a_members_signing_certificate)
{
    struct world w;
    struct buf good, auth_ocsp;
    struct cert *responder;
    world_open(&w);
    world_ocsp(w.sign.cert, w.ca.cert, &w.ocsp, OCSP_GOOD, WORLD_NOW, &good);
    world_ocsp(w.auth.cert, w.ca.cert, &w.ocsp, OCSP_GOOD, WORLD_NOW, &auth_ocsp);
    CHECK_INT(sign(&w, w.sign.cert, &good, "ZZ/GOV/100/client", &responder), 0);
    CHECK(responder != NULL && slice_eq(responder->der, w.ocsp.cert->der));
    cert_free(responder);
    CHECK_INT(until, WORLD_NOW + 3600 * 1000);
    CHECK_INT(sign(&w, w.sign.cert, &good, "ZZ/GOV/100", NULL), 0);
    CHECK_INT(sign(&w, w.sign.cert, &good, "ZZ/GOV/200/data", &responder),
              ERR_INCORRECT_CERTIFICATE);
    CHECK(responder == NULL);
    CHECK_STR(why.text,
              "Name in certificate (ZZ/GOV/100) does not match name in message (ZZ/GOV/200)");
    CHECK_INT(sign(&w, w.auth.cert, &auth_ocsp, "ZZ/GOV/100", NULL), ERR_MALFORMED_SIGNATURE);
    CHECK_INT(sign(&w, w.sign.cert, &auth_ocsp, "ZZ/GOV/100", NULL), ERR_CERT_VALIDATION);
    CHECK_INT(sign(&w, w.sign.cert, &good, "YY/GOV/100", NULL), ERR_INTERNAL);
    CHECK_INT(sign(&w, w.ca.cert, &good, "ZZ/GOV/100", NULL), ERR_MALFORMED_SIGNATURE);
    buf_free(&good);
    buf_free(&auth_ocsp);
    world_close(&w);
}

/* The worked example's signer, as X-Road's own verifier takes it. */
TEST(signer_of_the_worked_example)
{
    static const char *const names[] = {"sign-rsa", "sign-ec"};
    char path[5000];
    size_t n, m, o;
    snprintf(path, sizeof path, "%s/xroad/worked/globalconf/ZZ/shared-params.xml", VECTORS());
    unsigned char *xml = test_file(path, &n);
    const struct globalconf_file files[] = {
        {"instance-identifier", SLICE_LIT("ZZ\n")},
        {"ZZ/shared-params.xml", slice_of(xml, n)},
        {"ZZ/shared-params.xml.metadata", SLICE_LIT("{\"configurationVersion\":\"6\"}")}};
    struct buf image;
    struct globalconf *g;
    buf_init(&image, 1u << 20);
    CHECK_INT(globalconf_from_files(files, 3, &image, &why), 0);
    CHECK_INT(globalconf_open(buf_view(&image), &g, &why), 0);
    struct id_client id = client("ZZ/GOV/100/registry");
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/xroad/worked/%s.cert.pem", VECTORS(), names[i]);
        unsigned char *pem = test_file(path, &m);
        snprintf(path, sizeof path, "%s/xroad/worked/%s.ocsp.der", VECTORS(), names[i]);
        unsigned char *der = test_file(path, &o);
        struct cert *c = cert_parse(slice_of(pem, m), &why);
        CHECK(c != NULL);
        struct slice ocsp = slice_of(der, o);
        /* responses of 10:00:00Z, fresh for an hour */
        if (trust_sign_cert(g, &id, c, NULL, 0, &ocsp, 1, WORLD_NOW + 300000, &until, NULL, &why) !=
            0)
            FAIL("%s: %s", names[i], why.text);
        CHECK(until > WORLD_NOW + 300000 && until <= WORLD_NOW + 3600000);
        CHECK_INT(
            trust_sign_cert(g, &id, c, NULL, 0, &ocsp, 1, WORLD_NOW + 3600001, &until, NULL, &why),
            ERR_INCORRECT_VALIDATION_INFO);
        cert_free(c);
        free(pem);
        free(der);
    }
    globalconf_close(g);
    buf_free(&image);
    free(xml);
}

/* --- profiles --- */

#define CN "2.5.4.3"
#define SN "2.5.4.5"
#define C "2.5.4.6"
#define O "2.5.4.10"
#define OU "2.5.4.11"
#define BC "2.5.4.15"
#define OI "2.5.4.97"

TEST(members_by_profile)
{
    static const struct {
        const char *profile;
        struct cert_rdn rdn[6];
        const char *member; /* NULL: an error */
        int code;
    } cases[] = {
        {"Ejbca", {{C, "ZZ"}, {O, "GOV"}, {CN, "1"}}, "ZZ/GOV/1", 0},
        {"Ejbca", {{C, "ZZ"}, {CN, "1"}}, NULL, ERR_INCORRECT_CERTIFICATE},
        {"Basic", {{BC, "GOV"}, {SN, "1"}}, "II/GOV/1", 0},
        {"Basic", {{SN, "1"}}, NULL, ERR_INCORRECT_CERTIFICATE},
        {"BasicACME", {{BC, "GOV"}, {SN, "1"}}, "II/GOV/1", 0},
        {"BasicACME", {{BC, "GOV"}}, NULL, ERR_INVALID_CERTIFICATE},
        {"FiVRK", {{C, "FI"}, {O, "x"}, {SN, "ZZ/ss/GOV"}, {CN, "1"}}, "ZZ/GOV/1", 0},
        {"FiVRK",
         {{C, "EE"}, {O, "x"}, {SN, "ZZ/ss/GOV"}, {CN, "1"}},
         NULL,
         ERR_INCORRECT_CERTIFICATE},
        {"FiVRK", {{C, "FI"}, {SN, "ZZ/ss/GOV"}, {CN, "1"}}, NULL, ERR_INCORRECT_CERTIFICATE},
        {"FiVRK",
         {{C, "FI"}, {O, "x"}, {SN, "ZZ/GOV"}, {CN, "1"}},
         NULL,
         ERR_INCORRECT_CERTIFICATE},
        {"FiVRK",
         {{C, "FI"}, {O, "x"}, {SN, "ZZ/s/s/GOV"}, {CN, "1"}},
         NULL,
         ERR_INCORRECT_CERTIFICATE},
        {"FiVRK", {{C, "FI"}, {O, "ZZ"}, {OU, "GOV"}, {CN, "1"}}, "ZZ/GOV/1", 0},
        {"FiVRK", {{C, "ZZ"}, {O, "GOV"}, {CN, "1"}}, "ZZ/GOV/1", 0},
        {"Is", {{C, "IS"}, {O, "ZZ"}, {OU, "GOV"}, {CN, "1"}, {SN, "x"}}, "ZZ/GOV/1", 0},
        {"Is", {{C, "IS"}, {O, "ZZ"}, {OU, "GOV"}, {CN, "1"}}, NULL, ERR_INCORRECT_CERTIFICATE},
        {"Is", {{C, "ZZ"}, {O, "GOV"}, {CN, "1"}}, "ZZ/GOV/1", 0},
        {"Fo", {{C, "FO"}, {O, "ZZ"}, {OU, "GOV"}, {CN, "1"}, {SN, "x"}}, "ZZ/GOV/1", 0},
        {"Fo", {{C, "ZZ"}, {O, "GOV"}, {CN, "1"}}, NULL, ERR_INCORRECT_CERTIFICATE},
        {"SkKlass3", {{OI, "NTREE-10000001"}}, "II/COM/10000001", 0},
        {"SkKlass3", {{OI, "GO:EE-70000001"}}, "II/GOV/70000001", 0},
        {"SkKlass3", {{OI, "NP:EE-80000001"}}, "II/NGO/80000001", 0},
        {"SkKlass3", {{OI, "NTRFI-123"}}, "II/NEE/NTRFI-123", 0},
        {"SkKlass3", {{SN, "10000001"}}, "II/COM/10000001", 0},
        {"SkKlass3", {{SN, "70000001"}}, "II/GOV/70000001", 0},
        {"SkKlass3", {{SN, "90000001"}}, "II/NGO/90000001", 0},
        {"SkKlass3", {{SN, "0000001"}}, NULL, ERR_INVALID_CERTIFICATE},
        {"SkKlass3", {{SN, "1000000a"}}, NULL, ERR_INVALID_CERTIFICATE},
        {"SkKlass3", {{CN, "x"}}, NULL, ERR_INVALID_CERTIFICATE},
        {"SkEsteId", {{SN, "38001085718"}}, "II/PERSON/38001085718", 0},
    };
    struct id_client claimed = client("II/X/Y"), got;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = 0;
        while (cases[i].rdn[n].oid != NULL)
            n++;
        struct arena *a = arena_new(100000);
        struct world_key k = world_issue(CERT_SIGN, cases[i].rdn, n, NULL, WORLD_NOW);
        int err = trust_profile_member(slice_str(trust_profile_class(cases[i].profile)), k.cert,
                                       &claimed, a, &got, &why);
        if (err != cases[i].code)
            FAIL("case %zu gives %s: %s", i, err_name(err), why.text);
        if (err == 0) {
            struct id_client want = client(cases[i].member);
            if (!id_client_eq(&got, &want))
                FAIL("case %zu gives %.*s/%.*s/%.*s", i, SLICE_ARG(got.instance),
                     SLICE_ARG(got.member_class), SLICE_ARG(got.member_code));
        }
        world_free_key(&k);
        arena_free(a);
    }
}

TEST(unknown_profiles)
{
    struct id_client claimed = client("II/X/Y"), got;
    struct arena *a = arena_new(100000);
    struct world_key k = world_named(CERT_SIGN, "x", NULL);
    CHECK_INT(trust_profile_member(SLICE_LIT("ee.ria.Other"), k.cert, &claimed, a, &got, &why),
              ERR_INTERNAL);
    /* a configuration names classes, not our short names */
    CHECK_INT(trust_profile_member(SLICE_LIT("Ejbca"), k.cert, &claimed, a, &got, &why),
              ERR_INTERNAL);
    CHECK(trust_profile_class("Other") == NULL);
    CHECK_STR(trust_profile_class("Ejbca"), WORLD_PROFILE);
    world_free_key(&k);
    arena_free(a);
}

/* Subjects made for a profile are read back as the same member by that profile. */
TEST(subjects_by_profile)
{
    static const char *const names[] = {"Ejbca", "Basic", "BasicACME", "FiVRK",
                                        "Is",    "Fo",    "SkKlass3"};
    const struct trust_subject s = {"ZZ", "GOV", "70000001", "Member", "ss1", "ss1.example", "ZZ"};
    struct id_client claimed = client("ZZ/GOV/70000001"), got;
    struct cert_rdn rdns[8];
    size_t n;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct arena *a = arena_new(100000);
        CHECK_INT(trust_profile_subject(slice_str(names[i]), TRUST_SIGN, &s, a, rdns, 8, &n, &why),
                  0);
        struct world_key k = world_issue(CERT_SIGN, rdns, n, NULL, WORLD_NOW);
        int err = trust_profile_member(slice_str(trust_profile_class(names[i])), k.cert, &claimed,
                                       a, &got, &why);
        if (err != 0 || !id_client_eq(&got, &claimed))
            FAIL("%s: %s", names[i], why.text);
        CHECK_INT(trust_profile_subject(slice_str(trust_profile_class(names[i])), TRUST_AUTH, &s, a,
                                        rdns, 8, &n, &why),
                  0);
        CHECK(n >= 2);
        world_free_key(&k);
        arena_free(a);
    }
    struct arena *a = arena_new(100000);
    CHECK_INT(trust_profile_subject(SLICE_LIT("Ejbca"), TRUST_AUTH, &s, a, rdns, 8, &n, &why), 0);
    CHECK_INT(n, 2);
    CHECK_STR(rdns[0].oid, C);
    CHECK_STR(rdns[0].value, "ZZ");
    CHECK_STR(rdns[1].oid, CN);
    CHECK_STR(rdns[1].value, "ss1");
    CHECK_INT(trust_profile_subject(SLICE_LIT("Is"), TRUST_SIGN, &s, a, rdns, 8, &n, &why), 0);
    CHECK_STR(rdns[4].value, "ZZ/GOV/70000001/ss1");
    CHECK_INT(trust_profile_subject(SLICE_LIT("Is"), TRUST_SIGN, &s, a, rdns, 4, &n, &why),
              ERR_TOO_LARGE);
    CHECK_INT(trust_profile_subject(SLICE_LIT("x"), TRUST_SIGN, &s, a, rdns, 8, &n, &why),
              ERR_UNSUPPORTED_ALGORITHM);
    arena_free(a);
}

TEST(subjects_that_lack_a_field)
{
    static const struct {
        const char *profile;
        enum trust_cert_kind kind;
        struct trust_subject s;
        const char *lacks;
    } cases[] = {
        {"Ejbca", TRUST_SIGN, {NULL, "GOV", "1", "M", "ss", "d", "EE"}, "instance"},
        {"Ejbca", TRUST_SIGN, {"ZZ", "", "1", "M", "ss", "d", "EE"}, "member class"},
        {"Ejbca", TRUST_SIGN, {"ZZ", "GOV", NULL, "M", "ss", "d", "EE"}, "member code"},
        {"Ejbca", TRUST_AUTH, {"ZZ", "GOV", "1", "M", NULL, "d", "EE"}, "server code"},
        {"Basic", TRUST_SIGN, {"ZZ", "GOV", "1", NULL, "ss", "d", "EE"}, "member name"},
        {"Basic", TRUST_AUTH, {"ZZ", "GOV", "1", "M", "ss", "", "EE"}, "DNS name"},
        {"FiVRK", TRUST_SIGN, {"ZZ", "GOV", "1", "M", NULL, "d", "EE"}, "server code"},
        {"Is", TRUST_SIGN, {"ZZ", "GOV", "1", "M", NULL, "d", "EE"}, "server code"},
        {"Is", TRUST_AUTH, {"ZZ", "GOV", NULL, "M", "ss", "d", "EE"}, "member code"},
        {"Fo", TRUST_AUTH, {"ZZ", "", "1", "M", "ss", "d", "EE"}, "member class"},
    };
    struct cert_rdn rdns[8];
    size_t n;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *a = arena_new(100000);
        why.text[0] = 0;
        int err = trust_profile_subject(slice_str(cases[i].profile), cases[i].kind, &cases[i].s, a,
                                        rdns, 8, &n, &why);
        if (err != ERR_USAGE || strstr(why.text, cases[i].lacks) == NULL)
            FAIL("%s without %s: %s", cases[i].profile, cases[i].lacks, why.text);
        arena_free(a);
    }
    struct arena *a = arena_new(100000);
    const struct trust_subject no_country = {"ZZ", "GOV", "1", "M", "ss", "d", NULL};
    CHECK_INT(
        trust_profile_subject(SLICE_LIT("Basic"), TRUST_SIGN, &no_country, a, rdns, 8, &n, &why),
        0);
    CHECK_INT(n, 4);
    arena_free(a);
}
