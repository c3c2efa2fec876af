#include "proc/command.h"
#include "base/err.h"
#include "proc/fs.h"

#include <stdio.h>
#include <string.h>

#define HELP_MAX 65536
#define ANSWER_MAX (32u << 20)
#define CONFIG_MAX (1u << 20)

int command_help(const struct opt_command *c)
{
    struct buf text;
    buf_init(&text, HELP_MAX);
    opt_help(c, &text);
    fputs(buf_cstr(&text), stdout);
    buf_free(&text);
    return EXIT_DONE;
}

int command_fail(const char *who, const struct diag *d, int code)
{
    char text[900];
    diag_print(d, text, sizeof text);
    fprintf(stderr, "sild %s: %s\n", who, text);
    return code;
}

int command_exit(int rc)
{
    if (rc == 0)
        return EXIT_DONE;
    return rc == ERR_USAGE ? EXIT_USE : rc == ERR_EXISTS ? EXIT_NO : EXIT_COULD_NOT;
}

bool command_parse(const char *who, const struct opt_command *c, int argc, char **argv, char **args,
                   int *code)
{
    struct diag d = {0};
    int rc = opt_parse(c, argc, argv, args, &d);
    if (rc == OPT_HELP)
        *code = command_help(c);
    else if (rc != 0)
        *code = command_fail(who, &d, EXIT_USE);
    return rc == 0;
}

int command_control(const char *who, const char *dir, struct slice command, int64_t timeout_ms)
{
    struct buf answer;
    struct diag d = {0};
    char path[1200];
    int code = EXIT_COULD_NOT;
    buf_init(&answer, ANSWER_MAX);
    snprintf(path, sizeof path, "%s/control.sock", dir);
    if (control_call(path, command, timeout_ms, &code, &answer, &d) != 0)
        code = command_fail(who, &d, EXIT_COULD_NOT);
    else
        fputs(buf_cstr(&answer), code == EXIT_DONE ? stdout : stderr);
    buf_free(&answer);
    return code;
}

int command_config(const char *path, const char *section, const struct conf_rule *rules, size_t n,
                   struct arena *a, struct conf *out, char *dir, size_t cap, struct diag *d)
{
    struct buf file;
    buf_init(&file, CONFIG_MAX);
    int rc = fs_read(path, &file, d);
    if (rc == 0)
        rc = conf_parse(a, buf_view(&file), rules, n, out, d);
    buf_free(&file);
    if (rc != 0) {
        diag_where(d, "%s", path);
        return rc;
    }
    struct slice own = conf_text(out, conf_find(out, section, ""), "dir");
    const char *slash = strrchr(path, '/');
    if (own.n > 0 && own.p[0] == '/')
        snprintf(dir, cap, "%.*s", SLICE_ARG(own));
    else
        snprintf(dir, cap, "%.*s/%.*s", slash == NULL ? 1 : (int)(slash - path),
                 slash == NULL ? "." : path, SLICE_ARG(own));
    return 0;
}

const char *command_text(struct arena *a, const struct conf *c, const char *section,
                         const char *key)
{
    struct slice s = conf_text(c, conf_find(c, section, ""), key);
    return s.p == NULL ? NULL : arena_cstr(a, s);
}
