#include "cli/status.h"
#include "cli/country.h"
#include "proc/command.h"
#include "wire/json.h"

#include <stdio.h>

#define PATH_CAP 1400
#define ANSWER_MAX (1u << 20)
#define ANSWER_MS 3000

/* What a role answers to a command; false when nobody does. */
static bool ask(const char *dir, const char *role, struct slice command, struct buf *answer)
{
    char path[PATH_CAP];
    struct diag d = {0};
    int exit_code = 0;
    buf_init(answer, ANSWER_MAX);
    snprintf(path, sizeof path, "%s/%s/control.sock", dir, role);
    return control_call(path, command, ANSWER_MS, &exit_code, answer, &d) == 0;
}

static bool says_ready(const struct buf *answer)
{
    return slice_find_slice(buf_view(answer), SLICE_LIT("\"ready\":true")) != SIZE_MAX;
}

/* What is wrong, a line each. */
static void print_reasons(const struct buf *health)
{
    json_t *j = json_parse(buf_view(health), ANSWER_MAX, NULL), *r;
    size_t i;
    json_array_foreach(json_object_get(j, "reasons"), i, r)
    {
        const char *part = json_string_value(json_object_get(r, "part"));
        const char *since = json_string_value(json_object_get(r, "since"));
        const char *text = json_string_value(json_object_get(r, "text"));
        if (part != NULL && text != NULL)
            printf("            %s%s%s: %s\n", part, since != NULL ? ", since " : "",
                   since != NULL ? since : "", text);
    }
    json_decref(j);
}

/* True when the role is ready. */
static bool print_role(const char *dir, const struct country_role *r, bool json, bool first)
{
    struct buf status, health;
    bool up = ask(dir, r->name, SLICE_LIT("status"), &status);
    bool told = ask(dir, r->name, SLICE_LIT("admin health"), &health);
    bool runs = up && says_ready(&status), ready = runs && (!told || says_ready(&health));
    if (json) {
        printf("%s{\"name\":\"%s\",\"status\":%s,\"health\":%s}", first ? "" : ",", r->name,
               up ? buf_cstr(&status) : "null", told ? buf_cstr(&health) : "null");
    } else {
        printf("%-11s %-9s %s\n", r->name,
               ready  ? "ready"
               : runs ? "not ready"
               : up   ? "starting"
                      : "down",
               r->shows);
        if (told)
            print_reasons(&health);
    }
    buf_free(&status);
    buf_free(&health);
    return ready;
}

int cli_status(int argc, char **argv)
{
    const char *dir = "./country.d", *json = NULL;
    const struct opt opts[] = {
        {"--dir", "DIR", "where the country lives (./country.d)", &dir, NULL},
        {"--json", NULL, "as JSON", &json, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild status [--dir DIR] [--json]",
        .text = "Says of each role whether it is ready, and what is wrong with it. Exit code 1\n"
                "when one is not ready.",
        .opts = opts};
    char *args[argc + 1];
    int code = EXIT_DONE;
    if (!command_parse("status", &cmd, argc, argv, args, &code))
        return code;
    if (json != NULL)
        printf("[");
    for (int i = 0; i < COUNTRY_ROLES; i++)
        if (!print_role(dir, &country_roles[i], json != NULL, i == 0))
            code = EXIT_NO;
    if (json != NULL)
        printf("]\n");
    return code;
}
