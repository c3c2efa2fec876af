/*
 * The image of a global configuration: what globalconf.c writes and globalconf_view.c reads. All
 * numbers are little-endian; a "ref" is two words, offset into the string table and length.
 *
 *   0  u32  magic "SGCI"
 *   4  u32  version of this format
 *   8  u64  length of the image
 *  16  32   SHA-256 of all from byte 48 on
 *  48  u32  index of the own instance
 *  52  u32  bit 0: nextUpdate of OCSP responses counts
 *  56  i64  OCSP fetch interval, seconds
 *  64       for each table: u32 offset, u32 records
 *           then the tables, in order, each record a row of u32 words
 *
 * Slot tables are open-addressed hash tables of a power of two slots: index + 1, or 0.
 */
#ifndef SILD_XROAD_GLOBALCONF_IMAGE_H
#define SILD_XROAD_GLOBALCONF_IMAGE_H

#include "base/cursor.h"
#include "base/map.h"
#include "xroad/id.h"

#define IMAGE_MAGIC 0x49434753u
#define IMAGE_VERSION 1u
#define IMAGE_HASHED 48
#define IMAGE_TABLES 64
#define IMAGE_MAX (256u << 20)

enum image_table {
    IMAGE_INSTANCE,
    IMAGE_CLIENT,        /* members, each followed by its subsystems, in document order */
    IMAGE_CLIENT_SLOT,   /* of clients, by image_client_hash */
    IMAGE_CLIENT_SERVER, /* servers of clients: ranges of this table */
    IMAGE_SERVER,
    IMAGE_AUTH, /* hashes of authentication certificates, sorted */
    IMAGE_GROUP_MEMBER,
    IMAGE_GROUP_SLOT, /* of group members, by image_group_hash */
    IMAGE_CA,
    IMAGE_OCSP,
    IMAGE_TSA,
    IMAGE_STRING, /* bytes */
    IMAGE_TABLE_COUNT,
};
#define IMAGE_HEAD (IMAGE_TABLES + 8 * IMAGE_TABLE_COUNT)

/* Words of the records. */
enum {
    INSTANCE_NAME = 0, /* ref */
    INSTANCE_VERSION = 2,
    INSTANCE_FRESHNESS = 3,
    INSTANCE_SHARED_EXPIRES = 4,  /* i64 */
    INSTANCE_PRIVATE_EXPIRES = 6, /* i64 */
    INSTANCE_TIMESTAMPING = 8,
    INSTANCE_CLIENTS = 9, /* first, number; so are the next */
    INSTANCE_SERVERS = 11,
    INSTANCE_CAS = 13,
    INSTANCE_TSAS = 15,

    CLIENT_INSTANCE = 0,
    CLIENT_CLASS = 1,
    CLIENT_CODE = 3,
    CLIENT_SUBSYSTEM = 5,
    CLIENT_MEMBER_NAME = 7,
    CLIENT_SUBSYSTEM_NAME = 9,
    CLIENT_SERVERS = 11,

    SERVER_INSTANCE = 0,
    SERVER_OWNER = 1,
    SERVER_CODE = 2,
    SERVER_ADDRESS = 4,
    SERVER_MAINTENANCE = 6,
    SERVER_MESSAGE = 7,

    AUTH_HASH = 0, /* 8 words, filled up with zeros */
    AUTH_LENGTH = 8,
    AUTH_SERVER = 9,

    GROUP_INSTANCE = 0,
    GROUP_CODE = 1,
    GROUP_MEMBER = 3, /* four refs */

    CA_INSTANCE = 0,
    CA_CERT = 1,
    CA_PROFILE = 3,
    CA_OCSP = 5,

    OCSP_URL = 0,
    OCSP_CERT = 2,

    TSA_INSTANCE = 0,
    TSA_NAME = 1,
    TSA_URL = 3,
    TSA_CERT = 5,
};

/*
 * What each word is, one letter a word: "r-" a ref; a capital letter an index, a small letter and
 * "-" a range (first, number) of a table (I instance, C client, K client-server, S server, A CA, O
 * OCSP, T TSA); "X", "Y" slots of clients and of group members; "." anything.
 */
#define IMAGE_WORDS                                                                                \
    {                                                                                              \
        [IMAGE_INSTANCE] = "r-.......c-s-a-t-", [IMAGE_CLIENT] = "Ir-r-r-r-r-k-",                  \
        [IMAGE_CLIENT_SLOT] = "X", [IMAGE_CLIENT_SERVER] = "S", [IMAGE_SERVER] = "ICr-r-.r-",      \
        [IMAGE_AUTH] = ".........S", [IMAGE_GROUP_MEMBER] = "Ir-r-r-r-r-",                         \
        [IMAGE_GROUP_SLOT] = "Y", [IMAGE_CA] = "Ir-r-o-", [IMAGE_OCSP] = "r-r-",                   \
        [IMAGE_TSA] = "Ir-r-r-", [IMAGE_STRING] = "",                                              \
    }

/* Chained over the fields. */
static inline uint64_t image_client_hash(const struct id_client *id)
{
    uint64_t h = map_hash(id->instance, 0);
    h = map_hash(id->member_class, h);
    h = map_hash(id->member_code, h);
    return map_hash(id->subsystem, h);
}

static inline uint64_t image_group_hash(struct slice instance, struct slice code,
                                        const struct id_client *member)
{
    return map_hash(code, map_hash(instance, image_client_hash(member)));
}

#endif
