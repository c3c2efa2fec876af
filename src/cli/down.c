#include "cli/down.h"
#include "base/err.h"
#include "cli/launch.h"
#include "cli/up.h"
#include "proc/command.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define PATH_CAP 1400
#define STOP_MS 40000

/* The process number of the running country; 0 when none runs. */
static pid_t running(const char *dir)
{
    char path[PATH_CAP], text[32] = {0};
    snprintf(path, sizeof path, "%s/up.pid", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    bool locked = flock(fd, LOCK_SH | LOCK_NB) != 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return locked && n > 0 ? (pid_t)atoi(text) : 0;
}

int cli_down(int argc, char **argv)
{
    const char *dir = "./country.d", *role = NULL;
    const struct opt opts[] = {
        {"--dir", "DIR", "where the country lives (./country.d)", &dir, NULL},
        {"--role", "NAME", "stop only this role", &role, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {.usage = "sild down [--dir DIR] [--role NAME]",
                                    .text = "Stops the demonstration country in order.",
                                    .opts = opts};
    struct diag d = {0};
    char *args[argc + 1];
    int code;
    if (!command_parse("down", &cmd, argc, argv, args, &code))
        return code;
    if (role != NULL)
        return up_tell("down", dir, "stop", role);
    pid_t pid = running(dir);
    if (pid <= 0) {
        printf("no country is running in %s\n", dir);
        return EXIT_DONE;
    }
    kill(pid, SIGTERM);
    for (int64_t until = launch_now_ms() + STOP_MS; launch_now_ms() < until; usleep(20000))
        if (running(dir) == 0) {
            printf("stopped\n");
            return EXIT_DONE;
        }
    diag_set(&d, ERR_TIMEOUT, "process %d does not stop", (int)pid);
    return command_fail("down", &d, EXIT_COULD_NOT);
}
