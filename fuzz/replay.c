/*
 * Runs fuzz targets over files, without the fuzzer: `fuzz-replay TARGET FILE...`. So any build,
 * also of another compiler, sees that no input of the corpora breaks a promise. FUZZ_TARGETS is the
 * list of targets, each as TARGET(name).
 */
#include "proc/fs.h"

#include <stdio.h>
#include <string.h>

#define TARGET(name)                                                                               \
    int fuzz_##name##_one(const uint8_t *data, size_t size);                                       \
    int fuzz_##name##_initialize(int *argc, char ***argv) __attribute__((weak));
FUZZ_TARGETS
#undef TARGET

static const struct target {
    const char *name;
    int (*one)(const uint8_t *data, size_t size);
    int (*initialize)(int *argc, char ***argv); /* NULL: none */
} targets[] = {
#define TARGET(name) {#name, fuzz_##name##_one, fuzz_##name##_initialize},
    FUZZ_TARGETS
#undef TARGET
};

int main(int argc, char **argv)
{
    const struct target *t = NULL;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++)
        if (argc > 1 && strcmp(argv[1], targets[i].name) == 0)
            t = &targets[i];
    if (t == NULL || (t->initialize != NULL && t->initialize(&argc, &argv) != 0))
        return 2;
    for (int i = 2; i < argc; i++) {
        struct buf b;
        struct diag d;
        buf_init(&b, 1u << 20);
        if (fs_read(argv[i], &b, &d) != 0)
            return 3;
        t->one(b.p, b.n);
        buf_free(&b);
    }
    printf("%s: %d inputs\n", argv[1], argc - 2);
    return 0;
}
