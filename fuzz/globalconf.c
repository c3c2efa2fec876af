/*
 * First byte 'I': the tables of an image, which get a right head and hash here; what opens must
 * stand all look-ups. Otherwise shared parameters of the version of the first byte, as a digit,
 * that are compiled and opened.
 */
#include "base/cursor.h"
#include "xroad/globalconf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const struct globalconf *g)
{
    struct globalconf_server s[4];
    struct id_client id;
    struct slice member, subsystem, name, url, der, own = globalconf_instance(g);
    struct cert **list;
    size_t at = 0;
    while (globalconf_each_client(g, own, &at, &id, &member, &subsystem) && at < 100) {
        globalconf_client_name(g, &id);
        globalconf_servers_of(g, &id, s, 4);
        globalconf_in_group(g, own, SLICE_LIT("g"), &id);
    }
    at = 0;
    while (globalconf_each_server(g, own, &at, &s[0]) && at < 100)
        globalconf_server(g, &s[0].id, &s[1]);
    for (size_t i = 0; i < globalconf_all_cas(g, &list); i++) {
        struct ocsp_trust trust;
        const struct globalconf_ca *ca = globalconf_ca(g, own, list[i]->subject);
        globalconf_ocsp_trust(g, ca, &trust);
        globalconf_auth_cert_known(g, list[i]);
        globalconf_server_of_cert(g, list[i], &s[0]);
        globalconf_auth_cert_serves(g, list[i], &id);
    }
    at = 0;
    while (globalconf_each_tsa(g, &at, &name, &url, &der))
        continue;
    globalconf_expires(g);
    globalconf_has_instance(g, own, 0);
}

static void image(const uint8_t *data, size_t size)
{
    struct globalconf *g;
    uint8_t *p = malloc(size + 1);
    if (p == NULL || size < 64) {
        free(p);
        return;
    }
    memcpy(p, data, size);
    struct digest h;
    put_u32(p, 0x49434753);
    put_u32(p + 4, 1);
    put_u64(p + 8, size);
    digest_of(DIGEST_SHA256, slice_of(p + 48, size - 48), &h);
    memcpy(p + 16, h.b, 32);
    if (globalconf_open(slice_of(p, size), &g, NULL) == 0) {
        look_up(g);
        globalconf_close(g);
    }
    free(p);
}

static void files(const uint8_t *data, size_t size)
{
    char metadata[64];
    struct buf out;
    struct globalconf *g;
    snprintf(metadata, sizeof metadata, "{\"configurationVersion\":\"%u\"}", data[0] - '0' + 0u);
    const struct globalconf_file list[] = {
        {"instance-identifier", SLICE_LIT("Z")},
        {"Z/shared-params.xml", slice_of(data + 1, size - 1)},
        {"Z/shared-params.xml.metadata", slice_str(metadata)},
    };
    buf_init(&out, 64u << 20);
    if (globalconf_from_files(list, 3, &out, NULL) == 0) {
        if (globalconf_open(buf_view(&out), &g, NULL) != 0)
            abort();
        look_up(g);
        globalconf_close(g);
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 && data[0] == 'I')
        image(data + 1, size - 1);
    else if (size > 1)
        files(data, size);
    return 0;
}
