/* Runs the openssl command as a judge, in a temporary folder of its own. */
#ifndef SILD_TESTS_UNIT_OPENSSL_TOOL_H
#define SILD_TESTS_UNIT_OPENSSL_TOOL_H

#include "base/slice.h"
#include "test.h"

#include <stdarg.h>
#include <sys/wait.h>

struct tool {
    char dir[64];
    char output[4096]; /* what the last command printed */
};

__attribute__((unused)) static void tool_open(struct tool *t)
{
    snprintf(t->dir, sizeof t->dir, "/tmp/sild-unit-XXXXXX");
    if (mkdtemp(t->dir) == NULL)
        FAIL("cannot make a temporary folder");
}

__attribute__((unused)) static void tool_close(struct tool *t)
{
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", t->dir);
    CHECK(system(cmd) == 0);
}

__attribute__((unused)) static void tool_write(struct tool *t, const char *name, struct slice s)
{
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", t->dir, name);
    FILE *f = fopen(path, "wb");
    CHECK(f != NULL);
    CHECK(fwrite(s.p, 1, s.n, f) == s.n);
    CHECK(fclose(f) == 0);
}

/* malloc'ed bytes. */
__attribute__((unused)) static struct slice tool_read(struct tool *t, const char *name)
{
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", t->dir, name);
    size_t n;
    unsigned char *p = test_file(path, &n);
    return slice_of(p, n);
}

/* "openssl …" in the folder; returns its exit status, keeps what it printed. */
__attribute__((unused, format(printf, 2, 3))) static int tool_run(struct tool *t, const char *fmt,
                                                                  ...)
{
    char args[2048], cmd[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(args, sizeof args, fmt, ap);
    va_end(ap);
    snprintf(cmd, sizeof cmd, "cd '%s' && openssl %s 2>&1 </dev/null", t->dir, args);
    FILE *f = popen(cmd, "r");
    CHECK(f != NULL);
    size_t n = fread(t->output, 1, sizeof t->output - 1, f);
    t->output[n] = 0;
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
