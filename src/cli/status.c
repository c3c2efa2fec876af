#include "cli/status.h"
#include "cli/country.h"
#include "proc/command.h"

#include <stdio.h>

#define PATH_CAP 1400

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
        .text = "Says of each role whether it is ready and which processes it has. Exit code 1\n"
                "when one is not.",
        .opts = opts};
    struct diag d = {0};
    char *args[argc + 1];
    int code = EXIT_DONE;
    if (!command_parse("status", &cmd, argc, argv, args, &code))
        return code;
    if (json != NULL)
        printf("[");
    for (int i = 0; i < COUNTRY_ROLES; i++) {
        char path[PATH_CAP];
        struct buf answer;
        int exit_code = 0;
        buf_init(&answer, 1u << 20);
        snprintf(path, sizeof path, "%s/%s/control.sock", dir, country_roles[i].name);
        bool up = control_call(path, SLICE_LIT("status"), 3000, &exit_code, &answer, &d) == 0;
        bool is_ready =
            up && slice_find_slice(buf_view(&answer), SLICE_LIT("\"ready\":true")) != SIZE_MAX;
        if (!is_ready)
            code = EXIT_NO;
        if (json != NULL)
            printf("%s{\"name\":\"%s\",\"status\":%s}", i == 0 ? "" : ",", country_roles[i].name,
                   up ? buf_cstr(&answer) : "null");
        else
            printf("%-11s %-9s %s\n", country_roles[i].name,
                   is_ready ? "ready"
                   : up     ? "starting"
                            : "down",
                   country_roles[i].shows);
        buf_free(&answer);
    }
    if (json != NULL)
        printf("]\n");
    return code;
}
