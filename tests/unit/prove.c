/*
 * Proofs of a journal's records, by heads that a ledger of the test's own accepted; and the proof
 * that a global configuration was logged.
 */
#include "base/base64.h"
#include "base/err.h"
#include "crypto/digest.h"
#include "journal/journal_record.h"
#include "submit/logged_conf.h"
#include "submit/prove.h"
#include "test.h"
#include "tlog/chain.h"

#define LOG "ledger.example"
#define ORIGIN "T/authority/changes"
#define RECORDS 40

static char dir_now[64];
static EVP_PKEY *log_key, *journal_key;
static struct note_key log_public, journal_public;
static struct policy *policy;

__attribute__((destructor)) static void clean(void)
{
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir_now);
    if (dir_now[0] != 0 && system(cmd) != 0)
        printf("# cannot remove %s\n", dir_now);
    EVP_PKEY_free(log_key);
    EVP_PKEY_free(journal_key);
    note_key_free(&log_public);
    note_key_free(&journal_public);
    policy_free(policy);
}

static EVP_PKEY *new_key(const char *name, struct note_key *out)
{
    uint8_t public[32];
    size_t n = sizeof public;
    EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    CHECK(k != NULL && EVP_PKEY_get_raw_public_key(k, public, &n) == 1);
    CHECK_INT(note_key_make(slice_str(name), NOTE_ED25519, public, out, NULL), 0);
    return k;
}

/* Keys, and a policy that wants the log's signature alone. */
static void begin(void)
{
    struct buf text;
    struct diag d = {0};
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir_now);
    CHECK(dir_now[0] == 0 || system(cmd) == 0);
    strcpy(dir_now, "/tmp/sild-prove-XXXXXX");
    CHECK(mkdtemp(dir_now) != NULL);
    if (policy != NULL)
        return;
    log_key = new_key(LOG, &log_public);
    journal_key = new_key(ORIGIN, &journal_public);
    buf_init(&text, 4096);
    buf_str(&text, "log ");
    note_key_print(&log_public, &text);
    buf_str(&text, "\nquorum none\n");
    if (policy_parse(buf_view(&text), &policy, &d) != 0)
        FAIL("%s", d.text);
    buf_free(&text);
}

static void sign_note(EVP_PKEY *key, const struct note_key *public, const struct checkpoint *c,
                      struct buf *out)
{
    uint8_t value[64];
    size_t n = sizeof value;
    struct buf text;
    buf_init(&text, CHECKPOINT_TEXT_MAX);
    checkpoint_print(c, &text);
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit(m, NULL, NULL, NULL, key) == 1);
    CHECK(EVP_DigestSign(m, value, &n, text.p, text.n) == 1);
    EVP_MD_CTX_free(m);
    note_print(buf_view(&text), public, value, out);
    buf_free(&text);
}

/* What a ledger answers when the journal's head is the only one in its only round. */
static void answer(struct journal *j, const struct note_key *public, EVP_PKEY *key, struct buf *out)
{
    struct checkpoint head = {.origin = note_key_name(public), .size = journal_durable(j)};
    struct checkpoint tree = {.origin = SLICE_LIT(LOG), .size = 1};
    struct round_record r = {.round = 0, .time_ms = 1000, .entries = 1, .heads = 1};
    struct chain_answer *a = calloc(1, sizeof *a);
    struct buf note, entry, checkpoint;
    buf_init(&note, NOTE_MAX);
    buf_init(&entry, ENTRY_MAX);
    buf_init(&checkpoint, NOTE_MAX);
    CHECK(a != NULL && journal_root(j, head.size, &head.root, NULL) == 0);
    sign_note(key, public, &head, &note);
    entry_print(public, buf_view(&note), &entry);
    merkle_leaf(buf_view(&entry), &r.root);
    round_record_print(&r, a->record);
    merkle_leaf(slice_of(a->record, sizeof a->record), &tree.root);
    sign_note(log_key, &log_public, &tree, &checkpoint);
    a->entry = buf_view(&entry);
    a->round.of = 1;
    a->checkpoint = buf_view(&checkpoint);
    chain_answer_print(a, out);
    buf_free(&note);
    buf_free(&entry);
    buf_free(&checkpoint);
    free(a);
}

struct world {
    struct journal *journal;
    struct heads *heads;
};

static struct world open_world(void)
{
    struct world w;
    struct diag d = {0};
    char path[128];
    begin();
    snprintf(path, sizeof path, "%s/journal", dir_now);
    CHECK_INT(journal_open(path, NULL, &w.journal, &d), 0);
    snprintf(path, sizeof path, "%s/heads", dir_now);
    CHECK_INT(heads_open(path, false, &w.heads, &d), 0);
    return w;
}

static void close_world(struct world *w)
{
    journal_close(w->journal);
    heads_close(w->heads);
}

static uint64_t append(struct world *w, uint16_t type, struct slice payload)
{
    struct diag d = {0};
    uint64_t seq;
    CHECK_INT(journal_append(w->journal, type, 0, 7, SLICE_NONE, payload, &seq, &d), 0);
    CHECK_INT(journal_sync(w->journal, &d), 0);
    return seq;
}

static void accept_head(struct world *w, const struct note_key *public, EVP_PKEY *key)
{
    struct diag d = {0};
    struct buf text;
    buf_init(&text, HEADS_ANSWER_MAX);
    answer(w->journal, public, key, &text);
    if (heads_append(w->heads, 8, buf_view(&text), &d) != 0)
        FAIL("%s", d.text);
    buf_free(&text);
}

static int check_proof(struct slice proof, uint64_t seq, struct diag *d)
{
    struct chain *c = calloc(1, sizeof *c);
    struct chain_verdict *v = calloc(1, sizeof *v);
    int rc = chain_parse(proof, c, d);
    rc = rc != 0 ? rc : chain_verify(c, policy, NULL, v, d);
    bool right = rc != 0 || (v->index == seq && slice_eq_str(v->origin, ORIGIN));
    free(c);
    free(v);
    CHECK(right);
    return rc;
}

TEST(each_record_is_proven_by_the_first_head_over_it)
{
    struct world w = open_world();
    struct buf proof;
    struct diag d = {0};
    uint64_t size;
    char payload[32];
    buf_init(&proof, 1u << 20);
    for (int i = 0; i < RECORDS; i++) {
        snprintf(payload, sizeof payload, "record %d", i);
        append(&w, 9, slice_str(payload));
        if (i % 7 == 6)
            accept_head(&w, &journal_public, journal_key);
    }
    for (uint64_t seq = 0; seq < RECORDS; seq++) {
        buf_reset(&proof);
        int rc = prove_record(w.journal, w.heads, seq, &proof, &d);
        CHECK_INT(rc, seq < 35 ? 0 : ERR_NOT_FOUND);
        if (rc != 0)
            continue;
        if (check_proof(buf_view(&proof), seq, &d) != 0)
            FAIL("record %llu: %s: %s", (unsigned long long)seq, d.where, d.text);
        struct chain *c = calloc(1, sizeof *c);
        CHECK(chain_parse(buf_view(&proof), c, NULL) == 0);
        struct buf head;
        buf_init(&head, HEADS_ANSWER_MAX);
        chain_answer_print(&c->answer, &head);
        CHECK(heads_size(buf_view(&head), &size));
        CHECK_INT(size, (seq / 7 + 1) * 7);
        buf_free(&head);
        free(c);
    }
    buf_free(&proof);
    close_world(&w);
}

TEST(an_erased_salt_takes_one_proof_and_no_other)
{
    struct world w = open_world();
    struct buf proof, kept;
    struct diag d = {0};
    buf_init(&proof, 1u << 20);
    buf_init(&kept, 1u << 20);
    for (int i = 0; i < 10; i++)
        append(&w, 9, SLICE_LIT("38001010009 is what one person's record says"));
    accept_head(&w, &journal_public, journal_key);
    CHECK_INT(prove_record(w.journal, w.heads, 4, &kept, &d), 0);
    CHECK_INT(journal_erase_salt(w.journal, 4, &d), 0);
    accept_head(&w, &journal_public, journal_key); /* the same size and root: nothing changed */
    CHECK_INT(heads_count(w.heads), 1);
    for (uint64_t seq = 0; seq < 10; seq++) {
        buf_reset(&proof);
        CHECK_INT(prove_record(w.journal, w.heads, seq, &proof, &d), seq == 4 ? ERR_NOT_FOUND : 0);
        if (seq != 4)
            CHECK_INT(check_proof(buf_view(&proof), seq, &d), 0);
    }
    /* Who has the record, and all that is left of the journal, cannot show that it was in it. */
    struct chain *c = calloc(1, sizeof *c);
    struct buf changed;
    buf_init(&changed, 1u << 20);
    CHECK_INT(chain_parse(buf_view(&kept), c, &d), 0);
    memset(c->salt, 0, sizeof c->salt);
    chain_print(c, &changed);
    CHECK_INT(check_proof(buf_view(&changed), 4, &d), ERR_INVALID_HASH_CHAIN);
    free(c);
    buf_free(&changed);
    buf_free(&proof);
    buf_free(&kept);
    close_world(&w);
}

/* --- configurations --- */

static const char directory[] = "a signed directory", other[] = "another signed directory";

static uint64_t log_directories(struct world *w, uint16_t type)
{
    struct buf text;
    buf_init(&text, 4096);
    logged_conf_begin(&text);
    logged_conf_add(&text, "V6/internalconf", slice_str(directory));
    logged_conf_add(&text, "V6/externalconf", SLICE_LIT("an external one"));
    uint64_t seq = append(w, type, buf_view(&text));
    buf_free(&text);
    return seq;
}

static int verify_conf(const char *dir, struct slice proof, const char *instance, struct diag *d)
{
    return logged_conf_verify(slice_str(dir), proof, policy, slice_str(instance), d);
}

TEST(a_logged_configuration)
{
    struct world w = open_world();
    struct buf proof;
    struct diag d = {0};
    buf_init(&proof, LOGGED_CONF_PROOF_MAX);
    append(&w, 1, SLICE_LIT("a change"));
    uint64_t seq = log_directories(&w, LOGGED_CONF_RECORD);
    uint64_t wrong_type = log_directories(&w, 1);
    accept_head(&w, &journal_public, journal_key);
    CHECK_INT(prove_record(w.journal, w.heads, seq, &proof, &d), 0);
    if (verify_conf(directory, buf_view(&proof), "T", &d) != 0)
        FAIL("%s: %s", d.where, d.text);
    CHECK_INT(verify_conf("an external one", buf_view(&proof), "T", &d), 0);
    CHECK_INT(verify_conf(other, buf_view(&proof), "T", &d), ERR_INCORRECT_VALIDATION_INFO);
    CHECK(strstr(d.text, "another configuration") != NULL);
    CHECK_INT(verify_conf("", buf_view(&proof), "T", &d), ERR_INCORRECT_VALIDATION_INFO);
    CHECK_INT(verify_conf(directory, buf_view(&proof), "U", &d), ERR_INCORRECT_VALIDATION_INFO);
    CHECK(strstr(d.text, ORIGIN) != NULL);
    CHECK(verify_conf(directory, SLICE_NONE, "T", &d) != 0);
    /* Every byte counts. */
    size_t refused = 0;
    for (size_t i = 0; i < proof.n; i++) {
        proof.p[i] ^= 1;
        refused += verify_conf(directory, buf_view(&proof), "T", &d) != 0;
        proof.p[i] ^= 1;
    }
    CHECK_INT(refused, proof.n);
    buf_reset(&proof);
    CHECK_INT(prove_record(w.journal, w.heads, wrong_type, &proof, &d), 0);
    CHECK_INT(verify_conf(directory, buf_view(&proof), "T", &d), ERR_INCORRECT_VALIDATION_INFO);
    CHECK(strstr(d.text, "no configuration") != NULL);
    buf_free(&proof);
    close_world(&w);
}

/* A journal of somebody else in the same ledger says the same. */
TEST(a_configuration_in_another_journal)
{
    struct note_key public;
    struct buf proof;
    struct diag d = {0};
    struct world w = open_world();
    EVP_PKEY *key = new_key("T/GOV/1/gateway/messages", &public);
    buf_init(&proof, LOGGED_CONF_PROOF_MAX);
    uint64_t seq = log_directories(&w, LOGGED_CONF_RECORD);
    accept_head(&w, &public, key);
    CHECK_INT(prove_record(w.journal, w.heads, seq, &proof, &d), 0);
    CHECK_INT(verify_conf(directory, buf_view(&proof), "T", &d), ERR_INCORRECT_VALIDATION_INFO);
    CHECK(strstr(d.text, "not the authority's") != NULL);
    buf_free(&proof);
    EVP_PKEY_free(key);
    note_key_free(&public);
    close_world(&w);
}

/* A ledger that the policy does not name. */
TEST(a_configuration_in_another_ledger)
{
    struct buf proof;
    struct diag d = {0};
    struct world w = open_world();
    struct policy *mine = policy;
    EVP_PKEY *stranger = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), *key = log_key;
    buf_init(&proof, LOGGED_CONF_PROOF_MAX);
    uint64_t seq = log_directories(&w, LOGGED_CONF_RECORD);
    log_key = stranger;
    accept_head(&w, &journal_public, journal_key);
    log_key = key;
    CHECK_INT(prove_record(w.journal, w.heads, seq, &proof, &d), 0);
    CHECK(logged_conf_verify(slice_str(directory), buf_view(&proof), mine, SLICE_LIT("T"), &d) !=
          0);
    buf_free(&proof);
    EVP_PKEY_free(stranger);
    close_world(&w);
}
