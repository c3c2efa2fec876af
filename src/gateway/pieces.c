#include "gateway/pieces.h"

#include <stdlib.h>
#include <string.h>

#define DONE_MAX 8
#define DOCUMENT_MAX (64u << 10)
#define SHA256_LEN 32

/* A document whose blobs the segment beginning at `segment` has. */
struct done {
    struct buf document;
    uint64_t segment;
    struct {
        bool blob;
        size_t from, n; /* inline: where in the document */
        uint8_t sha256[SHA256_LEN];
    } piece[RECORD_PIECES_MAX];
    size_t n;
};

struct pieces {
    struct blobs *blobs;
    struct done done[DONE_MAX];
    size_t next;
};

struct pieces *pieces_new(struct blobs *b)
{
    struct pieces *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->blobs = b;
    for (size_t i = 0; i < DONE_MAX; i++)
        buf_init(&p->done[i].document, DOCUMENT_MAX);
    return p;
}

void pieces_free(struct pieces *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < DONE_MAX; i++)
        buf_free(&p->done[i].document);
    free(p);
}

static const struct done *find(const struct pieces *p, uint64_t segment, struct slice document)
{
    for (size_t i = 0; i < DONE_MAX; i++) {
        const struct done *k = &p->done[i];
        if (k->n > 0 && k->segment == segment && slice_eq(buf_view(&k->document), document))
            return k;
    }
    return NULL;
}

static size_t copy(const struct done *k, struct record_piece *piece)
{
    for (size_t i = 0; i < k->n; i++) {
        piece[i].blob = k->piece[i].blob;
        piece[i].bytes = k->piece[i].blob
                             ? slice_of(k->piece[i].sha256, SHA256_LEN)
                             : slice_sub(buf_view(&k->document), k->piece[i].from, k->piece[i].n);
    }
    return k->n;
}

static void remember(struct pieces *p, uint64_t segment, struct slice document,
                     const struct record_piece *piece, size_t n)
{
    struct done *k = &p->done[p->next];
    p->next = (p->next + 1) % DONE_MAX;
    k->n = 0;
    buf_reset(&k->document);
    buf_slice(&k->document, document);
    if (k->document.failed)
        return;
    for (size_t i = 0; i < n; i++) {
        k->piece[i].blob = piece[i].blob;
        if (piece[i].blob)
            memcpy(k->piece[i].sha256, piece[i].bytes.p, SHA256_LEN);
        else
            k->piece[i].from = (size_t)(piece[i].bytes.p - document.p);
        k->piece[i].n = piece[i].bytes.n;
    }
    k->segment = segment;
    k->n = n;
}

int pieces_store(struct pieces *p, struct journal *j, struct slice document, int64_t now_ms,
                 struct record_piece piece[RECORD_PIECES_MAX], size_t *n, struct diag *d)
{
    uint64_t segment = journal_segment(j);
    const struct done *k = find(p, segment, document);
    if (k != NULL) {
        *n = copy(k, piece);
        return 0;
    }
    *n = record_split(document, piece);
    int rc = blobs_store(p->blobs, j, piece, *n, now_ms, d);
    if (rc == 0 && journal_segment(j) == segment)
        remember(p, segment, document, piece, *n);
    return rc;
}
