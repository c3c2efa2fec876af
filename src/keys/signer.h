/*
 * The key process and how others ask it: a closed set of typed requests over ipc. It holds the keys
 * of one role, never touches the network, and gathers message signatures that wait into one batch
 * (signature.md section 4): sign at once when idle, gather while busy.
 *
 * The requests' and answers' bodies are encoded by the signer_put_/get_ functions below, both
 * directions here; bodies are little-endian cursors (base/cursor.h), read to their end.
 */
#ifndef SILD_KEYS_SIGNER_H
#define SILD_KEYS_SIGNER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "crypto/digest.h"
#include "proc/group.h"
#include "proc/ipc.h"

enum signer_type {
    SIGNER_MESSAGE = 1, /* sign a message's parts; answer SIGNER_MESSAGE_DONE */
    SIGNER_MESSAGE_DONE,
    SIGNER_TLS,    /* raw signature for a handshake, authentication keys only */
    SIGNER_HEAD,   /* a tree head: Ed25519 over a checkpoint's text, of the key's own origin */
    SIGNER_CONF,   /* a global configuration directory's signed bytes */
    SIGNER_CERT,   /* TBSCertificate */
    SIGNER_OCSP,   /* tbsResponseData */
    SIGNER_TSP,    /* CMS signed attributes */
    SIGNER_COSIGN, /* a witness's cosignature: Ed25519 over "cosignature/v1", time and checkpoint */
    SIGNER_AGGREGATE, /* an aggregator's note: Ed25519 over its text, of the key's own name */
    SIGNER_VALUE,     /* answer to all but SIGNER_MESSAGE: the value */
    SIGNER_FAILED,    /* u16 error code and a sentence */
};

/* What a key may be used for: one purpose each; a request of another kind is refused. */
struct signer_key {
    const char *name;     /* in the key store */
    enum signer_type use; /* the request type it serves */
    const char *member;   /* SIGNER_MESSAGE: "SILD/GOV/70000001", its owner; else NULL */
    struct slice cert;    /* SIGNER_MESSAGE: DER of the signing certificate */
    /* Others: a certificate's file below keys_dir that must be of this key, or NULL. */
    const char *cert_file;
    /* SIGNER_HEAD: of the checkpoints that it signs; SIGNER_AGGREGATE: the name in the notes; else
     * NULL */
    const char *origin;
};

#define SIGNER_PARTS_MAX 16
struct signer_message {
    struct slice member; /* whose key */
    struct slice cert;   /* SHA-256 of the key's certificate, which the signature will name; empty:
                            the member's first key */
    size_t parts;        /* part 0 is /message.xml, part i is /attachment<i> */
    struct digest part[SIGNER_PARTS_MAX]; /* SHA-512 */
};
void signer_put_message(struct buf *b, const struct signer_message *m);
int signer_get_message(struct slice body, struct signer_message *out) MUST_USE;

struct signer_result {
    int64_t signing_time_ms;
    struct slice value;  /* raw SignatureValue octets (ECDSA: r||s) */
    struct slice result; /* hash chain result document; empty: single form */
    struct slice chain;  /* hash chain document; empty: single form */
    uint32_t batch;      /* messages under this signature */
};
void signer_put_result(struct buf *b, const struct signer_result *r);
int signer_get_result(struct slice body, struct signer_result *out) MUST_USE; /* slices borrowed */

/* The body of SIGNER_FAILED. text is borrowed; a code not in base/err.h is malformed. */
void signer_put_failure(struct buf *b, int code, struct slice text);
int signer_get_failure(struct slice body, int *code, struct slice *text) MUST_USE;

/*
 * All other requests: key name, algorithm, and the bytes to sign (already hashed when `digested`).
 * The algorithm is that of alg_uri; where it is "", that of `digest` and `pss`; where digest is
 * DIGEST_NONE too, the key's default. Ed25519 takes whole data and no algorithm. Digests below
 * SHA-256 are refused. The value is as in ASN.1: ECDSA in DER.
 */
struct signer_raw {
    struct slice key;
    struct slice alg_uri;
    bool digested;
    bool pss; /* RSA-PSS padding: MGF1 with the same digest, salt as long as the digest */
    enum digest_alg digest;
    struct slice data;
};
void signer_put_raw(struct buf *b, const struct signer_raw *r);
int signer_get_raw(struct slice body, struct signer_raw *out) MUST_USE;

/*
 * The key process's main loop: loads the keys named, then serves its lines until stopped.
 * batch_max: messages in one signature (1: never gather).
 */
int signer_run(struct group_self *self, const char *keys_dir, const struct signer_key *keys,
               size_t n, size_t batch_max);

/*
 * Other keys for a running key process, which may open no files: what its parent passes to it
 * behind "reload" and a line feed. The sealed key files go as they are. n keys without cert_file.
 * ERR_KEY_NOT_FOUND, ERR_TOO_LARGE. Keys that are no longer named stay for a while, for who still
 * asks by their certificate.
 */
int signer_put_keys(struct buf *b, const char *keys_dir, const struct signer_key *keys, size_t n,
                    struct diag *d) MUST_USE;

/* Blocking raw request on a line of one's own (names with "!"); appends the value. A refusal's code
 * and sentence come back as they were given; ERR_TOO_LARGE over IPC_INLINE_MAX (send a digest
 * then); ERR_KEY_NOT_AVAILABLE when there is no answer. */
int signer_call(int fd, enum signer_type type, const struct signer_raw *r, struct buf *value,
                struct diag *d) MUST_USE;

#endif
