#include "gateway/snapshot.h"
#include "base/cursor.h"
#include "base/err.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD 28  /* magic, length, generation, expiry, sections */
#define ENTRY 12 /* type, index, offset, length */
#define SECTIONS_MAX 128
#define CONF_ARENA (8u << 20)

static const uint8_t magic[4] = {'S', 'S', 'N', '1'};

static int write_all(int fd, struct slice s)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);
        if (n <= 0)
            return ERR_IO;
        s = slice_from(s, (size_t)n);
    }
    return 0;
}

int snapshot_write(uint64_t generation, int64_t expires_ms, const struct snapshot_part *parts,
                   size_t n, int *fd, struct diag *d)
{
    uint8_t head[HEAD + SECTIONS_MAX * ENTRY];
    size_t at = HEAD + n * ENTRY;
    if (n > SECTIONS_MAX)
        return diag_set(d, ERR_TOO_LARGE, "a snapshot of %zu sections", n);
    for (size_t i = 0; i < n; i++) {
        uint8_t *e = head + HEAD + i * ENTRY;
        put_u16(e, (uint16_t)parts[i].type);
        put_u16(e + 2, parts[i].index);
        put_u32(e + 4, (uint32_t)at);
        put_u32(e + 8, (uint32_t)parts[i].bytes.n);
        at += parts[i].bytes.n;
        if (at > UINT32_MAX)
            return diag_set(d, ERR_TOO_LARGE, "a snapshot over 4 GiB");
    }
    memcpy(head, magic, 4);
    put_u32(head + 4, (uint32_t)at);
    put_u64(head + 8, generation);
    put_u64(head + 16, (uint64_t)expires_ms);
    put_u32(head + 24, (uint32_t)n);
    *fd = memfd_create("sild-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return diag_set(d, ERR_IO, "memfd_create failed");
    int rc = write_all(*fd, slice_of(head, HEAD + n * ENTRY));
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = write_all(*fd, parts[i].bytes);
    if (rc == 0 &&
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        rc = ERR_IO;
    if (rc != 0) {
        close(*fd);
        *fd = -1;
        return diag_set(d, rc, "a snapshot could not be written");
    }
    return 0;
}

/* Puts one section where it belongs; false when the index is out of range. */
static bool take_section(struct snapshot *s, unsigned type, unsigned index, struct slice bytes,
                         struct slice *conf, struct slice *image)
{
    switch (type) {
    case SNAPSHOT_SERVERCONF:
        *conf = bytes;
        return true;
    case SNAPSHOT_GLOBALCONF:
        *image = bytes;
        return true;
    case SNAPSHOT_OCSP:
        if (index >= SERVERCONF_KEYS_MAX)
            return false;
        s->ocsp[index] = bytes;
        return true;
    case SNAPSHOT_CHAIN_CERT:
    case SNAPSHOT_CHAIN_OCSP:
        if (index >= ARRAY_LEN(s->chain))
            return false;
        if (type == SNAPSHOT_CHAIN_CERT)
            s->chain[index] = bytes;
        else
            s->chain_ocsp[index] = bytes;
        if (index + 1 > s->n_chain)
            s->n_chain = index + 1;
        return true;
    case SNAPSHOT_ADDRESSES:
        s->addresses = bytes;
        return true;
    default:
        return false;
    }
}

static int read_sections(struct snapshot *s, struct slice *conf, struct slice *image)
{
    struct slice all = slice_of(s->map, s->map_len);
    struct rd r = rd_of(all);
    struct slice m = rd_bytes(&r, 4);
    uint32_t total = rd_u32(&r);
    s->generation = rd_u64(&r);
    s->expires_ms = (int64_t)rd_u64(&r);
    uint32_t n = rd_u32(&r);
    if (r.bad || memcmp(m.p, magic, 4) != 0 || total != all.n || n > SECTIONS_MAX)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < n; i++) {
        unsigned type = rd_u16(&r), index = rd_u16(&r);
        uint32_t off = rd_u32(&r), len = rd_u32(&r);
        if (r.bad || off > all.n || len > all.n - off)
            return ERR_CORRUPT;
        if (!take_section(s, type, index, slice_sub(all, off, len), conf, image))
            return ERR_CORRUPT;
    }
    return 0;
}

static int open_parts(struct snapshot *s, struct diag *d)
{
    struct slice conf = SLICE_NONE, image = SLICE_NONE;
    if (read_sections(s, &conf, &image) != 0)
        return diag_set(d, ERR_CORRUPT, "a snapshot is malformed");
    int rc = serverconf_parse(s->arena, conf, NULL, NULL, &s->conf, d);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < s->conf.n_keys; i++) {
        if (s->conf.keys[i].cert.n == 0)
            continue;
        s->cert[i] = cert_parse(s->conf.keys[i].cert, d);
        if (s->cert[i] == NULL)
            return ERR_INCORRECT_CERTIFICATE;
        s->ocsp_read[i] = s->ocsp[i].n > 0 && ocsp_parse(s->ocsp[i], &s->ocsp_info[i], NULL) == 0;
    }
    return image.n == 0 ? 0 : globalconf_open(image, &s->gc, d);
}

static void snapshot_free(struct snapshot *s)
{
    globalconf_close(s->gc);
    for (size_t i = 0; i < ARRAY_LEN(s->cert); i++)
        cert_free(s->cert[i]);
    arena_free(s->arena);
    if (s->map != NULL)
        munmap(s->map, s->map_len);
    free(s);
}

int snapshot_open(int fd, struct snapshot **out, struct diag *d)
{
    const int need = F_SEAL_SHRINK | F_SEAL_WRITE; /* checked once: so it must stay what it is */
    struct stat st;
    struct snapshot *s = calloc(1, sizeof *s);
    int seals = fcntl(fd, F_GET_SEALS);
    *out = NULL;
    if (s == NULL || seals < 0 || (seals & need) != need || fstat(fd, &st) != 0 ||
        st.st_size < HEAD) {
        free(s);
        close(fd);
        return diag_set(d, ERR_CORRUPT, "a snapshot cannot be read");
    }
    s->refs = 1;
    s->map_len = (size_t)st.st_size;
    s->map = mmap(NULL, s->map_len, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    s->arena = arena_new(CONF_ARENA);
    if (s->map == MAP_FAILED || s->arena == NULL) {
        s->map = s->map == MAP_FAILED ? NULL : s->map;
        snapshot_free(s);
        return diag_set(d, ERR_NOMEM, "a snapshot cannot be mapped");
    }
    int rc = open_parts(s, d);
    if (rc != 0) {
        snapshot_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    s->refs++;
    return s;
}

void snapshot_unref(struct snapshot *s)
{
    if (s != NULL && --s->refs == 0)
        snapshot_free(s);
}

static size_t take_addresses(struct rd *r, uint16_t n, uint16_t port, struct net_addr *out,
                             size_t max)
{
    size_t got = 0;
    for (uint16_t i = 0; i < n; i++) {
        uint8_t family = rd_u8(r);
        struct slice b = rd_bytes(r, family == 6 ? 16 : 4);
        if (r->bad || got == max)
            continue;
        struct net_addr *a = &out[got++];
        memset(a, 0, sizeof *a);
        if (family == 6) {
            struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)&a->sa;
            s6->sin6_family = AF_INET6;
            s6->sin6_port = htons(port);
            memcpy(&s6->sin6_addr, b.p, 16);
            a->len = sizeof *s6;
        } else {
            struct sockaddr_in *s4 = (struct sockaddr_in *)&a->sa;
            s4->sin_family = AF_INET;
            s4->sin_port = htons(port);
            memcpy(&s4->sin_addr, b.p, 4);
            a->len = sizeof *s4;
        }
    }
    return got;
}

size_t snapshot_resolve(const struct snapshot *s, struct slice host, uint16_t port,
                        struct net_addr *out, size_t max)
{
    char text[256];
    if (max > 0 && slice_cstr(host, text, sizeof text) && net_addr_parse(text, port, out) == 0)
        return 1;
    struct rd r = rd_of(s->addresses);
    while (rd_left(&r) > 0) {
        struct slice name = rd_var(&r, 255);
        uint16_t n = rd_u16(&r);
        bool mine = slice_eq(name, host);
        size_t got = take_addresses(&r, n, port, out, mine ? max : 0);
        if (mine)
            return r.bad ? 0 : got;
    }
    return 0;
}

size_t snapshot_servers(const struct snapshot *s, struct net_addr *out, size_t max)
{
    struct globalconf_server v;
    struct net_addr some[16];
    char text[256];
    size_t n = 0;
    for (size_t at = 0; globalconf_each_server(s->gc, globalconf_instance(s->gc), &at, &v);)
        if (slice_cstr(v.address, text, sizeof text) && net_addr_parse(text, 0, &some[0]) == 0) {
            if (n < max)
                out[n] = some[0];
            n++;
        }
    struct rd r = rd_of(s->addresses);
    while (rd_left(&r) > 0 && !r.bad) {
        rd_var(&r, 255);
        size_t got = take_addresses(&r, rd_u16(&r), 0, some, ARRAY_LEN(some));
        for (size_t i = 0; i < got; i++, n++)
            if (n < max)
                out[n] = some[i];
    }
    return n;
}

/* The certificate's time, and an OCSP response that is fresh enough by the configuration. */
static int usable(const struct snapshot *s, size_t i, int64_t now_ms, struct diag *d)
{
    const struct cert *c = s->cert[i];
    const struct ocsp_info *info = &s->ocsp_info[i];
    if (c->not_before_ms > now_ms || c->not_after_ms < now_ms)
        return diag_set(d, ERR_CANNOT_CREATE_SIGNATURE,
                        "the signing certificate '%.*s' %s by this server's clock",
                        SLICE_ARG(s->conf.keys[i].name),
                        c->not_before_ms > now_ms ? "is not valid yet" : "has expired");
    if (s->ocsp[i].n == 0)
        return diag_set(d, ERR_CANNOT_CREATE_SIGNATURE,
                        "there is no OCSP response for the signing certificate '%.*s'",
                        SLICE_ARG(s->conf.keys[i].name));
    if (!s->ocsp_read[i])
        return diag_set(d, ERR_OCSP_PARSE,
                        "the OCSP response for the signing certificate '%.*s' is malformed",
                        SLICE_ARG(s->conf.keys[i].name));
    if (info->status != OCSP_GOOD)
        return diag_set(d, ERR_CANNOT_CREATE_SIGNATURE, "the signing certificate '%.*s' is revoked",
                        SLICE_ARG(s->conf.keys[i].name));
    if (info->this_update_ms + globalconf_ocsp_freshness_ms(s->gc) < now_ms)
        return diag_set(d, ERR_CANNOT_CREATE_SIGNATURE,
                        "the OCSP response for the signing certificate '%.*s' is too old by this "
                        "server's clock",
                        SLICE_ARG(s->conf.keys[i].name));
    return 0;
}

int snapshot_sign_key(const struct snapshot *s, const struct id_client *member, int64_t now_ms,
                      struct diag *d)
{
    bool found = false;
    for (size_t i = 0; i < s->conf.n_keys; i++) {
        const struct serverconf_key *k = &s->conf.keys[i];
        if (!k->signing || s->cert[i] == NULL || !id_member_eq(&k->member, member))
            continue;
        if (usable(s, i, now_ms, d) == 0)
            return (int)i;
        found = true;
    }
    if (!found)
        diag_set(d, ERR_UNKNOWN_MEMBER, "member '%.*s/%.*s/%.*s' has no signing certificate here",
                 SLICE_ARG(member->instance), SLICE_ARG(member->member_class),
                 SLICE_ARG(member->member_code));
    return -1;
}

int snapshot_auth_key(const struct snapshot *s)
{
    for (size_t i = 0; i < s->conf.n_keys; i++)
        if (!s->conf.keys[i].signing && s->cert[i] != NULL)
            return (int)i;
    return -1;
}
