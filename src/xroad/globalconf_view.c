/* Opening an image of a global configuration and looking things up in it. */
#include "base/err.h"
#include "xroad/globalconf.h"
#include "xroad/globalconf_image.h"

#include <stdlib.h>
#include <string.h>

#define FETCH_MAX_S 1000000000u

struct table {
    const uint8_t *p;
    uint32_t n;
    uint32_t size; /* bytes of a record */
};

struct globalconf {
    struct table t[IMAGE_TABLE_COUNT];
    uint32_t own;
    bool verify_next_update;
    int64_t fetch_ms;
    struct globalconf_ca *ca; /* one for each record; cert is NULL when it could not be parsed */
    struct cert **cas, **ocsp, **tsas;
    size_t n_cas, n_ocsp, n_tsas;
};

static const char *const words[IMAGE_TABLE_COUNT] = IMAGE_WORDS;

static uint32_t word(const struct globalconf *g, enum image_table t, uint32_t i, uint32_t w)
{
    return get_u32(g->t[t].p + (size_t)i * g->t[t].size + 4 * (size_t)w);
}

static int64_t wide(const struct globalconf *g, enum image_table t, uint32_t i, uint32_t w)
{
    return (int64_t)get_u64(g->t[t].p + (size_t)i * g->t[t].size + 4 * (size_t)w);
}

static struct slice ref(const struct globalconf *g, enum image_table t, uint32_t i, uint32_t w)
{
    return slice_of(g->t[IMAGE_STRING].p + word(g, t, i, w), word(g, t, i, w + 1));
}

/* --- opening --- */

/* The table that a letter of IMAGE_WORDS points into. */
static enum image_table table_of(char letter)
{
    switch (letter) {
    case 'I':
        return IMAGE_INSTANCE;
    case 'C':
    case 'c':
    case 'X':
        return IMAGE_CLIENT;
    case 'k':
        return IMAGE_CLIENT_SERVER;
    case 'S':
    case 's':
        return IMAGE_SERVER;
    case 'a':
        return IMAGE_CA;
    case 'o':
        return IMAGE_OCSP;
    case 't':
        return IMAGE_TSA;
    case 'Y':
        return IMAGE_GROUP_MEMBER;
    default:
        return IMAGE_STRING;
    }
}

static bool word_is_good(const struct globalconf *g, enum image_table t, uint32_t i, uint32_t w)
{
    char letter = words[t][w];
    if (letter == '.' || letter == '-')
        return true;
    uint64_t v = word(g, t, i, w), n = g->t[table_of(letter)].n;
    if (letter == 'X' || letter == 'Y')
        return v <= n;
    if (letter >= 'A' && letter <= 'Z')
        return v < n;
    return v + word(g, t, i, w + 1) <= n;
}

static int damaged(struct diag *d, const char *what)
{
    return diag_set(d, ERR_CORRUPT, "the image of the global configuration is damaged: %s", what);
}

static int find_tables(struct globalconf *g, struct slice image, struct diag *d)
{
    for (uint32_t t = 0; t < IMAGE_TABLE_COUNT; t++) {
        struct table *table = &g->t[t];
        uint64_t offset = get_u32(image.p + IMAGE_TABLES + 8 * (size_t)t);
        size_t row = strlen(words[t]);
        table->n = get_u32(image.p + IMAGE_TABLES + 8 * (size_t)t + 4);
        table->size = row == 0 ? 1 : 4 * (uint32_t)row;
        if (offset < IMAGE_HEAD || offset + (uint64_t)table->n * table->size > image.n)
            return damaged(d, "a table lies outside");
        table->p = image.p + offset;
    }
    for (uint32_t t = 0; t < IMAGE_TABLE_COUNT; t++)
        for (uint32_t i = 0; i < g->t[t].n && words[t][0] != 0; i++)
            for (uint32_t w = 0; words[t][w] != 0; w++)
                if (!word_is_good(g, t, i, w))
                    return damaged(d, "an index or a string lies outside");
    return 0;
}

static int check_image(struct globalconf *g, struct slice image, struct diag *d)
{
    struct digest digest;
    if (image.n < IMAGE_HEAD || get_u32(image.p) != IMAGE_MAGIC ||
        get_u32(image.p + 4) != IMAGE_VERSION || get_u64(image.p + 8) != image.n)
        return damaged(d, "its head is wrong");
    digest_of(DIGEST_SHA256, slice_from(image, IMAGE_HASHED), &digest);
    if (memcmp(digest.b, image.p + 16, 32) != 0)
        return damaged(d, "its hash is wrong");
    g->own = get_u32(image.p + 48);
    g->verify_next_update = (get_u32(image.p + 52) & 1) != 0;
    uint64_t fetch_s = get_u64(image.p + 56);
    if (fetch_s > FETCH_MAX_S)
        return damaged(d, "its OCSP fetch interval is absurd");
    g->fetch_ms = (int64_t)fetch_s * 1000;
    int err = find_tables(g, image, d);
    if (err != 0)
        return err;
    uint32_t clients = g->t[IMAGE_CLIENT_SLOT].n, groups = g->t[IMAGE_GROUP_SLOT].n;
    if (clients == 0 || (clients & (clients - 1)) != 0 || groups == 0 ||
        (groups & (groups - 1)) != 0)
        return damaged(d, "a hash table has no power of two slots");
    return g->own < g->t[IMAGE_INSTANCE].n ? 0 : damaged(d, "there is no own instance");
}

/* A reference to the certificate kept in a list; NULL when it cannot be parsed. */
static struct cert *keep(struct slice der, struct cert **list, size_t *n)
{
    if (der.n == 0)
        return NULL;
    struct cert *c = cert_parse(der, NULL);
    if (c != NULL)
        list[(*n)++] = c;
    return c;
}

static bool fill_ca(struct globalconf *g, uint32_t i)
{
    struct globalconf_ca *ca = &g->ca[i];
    uint32_t first = word(g, IMAGE_CA, i, CA_OCSP), n = word(g, IMAGE_CA, i, CA_OCSP + 1);
    ca->cert = keep(ref(g, IMAGE_CA, i, CA_CERT), g->cas, &g->n_cas);
    ca->profile = ref(g, IMAGE_CA, i, CA_PROFILE);
    ca->ocsp = &g->ocsp[g->n_ocsp];
    ca->ocsp_urls = calloc((size_t)n + 1, sizeof *ca->ocsp_urls);
    if (ca->ocsp_urls == NULL)
        return false;
    for (uint32_t k = 0; k < n; k++) {
        ca->ocsp_urls[ca->n_ocsp_urls++] = ref(g, IMAGE_OCSP, first + k, OCSP_URL);
        if (keep(ref(g, IMAGE_OCSP, first + k, OCSP_CERT), g->ocsp, &g->n_ocsp) != NULL)
            ca->n_ocsp++;
    }
    return true;
}

static int parse_certs(struct globalconf *g, struct diag *d)
{
    size_t ocsp = 0;
    for (uint32_t i = 0; i < g->t[IMAGE_CA].n; i++)
        ocsp += word(g, IMAGE_CA, i, CA_OCSP + 1);
    g->ca = calloc((size_t)g->t[IMAGE_CA].n + 1, sizeof *g->ca);
    g->cas = calloc((size_t)g->t[IMAGE_CA].n + 1, sizeof(struct cert *));
    g->tsas = calloc((size_t)g->t[IMAGE_TSA].n + 1, sizeof(struct cert *));
    g->ocsp = ocsp > g->t[IMAGE_OCSP].n ? NULL : calloc(ocsp + 1, sizeof(struct cert *));
    if (g->ca == NULL || g->cas == NULL || g->tsas == NULL || g->ocsp == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the certificates of the global configuration");
    for (uint32_t i = 0; i < g->t[IMAGE_CA].n; i++)
        if (!fill_ca(g, i))
            return diag_set(d, ERR_NOMEM, "no memory for the global configuration");
    for (uint32_t i = 0; i < g->t[IMAGE_TSA].n; i++)
        keep(ref(g, IMAGE_TSA, i, TSA_CERT), g->tsas, &g->n_tsas);
    return 0;
}

int globalconf_open(struct slice image, struct globalconf **out, struct diag *d)
{
    *out = NULL;
    struct globalconf *g = calloc(1, sizeof *g);
    if (g == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the global configuration");
    int err = check_image(g, image, d);
    if (err == 0)
        err = parse_certs(g, d);
    if (err != 0) {
        globalconf_close(g);
        return err;
    }
    *out = g;
    return 0;
}

static void free_certs(struct cert **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cert_free(list[i]);
    free(list);
}

void globalconf_close(struct globalconf *g)
{
    if (g == NULL)
        return;
    for (uint32_t i = 0; g->ca != NULL && i < g->t[IMAGE_CA].n; i++)
        free(g->ca[i].ocsp_urls);
    free(g->ca);
    free_certs(g->cas, g->n_cas);
    free_certs(g->ocsp, g->n_ocsp);
    free_certs(g->tsas, g->n_tsas);
    free(g);
}

/* --- instances --- */

/* UINT32_MAX when unknown. */
static uint32_t find_instance(const struct globalconf *g, struct slice instance)
{
    for (uint32_t i = 0; i < g->t[IMAGE_INSTANCE].n; i++)
        if (slice_eq(ref(g, IMAGE_INSTANCE, i, INSTANCE_NAME), instance))
            return i;
    return UINT32_MAX;
}

struct slice globalconf_instance(const struct globalconf *g)
{
    return ref(g, IMAGE_INSTANCE, g->own, INSTANCE_NAME);
}

bool globalconf_has_instance(const struct globalconf *g, struct slice instance, int64_t now_ms)
{
    uint32_t i = find_instance(g, instance);
    return i != UINT32_MAX && now_ms <= wide(g, IMAGE_INSTANCE, i, INSTANCE_SHARED_EXPIRES);
}

int64_t globalconf_expires(const struct globalconf *g)
{
    int64_t shared = wide(g, IMAGE_INSTANCE, g->own, INSTANCE_SHARED_EXPIRES);
    int64_t priv = wide(g, IMAGE_INSTANCE, g->own, INSTANCE_PRIVATE_EXPIRES);
    return shared < priv ? shared : priv;
}

int globalconf_check_valid(const struct globalconf *g, int64_t now_ms, struct diag *d)
{
    if (now_ms <= globalconf_expires(g))
        return 0;
    return diag_set(d, ERR_GC_OUTDATED, "Global configuration is expired");
}

int64_t globalconf_ocsp_freshness_ms(const struct globalconf *g)
{
    return (int64_t)word(g, IMAGE_INSTANCE, g->own, INSTANCE_FRESHNESS) * 1000;
}

bool globalconf_verify_next_update(const struct globalconf *g)
{
    return g->verify_next_update;
}

int64_t globalconf_ocsp_fetch_ms(const struct globalconf *g)
{
    return g->fetch_ms;
}

int64_t globalconf_timestamping_ms(const struct globalconf *g)
{
    return (int64_t)word(g, IMAGE_INSTANCE, g->own, INSTANCE_TIMESTAMPING) * 1000;
}

/* --- clients --- */

static struct id_client client_at(const struct globalconf *g, uint32_t i)
{
    uint32_t instance = word(g, IMAGE_CLIENT, i, CLIENT_INSTANCE);
    return (struct id_client){
        ref(g, IMAGE_INSTANCE, instance, INSTANCE_NAME), ref(g, IMAGE_CLIENT, i, CLIENT_CLASS),
        ref(g, IMAGE_CLIENT, i, CLIENT_CODE), ref(g, IMAGE_CLIENT, i, CLIENT_SUBSYSTEM)};
}

static uint32_t find_client(const struct globalconf *g, const struct id_client *id)
{
    uint32_t slots = g->t[IMAGE_CLIENT_SLOT].n, at = (uint32_t)image_client_hash(id);
    for (uint32_t tries = 0; tries < slots; tries++, at++) {
        uint32_t i = word(g, IMAGE_CLIENT_SLOT, at & (slots - 1), 0);
        if (i == 0)
            return UINT32_MAX;
        struct id_client got = client_at(g, i - 1);
        if (id_client_eq(&got, id))
            return i - 1;
    }
    return UINT32_MAX;
}

bool globalconf_client_known(const struct globalconf *g, const struct id_client *id)
{
    return find_client(g, id) != UINT32_MAX;
}

struct slice globalconf_client_name(const struct globalconf *g, const struct id_client *id)
{
    uint32_t i = find_client(g, id);
    if (i == UINT32_MAX)
        return SLICE_NONE;
    return ref(g, IMAGE_CLIENT, i,
               id->subsystem.n > 0 ? CLIENT_SUBSYSTEM_NAME : CLIENT_MEMBER_NAME);
}

bool globalconf_each_client(const struct globalconf *g, struct slice instance, size_t *at,
                            struct id_client *id, struct slice *member_name,
                            struct slice *subsystem_name)
{
    uint32_t i = find_instance(g, instance);
    if (i == UINT32_MAX || *at >= word(g, IMAGE_INSTANCE, i, INSTANCE_CLIENTS + 1))
        return false;
    uint32_t c = word(g, IMAGE_INSTANCE, i, INSTANCE_CLIENTS) + (uint32_t)(*at)++;
    *id = client_at(g, c);
    *member_name = ref(g, IMAGE_CLIENT, c, CLIENT_MEMBER_NAME);
    *subsystem_name = ref(g, IMAGE_CLIENT, c, CLIENT_SUBSYSTEM_NAME);
    return true;
}

bool globalconf_in_group(const struct globalconf *g, struct slice instance, struct slice group,
                         const struct id_client *client)
{
    uint32_t slots = g->t[IMAGE_GROUP_SLOT].n;
    uint32_t at = (uint32_t)image_group_hash(instance, group, client);
    for (uint32_t tries = 0; tries < slots; tries++, at++) {
        uint32_t i = word(g, IMAGE_GROUP_SLOT, at & (slots - 1), 0);
        if (i == 0)
            return false;
        i--;
        uint32_t of = word(g, IMAGE_GROUP_MEMBER, i, GROUP_INSTANCE);
        const struct id_client got = {ref(g, IMAGE_GROUP_MEMBER, i, GROUP_MEMBER),
                                      ref(g, IMAGE_GROUP_MEMBER, i, GROUP_MEMBER + 2),
                                      ref(g, IMAGE_GROUP_MEMBER, i, GROUP_MEMBER + 4),
                                      ref(g, IMAGE_GROUP_MEMBER, i, GROUP_MEMBER + 6)};
        if (slice_eq(ref(g, IMAGE_GROUP_MEMBER, i, GROUP_CODE), group) &&
            slice_eq(ref(g, IMAGE_INSTANCE, of, INSTANCE_NAME), instance) &&
            id_client_eq(&got, client))
            return true;
    }
    return false;
}

/* --- servers --- */

static void server_at(const struct globalconf *g, uint32_t i, struct globalconf_server *out)
{
    struct id_client owner = client_at(g, word(g, IMAGE_SERVER, i, SERVER_OWNER));
    out->id = (struct id_server){owner.instance, owner.member_class, owner.member_code,
                                 ref(g, IMAGE_SERVER, i, SERVER_CODE)};
    out->address = ref(g, IMAGE_SERVER, i, SERVER_ADDRESS);
    out->maintenance = word(g, IMAGE_SERVER, i, SERVER_MAINTENANCE) != 0;
    out->maintenance_message = ref(g, IMAGE_SERVER, i, SERVER_MESSAGE);
}

/* The k-th server of a client; UINT32_MAX at the end. */
static uint32_t server_of(const struct globalconf *g, uint32_t client, uint32_t k)
{
    if (client == UINT32_MAX || k >= word(g, IMAGE_CLIENT, client, CLIENT_SERVERS + 1))
        return UINT32_MAX;
    return word(g, IMAGE_CLIENT_SERVER, word(g, IMAGE_CLIENT, client, CLIENT_SERVERS) + k, 0);
}

size_t globalconf_servers_of(const struct globalconf *g, const struct id_client *provider,
                             struct globalconf_server *out, size_t max)
{
    uint32_t client = find_client(g, provider), n = 0;
    for (; n < max; n++) {
        uint32_t server = server_of(g, client, n);
        if (server == UINT32_MAX)
            break;
        server_at(g, server, &out[n]);
    }
    return n;
}

bool globalconf_server(const struct globalconf *g, const struct id_server *id,
                       struct globalconf_server *out)
{
    const struct id_client owner = {id->instance, id->member_class, id->member_code, SLICE_NONE};
    uint32_t client = find_client(g, &owner), server;
    for (uint32_t k = 0; (server = server_of(g, client, k)) != UINT32_MAX; k++) {
        server_at(g, server, out);
        if (id_server_eq(&out->id, id))
            return true;
    }
    return false;
}

bool globalconf_each_server(const struct globalconf *g, struct slice instance, size_t *at,
                            struct globalconf_server *out)
{
    uint32_t i = find_instance(g, instance);
    if (i == UINT32_MAX || *at >= word(g, IMAGE_INSTANCE, i, INSTANCE_SERVERS + 1))
        return false;
    server_at(g, word(g, IMAGE_INSTANCE, i, INSTANCE_SERVERS) + (uint32_t)(*at)++, out);
    return true;
}

/* The hash by which certificates are registered goes by the version of the own instance. */
static void auth_key(const struct globalconf *g, const struct cert *c, uint8_t key[36])
{
    bool sha1 = word(g, IMAGE_INSTANCE, g->own, INSTANCE_VERSION) < 3;
    memset(key, 0, 36);
    memcpy(key, sha1 ? c->sha1 : c->sha256, sha1 ? sizeof c->sha1 : sizeof c->sha256);
    put_u32(key + 32, sha1 ? sizeof c->sha1 : sizeof c->sha256);
}

/* The first record that is not less than the key. */
static uint32_t find_auth(const struct globalconf *g, const uint8_t key[36])
{
    const struct table *t = &g->t[IMAGE_AUTH];
    uint32_t low = 0, high = t->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(t->p + (size_t)middle * t->size, key, 36) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool auth_is(const struct globalconf *g, uint32_t i, const uint8_t key[36])
{
    const struct table *t = &g->t[IMAGE_AUTH];
    return i < t->n && memcmp(t->p + (size_t)i * t->size, key, 36) == 0;
}

bool globalconf_auth_cert_known(const struct globalconf *g, const struct cert *c)
{
    uint8_t key[36];
    auth_key(g, c, key);
    return auth_is(g, find_auth(g, key), key);
}

bool globalconf_auth_cert_serves(const struct globalconf *g, const struct cert *c,
                                 const struct id_client *client)
{
    uint8_t key[36];
    uint32_t who = find_client(g, client), server;
    auth_key(g, c, key);
    for (uint32_t i = find_auth(g, key); auth_is(g, i, key); i++)
        for (uint32_t k = 0; (server = server_of(g, who, k)) != UINT32_MAX; k++)
            if (server == word(g, IMAGE_AUTH, i, AUTH_SERVER))
                return true;
    return false;
}

bool globalconf_server_of_cert(const struct globalconf *g, const struct cert *c,
                               struct globalconf_server *out)
{
    uint8_t key[36];
    auth_key(g, c, key);
    uint32_t i = find_auth(g, key);
    if (!auth_is(g, i, key))
        return false;
    server_at(g, word(g, IMAGE_AUTH, i, AUTH_SERVER), out);
    return true;
}

/* --- trust --- */

/* Of several with one subject the last wins, as X-Road's map has it. */
const struct globalconf_ca *globalconf_ca(const struct globalconf *g, struct slice instance,
                                          struct slice subject_der)
{
    uint32_t i = find_instance(g, instance);
    if (i == UINT32_MAX)
        return NULL;
    uint32_t first = word(g, IMAGE_INSTANCE, i, INSTANCE_CAS);
    for (uint32_t k = word(g, IMAGE_INSTANCE, i, INSTANCE_CAS + 1); k-- > 0;) {
        const struct globalconf_ca *ca = &g->ca[first + k];
        if (ca->cert != NULL && slice_eq(ca->cert->subject, subject_der))
            return ca;
    }
    return NULL;
}

size_t globalconf_all_cas(const struct globalconf *g, struct cert ***out)
{
    *out = g->cas;
    return g->n_cas;
}

size_t globalconf_all_ocsp(const struct globalconf *g, struct cert ***out)
{
    *out = g->ocsp;
    return g->n_ocsp;
}

size_t globalconf_all_tsas(const struct globalconf *g, struct cert ***out)
{
    *out = g->tsas;
    return g->n_tsas;
}

void globalconf_ocsp_trust(const struct globalconf *g, const struct globalconf_ca *ca,
                           struct ocsp_trust *out)
{
    *out = (struct ocsp_trust){
        .issuer_ocsp = ca == NULL ? NULL : ca->ocsp,
        .n_issuer_ocsp = ca == NULL ? 0 : ca->n_ocsp,
        .all_ocsp = g->ocsp,
        .n_all_ocsp = g->n_ocsp,
        .all_ca = g->cas,
        .n_all_ca = g->n_cas,
        .freshness_ms = globalconf_ocsp_freshness_ms(g),
        .verify_next_update = g->verify_next_update,
    };
}

bool globalconf_each_tsa(const struct globalconf *g, size_t *at, struct slice *name,
                         struct slice *url, struct slice *cert_der)
{
    if (*at >= word(g, IMAGE_INSTANCE, g->own, INSTANCE_TSAS + 1))
        return false;
    uint32_t i = word(g, IMAGE_INSTANCE, g->own, INSTANCE_TSAS) + (uint32_t)(*at)++;
    *name = ref(g, IMAGE_TSA, i, TSA_NAME);
    *url = ref(g, IMAGE_TSA, i, TSA_URL);
    *cert_der = ref(g, IMAGE_TSA, i, TSA_CERT);
    return true;
}
