/* What an operator says to a running gateway. */
#include "base/attr.h"
#include "base/err.h"
#include "base/opt.h"
#include "gateway/conffile.h"
#include "gateway/gateway.h"
#include "proc/command.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MS 60000

static const struct {
    const char *word, *command;
} words[] = {{"reload", "reload"}, {"refresh", "agent refresh"}, {"stamp", "log stamp"}};

static const char *command_of(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].command;
    return NULL;
}

bool gateway_tell_knows(const char *word)
{
    return command_of(word) != NULL;
}

int gateway_tell_main(int argc, char **argv)
{
    const char *config = NULL;
    const struct opt opts[] = {
        {"--config", "FILE", "the gateway's configuration", &config, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild gateway reload|refresh|stamp --config FILE",
        .text = "reload: the running gateway reads its configuration file again; a wrong one\n"
                "changes nothing and is exit code 1. refresh: it fetches the global configuration\n"
                "and the OCSP responses of its certificates now. stamp: it has all messages\n"
                "time-stamped that wait for it.",
        .opts = opts,
        .needs = "--config",
    };
    char *args[argc + 1], who[32], dir[2048];
    struct conffile file;
    struct diag d = {0};
    int code;
    snprintf(who, sizeof who, "gateway %s", argv[0]);
    if (!command_parse(who, &cmd, argc, argv, args, &code))
        return code;
    if (conffile_read(config, &file, &d) == 0) {
        snprintf(dir, sizeof dir, "%.*s", SLICE_ARG(file.conf.dir));
        code = command_control(who, dir, slice_str(command_of(argv[0])), ANSWER_MS);
    } else {
        code = command_fail(who, &d, command_exit(d.code));
    }
    conffile_free(&file);
    return code;
}
