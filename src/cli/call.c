#include "cli/call.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/country.h"
#include "net/http_client.h"
#include "proc/command.h"
#include "proc/fs.h"

#include <stdio.h>
#include <string.h>

#define BODY_MAX (64u << 20)
#define CALL_MS 120000

/* The status line and the headers that matter: content type and X-Road's own. */
static void print_head(struct slice head)
{
    struct slice line;
    bool first = true;
    while (slice_next(&head, '\n', &line)) {
        line = slice_trim(line);
        if (first || slice_istarts(line, "x-road-") || slice_istarts(line, "content-type:"))
            printf("%.*s\n", SLICE_ARG(line));
        first = false;
    }
    printf("\n");
}

static int make_headers(const char *client, const char *const *extra, struct buf *out,
                        struct diag *d)
{
    buf_printf(out, "X-Road-Client: %s\r\n", client);
    for (size_t i = 0; i < OPT_REPEAT_MAX && extra[i] != NULL; i++) {
        if (strchr(extra[i], ':') == NULL || strpbrk(extra[i], "\r\n") != NULL)
            return diag_set(d, ERR_USAGE, "a header is \"Name: value\", not \"%s\"", extra[i]);
        buf_printf(out, "%s\r\n", extra[i]);
    }
    return out->failed ? diag_set(d, ERR_USAGE, "too many headers") : 0;
}

static int read_data(const char *data, struct buf *out, struct diag *d)
{
    if (data == NULL)
        return 0;
    if (data[0] == '@')
        return fs_read(data + 1, out, d);
    buf_str(out, data);
    return 0;
}

int cli_call(int argc, char **argv)
{
    const char *client = COUNTRY_CLIENT, *gateway = COUNTRY_CONSUMER, *data = NULL, *header = NULL;
    const char *headers[OPT_REPEAT_MAX + 1] = {NULL};
    const struct opt opts[] = {
        {"--client", "ID", "who asks (" COUNTRY_CLIENT ")", &client, NULL},
        {"--gateway", "URL", "its gateway (" COUNTRY_CONSUMER ")", &gateway, NULL},
        {"--header", "LINE", "a further header; may be repeated", &header, headers},
        {"--data", "TEXT", "the body; @FILE reads it from a file", &data, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild call METHOD /r1/INSTANCE/CLASS/CODE/SUBSYSTEM/SERVICE[/PATH] [options]",
        .text = "Makes one exchange and prints status, X-Road headers and body. Exit code 1 when\n"
                "the answer is an error (status 400 or more).",
        .opts = opts,
        .min_args = 2,
        .max_args = 2,
    };
    struct diag d = {0};
    struct buf lines, body;
    struct http_result r;
    char *args[argc + 1], url[4096];
    int code;
    if (!command_parse("call", &cmd, argc, argv, args, &code))
        return code;
    buf_init(&lines, 16384);
    buf_init(&body, BODY_MAX);
    int rc = make_headers(client, headers, &lines, &d);
    rc = rc != 0 ? rc : read_data(data, &body, &d);
    if (rc != 0)
        return command_fail("call", &d, rc == ERR_USAGE ? EXIT_USE : EXIT_COULD_NOT);
    snprintf(url, sizeof url, "%s%s", gateway, args[1]);
    rc = http_fetch(url, args[0], buf_view(&lines), buf_view(&body), BODY_MAX, CALL_MS, &r, &d);
    buf_free(&lines);
    buf_free(&body);
    if (rc != 0)
        return command_fail("call", &d, EXIT_COULD_NOT);
    print_head(buf_view(&r.head));
    fwrite(r.body.p, 1, r.body.n, stdout);
    if (r.body.n > 0 && r.body.p[r.body.n - 1] != '\n')
        printf("\n");
    code = r.status >= 400 ? EXIT_NO : EXIT_DONE;
    http_result_free(&r);
    return code;
}
