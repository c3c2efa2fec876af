#include "cli/asic_verify.h"

#include "base/err.h"
#include "base/opt.h"
#include "cli/globalconf_dir.h"
#include "evidence/asic.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTAINER_MAX (256u << 20)
#define ARENA_MAX (128u << 20)
#define OUTPUT_MAX (1u << 20)
#define CACHE_ENTRIES 4096

struct verify {
    struct cli_globalconf conf;
    struct xades_cache *cache;
    struct arena *arena;
    struct buf file, out;
    bool json, many;
    int exit;
};

/* Errors of a hash chain carry X-Road's outer code as their rule. */
static void print_code(struct buf *b, int rc, const struct diag *d)
{
    if (strcmp(d->rule, "malformed_signature") == 0)
        buf_str(b, "malformed_signature.");
    buf_str(b, err_name(rc));
}

static void print_no(struct verify *v, const char *path, const char *verdict, int rc,
                     const struct diag *d)
{
    const char *text = d->text[0] != 0 ? d->text : err_text(rc);
    if (!v->json) {
        buf_printf(&v->out, "%s: ", verdict);
        print_code(&v->out, rc, d);
        buf_printf(&v->out, ": %s", text);
        if (d->where[0] != 0)
            buf_printf(&v->out, " (%s)", d->where);
        buf_str(&v->out, "\n");
        return;
    }
    struct buf code;
    buf_init(&code, 256);
    print_code(&code, rc, d);
    struct json_out j;
    json_begin(&j, &v->out);
    json_open(&j, '{');
    json_kstr(&j, "file", path);
    json_kstr(&j, "verdict", verdict);
    json_kslice(&j, "code", buf_view(&code));
    json_kstr(&j, "text", text);
    json_kstr(&j, "part", d->where);
    json_close(&j, '}');
    buf_str(&v->out, "\n");
    buf_free(&code);
}

static void print_yes(struct verify *v, const char *path, const struct asic_report *r)
{
    if (!v->json) {
        asic_report_print(r, false, &v->out);
        return;
    }
    struct buf report;
    buf_init(&report, OUTPUT_MAX);
    asic_report_print(r, true, &report);
    struct json_out j;
    json_begin(&j, &v->out);
    json_open(&j, '{');
    json_kstr(&j, "file", path);
    json_kstr(&j, "verdict", "valid");
    json_key(&j, "report");
    json_raw(&j, buf_view(&report));
    json_close(&j, '}');
    buf_str(&v->out, "\n");
    buf_free(&report);
}

static void verify_file(struct verify *v, const char *path)
{
    struct diag d = {0};
    buf_reset(&v->file);
    buf_reset(&v->out);
    arena_reset(v->arena);
    if (v->many && !v->json)
        buf_printf(&v->out, "%s: ", path);
    int rc = fs_read(path, &v->file, &d);
    if (rc != 0) {
        print_no(v, path, "could not read", rc, &d);
        v->exit = EXIT_COULD_NOT;
    } else {
        struct asic_report r;
        rc = asic_verify_cached(v->conf.g, v->cache, v->arena, buf_view(&v->file), &r, &d);
        if (rc == 0) {
            print_yes(v, path, &r);
            asic_report_free(&r);
        } else {
            print_no(v, path, "invalid", rc, &d);
            if (v->exit == EXIT_DONE)
                v->exit = EXIT_NO;
        }
    }
    fwrite(v->out.p, 1, v->out.n, stdout);
}

static int run(struct verify *v, const char *globalconf, char *const *files)
{
    struct diag d = {0};
    int rc = cli_globalconf_load(globalconf, &v->conf, &d);
    if (rc != 0)
        return command_fail("asic verify", &d, EXIT_COULD_NOT);
    v->cache = xades_cache_new(CACHE_ENTRIES);
    v->arena = arena_new(ARENA_MAX);
    buf_init(&v->file, CONTAINER_MAX);
    buf_init(&v->out, OUTPUT_MAX);
    v->many = files[0] != NULL && files[1] != NULL;
    if (v->cache != NULL && v->arena != NULL) {
        for (; *files != NULL; files++)
            verify_file(v, *files);
    } else {
        fprintf(stderr, "sild: out of memory\n");
        v->exit = EXIT_COULD_NOT;
    }
    buf_free(&v->out);
    buf_free(&v->file);
    arena_free(v->arena);
    xades_cache_free(v->cache);
    cli_globalconf_free(&v->conf);
    return fflush(stdout) == 0 ? v->exit : EXIT_COULD_NOT;
}

int cli_asic_verify(int argc, char **argv)
{
    const char *globalconf = NULL, *dir = "./country.d", *json = NULL;
    const struct opt opts[] = {
        {"--globalconf", "DIR", "global configuration to judge by (default: the one below --dir)",
         &globalconf, NULL},
        {"--dir", "DIR", "the demonstration country (default: ./country.d)", &dir, NULL},
        {"--json", NULL, "one JSON object a container and line", &json, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command command = {
        .usage = "sild asic verify [options] FILE…",
        .text =
            "Verifies ASiC-E containers of logged messages, offline, by a global configuration: "
            "time-stamp,\n"
            "hash chains, signature, certificate and OCSP response at the time of the time-stamp.\n"
            "Exit code: 0 all valid, 1 one is not, 2 wrong use, 3 one could not be read.",
        .opts = opts,
        .min_args = 1,
        .max_args = -1,
    };
    char **files = calloc((size_t)argc + 1, sizeof *files);
    if (files == NULL)
        return EXIT_COULD_NOT;
    int code;
    if (command_parse("asic verify", &command, argc, argv, files, &code)) {
        char path[4096];
        struct diag d = {0};
        struct verify v = {.json = json != NULL};
        if (globalconf == NULL && cli_globalconf_find(dir, path, sizeof path, &d) != 0)
            code = command_fail("asic verify", &d, EXIT_COULD_NOT);
        else
            code = run(&v, globalconf != NULL ? globalconf : path, files);
    }
    free(files);
    return code;
}
