/*
 * What the agent hands to workers and log in one sealed memfd: a generation of everything that can
 * change. Little-endian:
 *     "SSN1"  u32 total length   u64 generation   u64 expires_ms
 *     u32 sections, each: u16 type  u16 index  u32 offset  u32 length
 * Sections: the server configuration's text with files inlined, the global configuration's image,
 * OCSP responses of own certificates, resolved addresses. A reader checks the bounds once.
 */
#ifndef SILD_GATEWAY_SNAPSHOT_H
#define SILD_GATEWAY_SNAPSHOT_H

#include "crypto/ocsp.h"
#include "gateway/serverconf.h"
#include "net/conn.h"
#include "xroad/globalconf.h"

enum snapshot_section {
    SNAPSHOT_SERVERCONF = 1, /* text */
    SNAPSHOT_GLOBALCONF,     /* image */
    SNAPSHOT_OCSP,           /* index: key in serverconf; DER; absent when there is none */
    SNAPSHOT_CHAIN_CERT, /* certificates of the own TLS chain above the leaf, in order (may be none)
                          */
    SNAPSHOT_CHAIN_OCSP, /* their OCSP responses, same index */
    SNAPSHOT_ADDRESSES,  /* var host, u16 n, n × {u8 4|6, 4|16 bytes}: every host of the
                            configuration */
};

struct snapshot {
    uint64_t generation;
    int64_t expires_ms;
    struct serverconf conf;
    struct globalconf *gc;
    struct slice ocsp[SERVERCONF_KEYS_MAX];          /* of keys[i]; empty: none */
    struct ocsp_info ocsp_info[SERVERCONF_KEYS_MAX]; /* the same, read once */
    bool ocsp_read[SERVERCONF_KEYS_MAX];             /* false: there is none, or it is malformed */
    struct cert *cert[SERVERCONF_KEYS_MAX];          /* keys[i]'s certificate, parsed */
    struct slice chain[8], chain_ocsp[8];            /* own TLS chain above the leaf */
    size_t n_chain;
    unsigned refs;
    /* owned: mapping and arena */
    void *map;
    size_t map_len;
    struct arena *arena;
    struct slice addresses;
};

/* Writer (agent): sections into a sealed memfd; *fd is the caller's. */
struct snapshot_part {
    enum snapshot_section type;
    uint16_t index;
    struct slice bytes;
};
int snapshot_write(uint64_t generation, int64_t expires_ms, const struct snapshot_part *parts,
                   size_t n, int *fd, struct diag *d) MUST_USE;

/* Reader: maps, checks, parses. Takes the descriptor, which must be sealed. refs is 1. */
int snapshot_open(int fd, struct snapshot **out, struct diag *d) MUST_USE;
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s);

/* Addresses of a host name or number from the configuration, with this port; 0 when unknown. */
size_t snapshot_resolve(const struct snapshot *s, struct slice host, uint16_t port,
                        struct net_addr *out, size_t max);
/* Where servers of the own instance may connect from: their addresses as numbers, and whatever
 * names of the configuration resolved to. Returns how many there are, of which max are put into
 * out. */
size_t snapshot_servers(const struct snapshot *s, struct net_addr *out, size_t max);
/* Index of the signing key that a member signs with now: certificate in its time, OCSP fresh. -1
 * with d. */
int snapshot_sign_key(const struct snapshot *s, const struct id_client *member, int64_t now_ms,
                      struct diag *d);
int snapshot_auth_key(const struct snapshot *s); /* -1: none */

#endif
