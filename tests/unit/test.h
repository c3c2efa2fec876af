/*
 * The unit-test frame: TEST(name) { … } registers itself; CHECK and its kin report file and line
 * and go on with the next test. The program prints TAP ("ok", "not ok", "ok … # SKIP why").
 */
#ifndef SILD_TESTS_UNIT_TEST_H
#define SILD_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};

static struct test *test_first, **test_end = &test_first;
static jmp_buf test_jump;
static const char *volatile test_skip_why = "";

#define TEST(id)                                                                                   \
    static void test_##id(void);                                                                   \
    static struct test entry_##id = {#id, test_##id, NULL};                                        \
    __attribute__((constructor)) static void register_##id(void)                                   \
    {                                                                                              \
        *test_end = &entry_##id;                                                                   \
        test_end = &entry_##id.next;                                                               \
    }                                                                                              \
    static void test_##id(void)

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        printf("# %s:%d: ", __FILE__, __LINE__);                                                   \
        printf(__VA_ARGS__);                                                                       \
        printf("\n");                                                                              \
        longjmp(test_jump, 1);                                                                     \
    } while (0)

/* Leaves the test as skipped; the reason is printed. */
#define SKIP(why)                                                                                  \
    do {                                                                                           \
        test_skip_why = (why);                                                                     \
        longjmp(test_jump, 2);                                                                     \
    } while (0)

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            FAIL("not true: %s", #cond);                                                           \
    } while (0)

#define CHECK_INT(got, want)                                                                       \
    do {                                                                                           \
        long long got_ = (long long)(got), want_ = (long long)(want);                              \
        if (got_ != want_)                                                                         \
            FAIL("%s is %lld, not %lld", #got, got_, want_);                                       \
    } while (0)

#define CHECK_STR(got, want)                                                                       \
    do {                                                                                           \
        const char *got_ = (got), *want_ = (want);                                                 \
        if (strcmp(got_, want_) != 0)                                                              \
            FAIL("%s is \"%s\", not \"%s\"", #got, got_, want_);                                   \
    } while (0)

/* The folder of vectors; SKIPs the test when it is absent. SILD_SHARED overrides ../shared. */
#define VECTORS() test_vectors()
__attribute__((unused)) static const char *test_vectors(void)
{
    static char dir[4096];
    const char *shared = getenv("SILD_SHARED");
    snprintf(dir, sizeof dir, "%s/vectors", shared != NULL ? shared : "../shared");
    FILE *f = fopen(dir, "r");
    if (f == NULL)
        SKIP("no test vectors at ../shared/vectors");
    fclose(f);
    return dir;
}

/* A whole file as malloc'ed bytes (freed by the caller, zero after the end); fails the test when it
 * cannot be read. */
__attribute__((unused)) static unsigned char *test_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        FAIL("cannot open %s", path);
    fseek(f, 0, SEEK_END);
    long len = ftell(f);
    rewind(f);
    unsigned char *p = malloc((size_t)len + 1);
    if (p == NULL || fread(p, 1, (size_t)len, f) != (size_t)len) {
        fclose(f);
        FAIL("cannot read %s", path);
    }
    fclose(f);
    p[len] = 0;
    *n = (size_t)len;
    return p;
}

int main(int argc, char **argv)
{
    volatile int n = 0, failed = 0, skipped = 0;
    for (struct test *volatile t = test_first; t != NULL; t = t->next) {
        if (argc > 1 && strcmp(argv[1], t->name) != 0)
            continue;
        n = n + 1;
        int how = setjmp(test_jump);
        if (how == 0) {
            t->run();
            printf("ok %d - %s\n", n, t->name);
        } else if (how == 2) {
            printf("ok %d - %s # SKIP %s\n", n, t->name, (const char *)test_skip_why);
        } else {
            printf("not ok %d - %s\n", n, t->name);
            failed = failed + 1;
        }
        fflush(stdout);
    }
    printf("1..%d\n", n);
    fflush(stdout);
    if (skipped > 0)
        _exit(failed == 0 ? 0 : 1); /* a test that was left half way leaks what it had in hand */
    return failed == 0 ? 0 : 1;
}

#endif
