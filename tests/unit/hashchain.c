/* Hash chains: the worked example octet for octet, all shapes of batches, hostile documents. */
#include "vectors.h"

#include "base/err.h"
#include "evidence/hashchain_form.h"

#define SIG_URI "/sig-hashchain.xml#STEP0"

static struct digest sha512_of_vector(const char *name)
{
    struct slice s = vector("worked/%s", name);
    struct digest d;
    digest_of(DIGEST_SHA512, s, &d);
    vector_drop(s);
    return d;
}

static void check_digest(const struct digest *got, const char *label)
{
    struct digest want = vector_worked("== batch", label);
    if (!digest_eq(got, &want))
        FAIL("%s differs", label);
}

TEST(digests_of_the_worked_batch)
{
    struct digest d1 = sha512_of_vector("message1.xml"), n_l3[2], d2_a2[2], l1_l2[2], got;
    check_digest(&d1, "d1 = ");
    d2_a2[0] = sha512_of_vector("message2.txt");
    check_digest(&d2_a2[0], "d2 = ");
    d2_a2[1] = sha512_of_vector("message2.attachment1");
    check_digest(&d2_a2[1], "a2 = ");
    hashchain_step(DIGEST_SHA512, d2_a2, 2, &got);
    check_digest(&got, "L2 = ");
    l1_l2[0] = d1;
    l1_l2[1] = got;
    hashchain_step(DIGEST_SHA512, l1_l2, 2, &n_l3[0]);
    check_digest(&n_l3[0], "N = ");
    n_l3[1] = sha512_of_vector("message3.xml");
    check_digest(&n_l3[1], "d3 = ");
    hashchain_step(DIGEST_SHA512, n_l3, 2, &got);
    check_digest(&got, "T = ");
}

static void worked_messages(struct hashchain_message m[3])
{
    memset(m, 0, 3 * sizeof *m);
    for (int i = 0; i < 3; i++) {
        m[i].n = i == 1 ? 2 : 1;
        m[i].name[0] = SLICE_LIT("/message.xml");
    }
    m[0].digest[0] = sha512_of_vector("message1.xml");
    m[1].digest[0] = sha512_of_vector("message2.txt");
    m[1].name[1] = SLICE_LIT("/attachment1");
    m[1].digest[1] = sha512_of_vector("message2.attachment1");
    m[2].digest[0] = sha512_of_vector("message3.xml");
}

static void check_text(const struct buf *got, const char *name)
{
    struct slice want = vector("worked/batch-ec/%s", name);
    if (!slice_eq(buf_view(got), want))
        FAIL("%s differs:\n%.*s", name, SLICE_ARG(buf_view(got)));
    vector_drop(want);
}

TEST(documents_of_the_worked_batch_octet_for_octet)
{
    struct hashchain_message m[3];
    worked_messages(m);
    struct buf result, chain[3];
    buf_init(&result, 65536);
    for (int i = 0; i < 3; i++)
        buf_init(&chain[i], 65536);
    CHECK_INT(hashchain_build(DIGEST_SHA512, m, 3, SIG_URI, &result, chain), 0);
    check_text(&result, "sig-hashchainresult.xml");
    check_text(&chain[0], "message1.sig-hashchain.xml");
    check_text(&chain[1], "message2.sig-hashchain.xml");
    check_text(&chain[2], "message3.sig-hashchain.xml");
    struct digest d;
    digest_of(DIGEST_SHA512, buf_view(&result), &d);
    check_digest(&d, "SHA-512(data), 405 bytes");
    buf_free(&result);
    for (int i = 0; i < 3; i++)
        buf_free(&chain[i]);
}

static int verify_live(struct slice result, struct slice chain, const struct hashchain_message *m,
                       struct diag *d)
{
    struct arena *a = arena_new(8u << 20);
    struct hashchain_input in[HASHCHAIN_PARTS_MAX];
    for (size_t i = 0; i < m->n; i++)
        in[i] = (struct hashchain_input){m->name[i], true, m->digest[i], false};
    struct hashchain_outcome out;
    int rc = hashchain_verify(a, result, chain, SLICE_LIT("sig-hashchain.xml"), in, m->n, NULL,
                              NULL, &out, d);
    arena_free(a);
    return rc;
}

static void make_messages(struct hashchain_message *m, size_t n)
{
    static const char *const names[] = {"/message.xml", "/attachment1", "/attachment2",
                                        "/attachment3"};
    for (size_t i = 0; i < n; i++) {
        m[i].n = 1 + (i * 7 + n) % 4;
        for (size_t k = 0; k < m[i].n; k++) {
            size_t seed[3] = {n, i, k};
            m[i].name[k] = slice_str(names[k]);
            digest_of(DIGEST_SHA512, slice_of(seed, sizeof seed), &m[i].digest[k]);
        }
    }
}

TEST(each_message_of_each_batch_verifies_and_a_changed_one_does_not)
{
    enum { MAX = 40 };
    static struct hashchain_message m[MAX];
    for (size_t n = 1; n <= MAX; n++) {
        make_messages(m, n);
        struct buf result, chain[MAX];
        buf_init(&result, 65536);
        for (size_t i = 0; i < n; i++)
            buf_init(&chain[i], 65536);
        CHECK_INT(hashchain_build(DIGEST_SHA512, m, n, SIG_URI, &result, chain), 0);
        for (size_t i = 0; i < n; i++) {
            struct diag d = {0};
            int rc = verify_live(buf_view(&result), buf_view(&chain[i]), &m[i], &d);
            if (rc != 0)
                FAIL("message %zu of %zu: %s", i, n, d.text);
            size_t last = m[i].n - 1;
            m[i].digest[last].b[5] ^= 1;
            CHECK_INT(verify_live(buf_view(&result), buf_view(&chain[i]), &m[i], &d),
                      ERR_INVALID_HASH_CHAIN);
            m[i].digest[last].b[5] ^= 1;
            if (i > 0)
                CHECK(verify_live(buf_view(&result), buf_view(&chain[i - 1]), &m[i], &d) != 0);
        }
        buf_free(&result);
        for (size_t i = 0; i < n; i++)
            buf_free(&chain[i]);
    }
}

/* White space behind the root keeps a document out of the form and means nothing in XML. */
static int verify_parsed(struct slice result, struct slice chain, const struct hashchain_message *m)
{
    struct buf b;
    struct diag d = {0};
    buf_init(&b, 65536);
    buf_slice(&b, chain);
    buf_byte(&b, '\n');
    int rc = verify_live(result, buf_view(&b), m, &d);
    buf_free(&b);
    return rc;
}

static bool verify_form(struct slice result, struct slice chain, const struct hashchain_message *m)
{
    struct hashchain_input in[HASHCHAIN_PARTS_MAX];
    for (size_t i = 0; i < m->n; i++)
        in[i] = (struct hashchain_input){m->name[i], true, m->digest[i], false};
    return hashchain_form_verify(result, chain, SLICE_LIT("sig-hashchain.xml"), in, m->n);
}

/* Changes every octet of *what and looks what the form says; returns how often it says yes. */
static size_t mutate(struct buf *what, const struct buf *result, const struct buf *chain,
                     const struct hashchain_message *m)
{
    static const uint8_t other[] = {0x01, 0x20, 0x08, 0x80};
    size_t accepted = 0;
    for (size_t i = 0; i < what->n; i++)
        for (size_t k = 0; k < sizeof other; k++) {
            what->p[i] ^= other[k];
            if (verify_form(buf_view(result), buf_view(chain), m)) {
                accepted++;
                if (verify_parsed(buf_view(result), buf_view(chain), m) != 0)
                    FAIL("octet %zu: the form accepts what the parser refuses", i);
            }
            what->p[i] ^= other[k];
        }
    return accepted;
}

TEST(what_the_form_accepts_the_parser_accepts)
{
    enum { N = 5 };
    static struct hashchain_message m[N];
    struct buf result, chain[N];
    size_t accepted = 0;
    make_messages(m, N);
    buf_init(&result, 65536);
    for (size_t i = 0; i < N; i++)
        buf_init(&chain[i], 65536);
    CHECK_INT(hashchain_build(DIGEST_SHA512, m, N, SIG_URI, &result, chain), 0);
    for (size_t i = 0; i < N; i++) {
        CHECK(verify_form(buf_view(&result), buf_view(&chain[i]), &m[i]));
        CHECK(!verify_form(buf_view(&result), buf_view(&chain[i]), &m[(i + 1) % N]));
        CHECK_INT(verify_parsed(buf_view(&result), buf_view(&chain[i]), &m[i]), 0);
        accepted += mutate(&chain[i], &result, &chain[i], &m[i]);
        CHECK_INT(mutate(&result, &result, &chain[i], &m[i]), 0);
    }
    CHECK(accepted > 0); /* a DataRef's own value does not count: the input's does */
    buf_free(&result);
    for (size_t i = 0; i < N; i++)
        buf_free(&chain[i]);
}

TEST(largest_batch_is_made_and_one_more_is_refused)
{
    size_t n = HASHCHAIN_MESSAGES_MAX;
    struct hashchain_message *m = calloc(n + 1, sizeof *m);
    struct buf result, *chain = calloc(n + 1, sizeof *chain);
    CHECK(m != NULL && chain != NULL);
    buf_init(&result, 65536);
    for (size_t i = 0; i <= n; i++) {
        m[i].n = 1;
        m[i].name[0] = SLICE_LIT("/message.xml");
        digest_of(DIGEST_SHA512, slice_of(&i, sizeof i), &m[i].digest[0]);
        buf_init(&chain[i], 65536);
    }
    CHECK_INT(hashchain_build(DIGEST_SHA512, m, n + 1, SIG_URI, &result, chain), ERR_USAGE);
    CHECK_INT(hashchain_build(DIGEST_SHA512, m, 0, SIG_URI, &result, chain), ERR_USAGE);
    CHECK_INT(hashchain_build(DIGEST_SHA512, m, n, SIG_URI, &result, chain), 0);
    struct diag d = {0};
    CHECK_INT(verify_live(buf_view(&result), buf_view(&chain[n / 3]), &m[n / 3], &d), 0);
    buf_free(&result);
    for (size_t i = 0; i <= n; i++)
        buf_free(&chain[i]);
    free(chain);
    free(m);
}

/* --- the public vectors, SHA-256 --- */

struct world {
    struct slice message, other_chain;
};

static int world_file(void *ctx, struct slice name, struct slice *bytes)
{
    const struct world *w = ctx;
    if (slice_eq_str(name, "/message.xml") && w->message.n > 0)
        *bytes = w->message;
    else if (slice_eq_str(name, "/hashchain2.xml") && w->other_chain.n > 0)
        *bytes = w->other_chain;
    else
        return ERR_NOT_FOUND;
    return 0;
}

enum set_inputs {
    IN_MESSAGE,   /* its digest is asked from the file */
    IN_LIVE,      /* the message's digest, calculated */
    IN_NUMBERS,   /* one-octet digests of message and three attachments */
    IN_NUMBERS_5, /* one attachment more than the chain names */
    IN_OTHER_ALG, /* as IN_LIVE, but the digest is of another algorithm */
};

struct set {
    const char *name, *result, *chain, *message, *other_chain;
    enum set_inputs in;
    int want;
};

static const struct set sets[] = {
    {"1 from file", "1-hashchainresult", "1-hashchain", "1-message", NULL, IN_MESSAGE, 0},
    {"1 live", "1-hashchainresult", "1-hashchain", "1-message", NULL, IN_LIVE, 0},
    {"1 live, other algorithm", "1-hashchainresult", "1-hashchain", "1-message", NULL, IN_OTHER_ALG,
     ERR_INVALID_REFERENCE},
    {"1 with message 3", "1-hashchainresult", "1-hashchain", "3-message", NULL, IN_MESSAGE,
     ERR_INVALID_HASH_CHAIN_REF},
    {"1 with result 3", "3-hashchainresult", "1-hashchain", "1-message", NULL, IN_MESSAGE,
     ERR_INVALID_HASH_CHAIN},
    {"2 four inputs", "2-hashchainresult", "2-hashchain", NULL, NULL, IN_NUMBERS, 0},
    {"2 five inputs", "2-hashchainresult", "2-hashchain", NULL, NULL, IN_NUMBERS_5,
     ERR_HASHCHAIN_UNUSED_INPUTS},
    {"3 wrong digest", "3-hashchainresult", "3-hashchain-invalid", "3-message", NULL, IN_MESSAGE,
     ERR_INVALID_HASH_CHAIN_REF},
    {"3 Transforms", "3-hashchainresult", "3-hashchain", "3-message", NULL, IN_MESSAGE,
     ERR_MALFORMED_HASH_CHAIN},
    {"4 two documents", "4-hashchainresult", "4-hashchain1", "4-message", "4-hashchain2",
     IN_MESSAGE, 0},
    {"4 without the second", "4-hashchainresult", "4-hashchain1", "4-message", NULL, IN_MESSAGE,
     ERR_INVALID_REFERENCE},
    {"5 against its schema", "1-hashchainresult", "5-hashchain-invalid-schema", "1-message", NULL,
     IN_MESSAGE, ERR_MALFORMED_HASH_CHAIN},
    {"result as chain", "1-hashchainresult", "1-hashchainresult", "1-message", NULL, IN_MESSAGE,
     ERR_MALFORMED_HASH_CHAIN},
    {"no XML", "1-message", "1-hashchain", "1-message", NULL, IN_MESSAGE, ERR_MALFORMED_HASH_CHAIN},
};

static struct slice set_file(const char *name)
{
    return name == NULL ? SLICE_NONE : vector("hashchain/hc-verifier%s.xml", name);
}

static int run_set(const struct set *s, struct diag *d)
{
    struct slice result = set_file(s->result), chain = set_file(s->chain);
    struct world w = {set_file(s->message), set_file(s->other_chain)};
    static const char *const names[] = {"/message.xml", "/attachment1", "/attachment2",
                                        "/attachment3", "/attachment4"};
    struct hashchain_input in[5] = {0};
    size_t n = s->in == IN_NUMBERS ? 4 : s->in == IN_NUMBERS_5 ? 5 : 1;
    for (size_t i = 0; i < n; i++) {
        in[i].name = slice_str(names[i]);
        in[i].has_digest = s->in != IN_MESSAGE;
        in[i].digest = (struct digest){.alg = DIGEST_SHA256, .n = 1, .b = {(uint8_t)(0x0b + i)}};
    }
    if (s->in == IN_LIVE || s->in == IN_OTHER_ALG)
        digest_of(s->in == IN_LIVE ? DIGEST_SHA256 : DIGEST_SHA512, w.message, &in[0].digest);
    struct arena *a = arena_new(8u << 20);
    struct hashchain_outcome out;
    int rc = hashchain_verify(a, result, chain, SLICE_LIT("hashchain.xml"), in, n,
                              s->in == IN_MESSAGE ? world_file : NULL, &w, &out, d);
    arena_free(a);
    vector_drop(result);
    vector_drop(chain);
    vector_drop(w.message);
    vector_drop(w.other_chain);
    return rc;
}

TEST(public_vectors_have_their_verdicts)
{
    int wrong = 0;
    printf("# %-26s %-28s %s\n", "set", "expected", "got");
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        struct diag d = {0};
        int rc = run_set(&sets[i], &d);
        printf("# %-26s %-28s %s\n", sets[i].name,
               sets[i].want == 0 ? "valid" : err_name(sets[i].want),
               rc == 0 ? "valid" : err_name(rc));
        wrong += rc != sets[i].want;
    }
    CHECK_INT(wrong, 0);
}

/* --- documents of our own making --- */

#define HEAD                                                                                       \
    "<h:HashChain xmlns:h=\"http://cyber.ee/hashchain\" "                                          \
    "xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\">"                                              \
    "<h:DefaultDigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha512\"/>"
#define ONE_VALUE "<h:HashValue><d:DigestValue>AAAA</d:DigestValue></h:HashValue>"

static int verify_text(const char *chain, struct diag *d)
{
    static const char result[] =
        "<h:HashChainResult xmlns:h=\"http://cyber.ee/hashchain\" "
        "xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\" URI=\"/sig-hashchain.xml#A\">"
        "<d:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha512\"/>"
        "<d:DigestValue>AAAA</d:DigestValue></h:HashChainResult>";
    struct arena *a = arena_new(8u << 20);
    struct hashchain_outcome out;
    int rc = hashchain_verify(a, slice_str(result), slice_str(chain),
                              SLICE_LIT("sig-hashchain.xml"), NULL, 0, NULL, NULL, &out, d);
    arena_free(a);
    return rc;
}

TEST(hostile_chains_are_refused)
{
    static const struct {
        const char *chain;
        int want;
        const char *says;
    } t[] = {
        {HEAD "<h:HashStep id=\"A\"><h:StepRef URI=\"#A\"/></h:HashStep></h:HashChain>",
         ERR_MALFORMED_HASH_CHAIN, "cycle"},
        {HEAD "<h:HashStep id=\"A\"><h:StepRef URI=\"#B\"/></h:HashStep><h:HashStep id=\"B\">"
              "<h:StepRef URI=\"#A\"/></h:HashStep></h:HashChain>",
         ERR_MALFORMED_HASH_CHAIN, "cycle"},
        {HEAD "<h:HashStep id=\"A\"><h:StepRef URI=\"B\"/></h:HashStep></h:HashChain>",
         ERR_MALFORMED_HASH_CHAIN, "names no step"},
        {HEAD "<h:HashStep id=\"A\"><h:StepRef URI=\"#C\"/></h:HashStep></h:HashChain>",
         ERR_MALFORMED_HASH_CHAIN, "does not exist"},
        {HEAD "<h:HashStep id=\"A\">" ONE_VALUE "</h:HashStep><h:HashStep id=\"A\">" ONE_VALUE
              "</h:HashStep></h:HashChain>",
         ERR_MALFORMED_HASH_CHAIN, "doubled id"},
        {HEAD "<h:HashStep id=\"A\"></h:HashStep></h:HashChain>", ERR_MALFORMED_HASH_CHAIN,
         "no item"},
        {HEAD "<h:HashStep id=\"A\">text" ONE_VALUE "</h:HashStep></h:HashChain>",
         ERR_MALFORMED_HASH_CHAIN, "text"},
        {HEAD "<h:HashStep id=\"A\" x=\"y\">" ONE_VALUE "</h:HashStep></h:HashChain>",
         ERR_MALFORMED_HASH_CHAIN, "unknown attribute"},
        {HEAD "<h:HashStep id=\"A\"><h:DataRef URI=\"/message.xml\"><d:DigestValue>AAAA"
              "</d:DigestValue></h:DataRef></h:HashStep></h:HashChain>",
         ERR_INVALID_REFERENCE, "/message.xml"},
        {HEAD "<h:HashStep id=\"A\"><h:HashValue><d:DigestValue>!</d:DigestValue></h:HashValue>"
              "</h:HashStep></h:HashChain>",
         ERR_MALFORMED_HASH_CHAIN, "base64"},
        {HEAD "<h:HashStep id=\"A\">" ONE_VALUE "</h:HashStep></h:HashChain>",
         ERR_INVALID_HASH_CHAIN, "does not lead"},
        {"<!DOCTYPE x [<!ENTITY e \"y\">]>" HEAD "</h:HashChain>", ERR_MALFORMED_HASH_CHAIN, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct diag d = {0};
        int rc = verify_text(t[i].chain, &d);
        if (rc != t[i].want || strstr(d.text, t[i].says) == NULL)
            FAIL("chain %zu: %s \"%s\"", i, err_name(rc), d.text);
    }
}

/* Two steps a level, each named twice by the level above under two algorithms: reading a step again
 * for each way to it would take 2^60 turns. */
TEST(many_ways_to_one_step_cost_nothing)
{
    struct buf b;
    buf_init(&b, 65536);
    buf_str(&b, HEAD);
    for (int i = 0; i < 62; i++) {
        if (i == 0)
            buf_str(&b, "<h:HashStep id=\"A\">");
        else
            buf_printf(&b, "<h:HashStep id=\"S%d\">", i);
        buf_printf(&b,
                   "<h:StepRef URI=\"#S%d\"/><h:StepRef URI=\"#S%d\"><d:DigestMethod Algorithm="
                   "\"http://www.w3.org/2001/04/xmlenc#sha256\"/></h:StepRef></h:HashStep>",
                   i + 1, i + 1);
    }
    buf_str(&b, "<h:HashStep id=\"S62\">" ONE_VALUE "</h:HashStep></h:HashChain>");
    struct diag d = {0};
    CHECK_INT(verify_text(buf_cstr(&b), &d), ERR_INVALID_HASH_CHAIN);
    buf_free(&b);
}

TEST(too_many_steps_are_refused)
{
    struct buf b;
    buf_init(&b, 65536);
    buf_str(&b, HEAD);
    for (int i = 0; i <= HASHCHAIN_STEPS_MAX; i++)
        buf_printf(&b, "<h:HashStep id=\"S%d\">" ONE_VALUE "</h:HashStep>", i);
    buf_str(&b, "</h:HashChain>");
    struct diag d = {0};
    CHECK_INT(verify_text(buf_cstr(&b), &d), ERR_MALFORMED_HASH_CHAIN);
    CHECK(strstr(d.text, "more than 64") != NULL);
    buf_free(&b);
}
