/* A global configuration of the test vectors, opened. */
#ifndef SILD_TESTS_UNIT_WORLD_H
#define SILD_TESTS_UNIT_WORLD_H

#include "vectors.h"

#include "base/arena.h"
#include "xroad/globalconf.h"

struct world {
    struct buf image;
    struct globalconf *g;
    struct arena *a;
};

/* dir: below vectors/xroad; instance: its one instance. */
__attribute__((unused)) static void world_open(struct world *w, const char *dir,
                                               const char *instance)
{
    char shared[256], metadata[256];
    snprintf(shared, sizeof shared, "%s/shared-params.xml", instance);
    snprintf(metadata, sizeof metadata, "%s/shared-params.xml.metadata", instance);
    struct globalconf_file f[] = {
        {"instance-identifier", vector("%s/instance-identifier", dir)},
        {shared, vector("%s/%s", dir, shared)},
        {metadata, vector("%s/%s", dir, metadata)},
    };
    struct diag d = {0};
    buf_init(&w->image, 8u << 20);
    if (globalconf_from_files(f, ARRAY_LEN(f), &w->image, &d) != 0 ||
        globalconf_open(buf_view(&w->image), &w->g, &d) != 0)
        FAIL("%s: %s", dir, d.text);
    for (size_t i = 0; i < ARRAY_LEN(f); i++)
        vector_drop(f[i].bytes);
    w->a = arena_new(64u << 20);
}

__attribute__((unused)) static void world_close(struct world *w)
{
    globalconf_close(w->g);
    buf_free(&w->image);
    arena_free(w->a);
}

#endif
