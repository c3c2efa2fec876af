#include "cli/launch.h"
#include "base/err.h"
#include "base/timeval.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t launch_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A socket in the abstract name space: nothing is left on the disk. */
static int open_notify(struct launch *l)
{
    static unsigned count;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int n = snprintf(l->notify_path, sizeof l->notify_path, "@sild-%d-%u", (int)getpid(), count++);
    memcpy(a.sun_path, l->notify_path, (size_t)n);
    a.sun_path[0] = 0;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, len) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* As systemd's EnvironmentFile: lines NAME=VALUE, "#" starts a comment line. */
static void read_environment(const char *path)
{
    char line[4096];
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *eq = strchr(line, '=');
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '#' || eq == NULL)
            continue;
        *eq = 0;
        setenv(line, eq + 1, 1);
    }
    if (f != NULL)
        fclose(f);
}

static void become(const struct launch *l)
{
    int log = open(l->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0)
        _exit(3);
    dup2(null, 0);
    dup2(log, 1);
    dup2(log, 2);
    setsid(); /* Ctrl-C reaches the starter alone, which stops all in order */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    read_environment(l->env_path);
    setenv("NOTIFY_SOCKET", l->notify_path, 1);
    char first[64], *second = strchr(l->role, ' ') == NULL ? NULL : first;
    snprintf(first, sizeof first, "%s", l->role);
    if (second != NULL) {
        second = strchr(first, ' ');
        *second++ = 0;
        execl("/proc/self/exe", "sild", first, second, "--config", l->config, (char *)NULL);
    } else {
        execl("/proc/self/exe", "sild", first, "--config", l->config, (char *)NULL);
    }
    _exit(3);
}

int launch_start(struct launch *l, struct diag *d)
{
    l->notify_fd = open_notify(l);
    if (l->notify_fd < 0)
        return diag_set(d, ERR_IO, "no socket for readiness: %s", strerror(errno));
    l->started_ms = launch_now_ms();
    l->ready_ms = 0;
    fflush(NULL);
    l->pid = fork();
    if (l->pid == 0)
        become(l);
    if (l->pid < 0) {
        close(l->notify_fd);
        return diag_set(d, ERR_IO, "no new process: %s", strerror(errno));
    }
    return 0;
}

static bool is_ready(int fd)
{
    char text[512];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return false;
    text[n] = 0;
    return strstr(text, "READY=1") != NULL;
}

/* What the role said last: the "text" of its last report, or the bare line. */
static void last_words(const char *path, char *out, size_t cap)
{
    char tail[4096];
    out[0] = 0;
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return;
    if (fseek(f, -(long)sizeof tail + 1, SEEK_END) != 0)
        rewind(f);
    size_t n = fread(tail, 1, sizeof tail - 1, f);
    fclose(f);
    while (n > 0 && tail[n - 1] == '\n')
        n--;
    tail[n] = 0;
    const char *line = strrchr(tail, '\n');
    line = line == NULL ? tail : line + 1;
    const char *text = strstr(line, "\"text\":\"");
    if (text != NULL)
        line = text + 8;
    snprintf(out, cap, "%.*s", (int)strcspn(line, text != NULL ? "\"" : "\n"), line);
}

int launch_wait(struct launch *l, int64_t timeout_ms, struct diag *d)
{
    int64_t until = launch_now_ms() + timeout_ms;
    while (launch_now_ms() < until) {
        struct pollfd p = {.fd = l->notify_fd, .events = POLLIN};
        int status;
        if (poll(&p, 1, 50) > 0 && is_ready(l->notify_fd)) {
            l->ready_ms = launch_now_ms();
            close(l->notify_fd);
            l->notify_fd = -1;
            return 0;
        }
        if (waitpid(l->pid, &status, WNOHANG) == l->pid) {
            char words[300];
            l->pid = 0;
            last_words(l->log_path, words, sizeof words);
            return diag_set(d, ERR_CLOSED, "%s ended while it started: %s (see %s)", l->name, words,
                            l->log_path);
        }
    }
    return diag_set(d, ERR_TIMEOUT, "%s is not ready after %lld s: see %s", l->name,
                    (long long)timeout_ms / 1000, l->log_path);
}

void launch_stop(struct launch *l, int64_t timeout_ms)
{
    int64_t until = launch_now_ms() + timeout_ms;
    int status;
    if (l->pid <= 0)
        return;
    kill(l->pid, SIGTERM);
    while (waitpid(l->pid, &status, WNOHANG) == 0) {
        if (launch_now_ms() > until) {
            kill(l->pid, SIGKILL);
            waitpid(l->pid, &status, 0);
            break;
        }
        usleep(5000);
    }
    l->pid = 0;
}

void launch_ended(struct launch *l, int status)
{
    char time_text[TIMEVAL_TEXT], how[64], line[512];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    timeval_print_iso((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, true, time_text);
    if (WIFSIGNALED(status))
        snprintf(how, sizeof how, "by signal %d", WTERMSIG(status));
    else
        snprintf(how, sizeof how, "with exit code %d", WEXITSTATUS(status));
    int n = snprintf(line, sizeof line,
                     "{\"time\":\"%s\",\"level\":\"error\",\"role\":\"up\",\"event\":\"ended\","
                     "\"text\":\"%s ended %s\"}\n",
                     time_text, l->name, how);
    int log = open(l->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (log < 0 || write(log, line, (size_t)n) != n)
        fprintf(stderr, "sild up: %s cannot be written\n", l->log_path);
    if (log >= 0)
        close(log);
    l->pid = 0;
}

/* Parent of a process, from the fields after its parenthesised name. */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    int ppid = -1;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    size_t n = f == NULL ? 0 : fread(text, 1, sizeof text - 1, f);
    if (f != NULL)
        fclose(f);
    text[n] = 0;
    char *end = strrchr(text, ')');
    if (end == NULL || sscanf(end + 1, " %*c %d", &ppid) != 1)
        return -1;
    return ppid;
}

static int64_t pss_of(pid_t pid)
{
    char path[64], line[256];
    long long kib = -1;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "Pss: %lld kB", &kib) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return kib;
}

int64_t launch_pss_kib(pid_t pid)
{
    int64_t sum = pss_of(pid);
    DIR *proc = opendir("/proc");
    struct dirent *e;
    /* Children have one level here: parent, then its re-executed children. */
    while (proc != NULL && sum >= 0 && (e = readdir(proc)) != NULL) {
        pid_t p = (pid_t)atoi(e->d_name);
        if (p <= 0 || p == pid || parent_of(p) != pid)
            continue;
        int64_t kib = pss_of(p);
        sum += kib > 0 ? kib : 0;
    }
    if (proc != NULL)
        closedir(proc);
    return sum;
}
