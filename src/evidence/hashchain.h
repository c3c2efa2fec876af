/*
 * Hash chains of batch signatures and batch time-stamps (signature.md 3, 4): DER digest lists, the
 * tree over messages, result and chain documents byte for byte as X-Road lays them out,
 * verification.
 */
#ifndef SILD_EVIDENCE_HASHCHAIN_H
#define SILD_EVIDENCE_HASHCHAIN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "crypto/digest.h"

#define HASHCHAIN_MESSAGES_MAX 16384
#define HASHCHAIN_PARTS_MAX 16
#define HASHCHAIN_STEPS_MAX 64
#define HASHCHAIN_ITEMS_MAX 64 /* of one step */

/* Hash(DER(DigestList)): each item under its own algorithm's URI, the list hashed with alg. n is at
 * most HASHCHAIN_ITEMS_MAX. */
void hashchain_step(enum digest_alg alg, const struct digest *items, size_t n, struct digest *out);

/* "/message.xml", "/attachment1", …: the name of part i, below HASHCHAIN_PARTS_MAX. */
const char *hashchain_part_name(size_t i);

/* One message of a batch: its parts' names ("/message.xml", "/attachment1") and digests. */
struct hashchain_message {
    size_t n;
    struct slice name[HASHCHAIN_PARTS_MAX];
    struct digest digest[HASHCHAIN_PARTS_MAX];
};
/*
 * The tree over all messages. `result_uri` is "/sig-hashchain.xml#STEP0" or
 * "/ts-hashchain.xml#STEP0". result: the document signed. chains[i] gets message i's document
 * (append; init'ed by the caller).
 */
int hashchain_build(enum digest_alg alg, const struct hashchain_message *m, size_t n,
                    const char *result_uri, struct buf *result, struct buf *chains) MUST_USE;

/*
 * The same tree over files of one name each, of which only the digests are at hand: the result
 * document and the chain of file `which` (either may be NULL).
 */
int hashchain_over(enum digest_alg alg, const struct digest *leaf, size_t n, const char *name,
                   const char *result_uri, size_t which, struct buf *result,
                   struct buf *chain) MUST_USE;

/* Known digests of parts (live messages), and files of a container. */
struct hashchain_input {
    struct slice name; /* "/message.xml" */
    bool has_digest;   /* live: taken from here; else the file is asked for */
    struct digest digest;
    bool of_file; /* the digest is that of a file: the document's value must be it too */
};
/* A file's bytes by its URI ("/message.xml") for containers: 0, or ERR_NOT_FOUND (then a data
 * reference is taken as given). NULL: no files. */
typedef int (*hashchain_file)(void *ctx, struct slice name, struct slice *bytes);
struct hashchain_open { /* DataRefs that were taken as given */
    struct slice name;
    struct digest digest;
};
struct hashchain_outcome { /* the slices are in the arena */
    struct hashchain_open open[HASHCHAIN_PARTS_MAX];
    size_t n_open;
};
/*
 * signature.md 4.4, with bounded depth, no step cycles, no Transforms. Errors:
 * ERR_MALFORMED_HASH_CHAIN, ERR_INVALID_REFERENCE, ERR_INVALID_HASH_CHAIN_REF,
 * ERR_INVALID_HASH_CHAIN, ERR_HASHCHAIN_UNUSED_INPUTS. chain_name: the chain document's file name
 * without "/" ("sig-hashchain.xml"); other chain documents that a step refers to come from `file`.
 */
int hashchain_verify(struct arena *a, struct slice result, struct slice chain,
                     struct slice chain_name, const struct hashchain_input *in, size_t n,
                     hashchain_file file, void *ctx, struct hashchain_outcome *out,
                     struct diag *d) MUST_USE;

#endif
