/* Message log records: encoding both ways, cutting of shared parts, refusal of damaged ones. */
#include "base/err.h"
#include "base/hex.h"
#include "gateway/pieces.h"
#include "gateway/record.h"
#include "test.h"
#include "vectors.h"

#include <stdlib.h>
#include <unistd.h>

static struct record_message sample(void)
{
    struct record_message m = {.side = RECORD_PROVIDER,
                               .response = true,
                               .has_body = true,
                               .time_ms = 1767607200123,
                               .body_size = 7,
                               .id = SLICE_LIT("ZZ-1"),
                               .request_id = SLICE_LIT("uuid"),
                               .party = SLICE_LIT("ZZ/GOV/100/registry"),
                               .head = SLICE_LIT("200\r\nOK\r\nx-road-id:ZZ-1\r\n"),
                               .result = SLICE_LIT("<result/>"),
                               .chain = SLICE_LIT("<chain/>"),
                               .signature = SLICE_LIT("<signature/>")};
    digest_of(DIGEST_SHA512, m.signature, &m.signature_hash);
    digest_of(DIGEST_SHA512, SLICE_LIT("payload"), &m.body_hash);
    return m;
}

TEST(a_message_record_comes_back_as_it_was)
{
    struct record_message m = sample(), got;
    struct buf b;
    struct diag d = {0};
    buf_init(&b, 1u << 20);
    record_message_put(&b, &m);
    CHECK_INT(record_message_get(buf_view(&b), &got, &d), 0);
    CHECK_INT(got.side, RECORD_PROVIDER);
    CHECK(got.response && got.has_body && !got.body_kept);
    CHECK_INT(got.time_ms, m.time_ms);
    CHECK_INT(got.body_size, 7);
    CHECK(slice_eq(got.id, m.id) && slice_eq(got.request_id, m.request_id));
    CHECK(slice_eq(got.party, m.party) && slice_eq(got.head, m.head));
    CHECK(slice_eq(got.result, m.result) && slice_eq(got.chain, m.chain));
    CHECK(slice_eq(got.signature, m.signature));
    CHECK(digest_eq(&got.signature_hash, &m.signature_hash));
    CHECK(digest_eq(&got.body_hash, &m.body_hash));
    buf_free(&b);
}

TEST(a_record_cut_anywhere_is_corrupt)
{
    struct record_message m = sample(), got;
    struct buf b;
    struct diag d = {0};
    buf_init(&b, 1u << 20);
    record_message_put(&b, &m);
    for (size_t n = 0; n < b.n; n++)
        CHECK_INT(record_message_get(slice_sub(buf_view(&b), 0, n), &got, &d), ERR_CORRUPT);
    buf_byte(&b, 0);
    CHECK_INT(record_message_get(buf_view(&b), &got, &d), ERR_CORRUPT);
    buf_free(&b);
}

/* The messages of a batch share one document, which travels to the log with the first of them. */
TEST(a_record_may_leave_its_document_out)
{
    struct record_message m = sample(), got;
    struct buf b;
    struct diag d = {0};
    size_t slot[RECORD_SLOTS] = {0};
    buf_init(&b, 1u << 20);
    m.signature = SLICE_NONE;
    record_message_put(&b, &m);
    CHECK_INT(record_message_get(buf_view(&b), &got, &d), 0);
    CHECK(got.signature.n == 0 && got.n_pieces == 0);
    CHECK(digest_eq(&got.signature_hash, &m.signature_hash));
    buf_free(&b);
    for (int i = 0; i < RECORD_SLOTS; i++) {
        m.side = i & 1 ? RECORD_PROVIDER : RECORD_CONSUMER;
        m.response = i & 2;
        slot[record_slot(&m)]++;
    }
    for (size_t i = 0; i < RECORD_SLOTS; i++)
        CHECK_INT(slot[i], 1);
}

/* The worked example's documents: what differs stays inline, and nothing is lost. */
TEST(shared_parts_of_a_signature_document_are_cut_out)
{
    static const char *const names[] = {"single-rsa", "single-ec", "batch-ec"};
    for (size_t k = 0; k < 3; k++) {
        char path[4200];
        size_t n, blobs = 0, inlined = 0;
        snprintf(path, sizeof path, "%s/xroad/worked/%s/signatures.xml", VECTORS(), names[k]);
        unsigned char *doc = test_file(path, &n);
        struct record_piece piece[RECORD_PIECES_MAX];
        size_t count = record_split(slice_of(doc, n), piece);
        struct buf joined;
        buf_init(&joined, 1u << 20);
        for (size_t i = 0; i < count; i++) {
            blobs += piece[i].blob;
            inlined += piece[i].blob ? 0 : piece[i].bytes.n;
            buf_slice(&joined, piece[i].bytes);
        }
        CHECK(slice_eq(buf_view(&joined), slice_of(doc, n)));
        CHECK(blobs >= 4);
        CHECK(inlined < n / 4);
        buf_free(&joined);
        free(doc);
    }
}

/* Documents of any other shape come back whole as well. */
TEST(a_foreign_document_is_cut_without_loss)
{
    static const char *const docs[] = {
        "",
        "<a/>",
        "<ds:SignedInfo><ds:DigestValue>x</ds:DigestValue></ds:SignedInfo>",
        "<ds:SignatureValue",
        "<ds:DigestValue>only</ds:DigestValue>",
        "</ds:SignedInfo><xades:SigningTime>t</xades:SigningTime><ds:X509Certificate>"};
    for (size_t k = 0; k < sizeof docs / sizeof docs[0]; k++) {
        struct record_piece piece[RECORD_PIECES_MAX];
        size_t count = record_split(slice_str(docs[k]), piece);
        struct buf joined;
        buf_init(&joined, 4096);
        for (size_t i = 0; i < count; i++)
            buf_slice(&joined, piece[i].bytes);
        CHECK(slice_eq_str(buf_view(&joined), docs[k]));
        buf_free(&joined);
    }
}

TEST(a_stamp_record_comes_back_as_it_was)
{
    struct record_stamp_entry e[2] = {{.seq = 41}, {.seq = 43}};
    struct record_stamp s = {SLICE_LIT("token"), e, 2}, got;
    struct arena *a = arena_new(1u << 20);
    struct diag d = {0};
    struct buf b;
    digest_of(DIGEST_SHA512, SLICE_LIT("a"), &e[0].hash);
    digest_of(DIGEST_SHA512, SLICE_LIT("b"), &e[1].hash);
    buf_init(&b, 1u << 20);
    record_stamp_put(&b, &s);
    CHECK_INT(record_stamp_get(a, buf_view(&b), &got, &d), 0);
    CHECK_INT(got.n, 2);
    CHECK_INT(got.entry[1].seq, 43);
    CHECK(digest_eq(&got.entry[1].hash, &e[1].hash) && slice_eq(got.token, s.token));
    for (size_t n = 0; n < b.n; n++)
        CHECK_INT(record_stamp_get(a, slice_sub(buf_view(&b), 0, n), &got, &d), ERR_CORRUPT);
    buf_free(&b);
    arena_free(a);
}

/* Clients choose message ids: none of them must stand between a document and its blobs. */
TEST(a_message_id_hides_no_blob)
{
    char dir[] = "/tmp/sild-record-XXXXXX", command[64], id[80] = "b:";
    static uint8_t shared[300];
    struct journal *j;
    struct blobs *blobs = blobs_new();
    struct record_piece piece = {true, slice_of(shared, sizeof shared)};
    struct buf out;
    struct diag d = {0};
    uint64_t seq;
    CHECK(mkdtemp(dir) != NULL);
    CHECK_INT(journal_open(dir, NULL, &j, &d), 0);
    CHECK_INT(blobs_store(blobs, j, &piece, 1, 1, &d), 0);
    hex_print(piece.bytes, id + 2);
    for (int i = 0; i < 20; i++)
        CHECK_INT(journal_append(j, RECORD_MESSAGE, 0, 1, slice_str(id), SLICE_LIT("x"), &seq, &d),
                  0);
    CHECK_INT(journal_sync(j, &d), 0);
    buf_init(&out, 1024);
    CHECK_INT(blobs_read(j, piece.bytes, &out, &d), 0);
    CHECK(slice_eq(buf_view(&out), slice_of(shared, sizeof shared)));
    buf_free(&out);
    blobs_free(blobs);
    journal_close(j);
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK_INT(system(command), 0);
}

static void check_joined(struct journal *j, const struct record_piece *piece, size_t n,
                         struct slice document)
{
    struct buf joined;
    struct diag d = {0};
    buf_init(&joined, 1u << 20);
    for (size_t i = 0; i < n; i++) {
        if (piece[i].blob)
            CHECK_INT(blobs_read(j, piece[i].bytes, &joined, &d), 0);
        else
            buf_slice(&joined, piece[i].bytes);
    }
    CHECK(slice_eq(buf_view(&joined), document));
    buf_free(&joined);
}

/* A document that comes again costs nothing, until the journal begins another segment. */
TEST(pieces_of_a_document_are_stored_once_a_segment)
{
    static const char *const names[] = {"single-rsa", "single-ec", "batch-ec"};
    static uint8_t filler[40000];
    char dir[] = "/tmp/sild-record-XXXXXX", command[64], path[4200];
    struct journal_options small = {.segment_bytes = 65536};
    struct journal *j;
    struct record_piece piece[RECORD_PIECES_MAX];
    struct diag d = {0};
    size_t n, len[3];
    unsigned char *doc[3];
    uint64_t seq, stored[2];
    for (int k = 0; k < 3; k++) {
        snprintf(path, sizeof path, "%s/xroad/worked/%s/signatures.xml", VECTORS(), names[k]);
        doc[k] = test_file(path, &len[k]);
    }
    struct blobs *blobs = blobs_new();
    struct pieces *p = pieces_new(blobs);
    CHECK(mkdtemp(dir) != NULL);
    CHECK_INT(journal_open(dir, &small, &j, &d), 0);
    for (int round = 0; round < 4; round++) {
        uint64_t before = journal_size(j);
        for (int k = 0; k < 3; k++) {
            CHECK_INT(pieces_store(p, j, slice_of(doc[k], len[k]), 1, piece, &n, &d), 0);
            CHECK_INT(journal_sync(j, &d), 0);
            check_joined(j, piece, n, slice_of(doc[k], len[k]));
        }
        if (round % 2 == 1) {
            CHECK_INT(journal_size(j), before);
            for (int i = 0; i < 2; i++) /* into the next segment */
                CHECK_INT(journal_append(j, RECORD_OPEN, 0, 1, SLICE_NONE,
                                         slice_of(filler, sizeof filler), &seq, &d),
                          0);
        } else {
            stored[round / 2] = journal_size(j) - before;
        }
    }
    CHECK(stored[0] >= 4);
    CHECK_INT(stored[1], stored[0]);
    for (int k = 0; k < 3; k++)
        free(doc[k]);
    pieces_free(p);
    blobs_free(blobs);
    journal_close(j);
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK_INT(system(command), 0);
}
