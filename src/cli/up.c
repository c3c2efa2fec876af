#include "cli/up.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/country.h"
#include "cli/found.h"
#include "cli/launch.h"
#include "net/loop.h"
#include "proc/control.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "proc/group.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_CAP 1400
#define READY_MS 20000
#define STOP_MS 8000
#define LOOK_MS 100
#define ROLE_MS 40000 /* to start or stop one role */

struct country {
    const char *dir, *key_kind;
    struct launch role[COUNTRY_ROLES];
    char config[COUNTRY_ROLES][PATH_CAP], log[COUNTRY_ROLES][PATH_CAP];
    char env[COUNTRY_ROLES][PATH_CAP];
    int lock;
    struct loop *loop; /* once all are up */
    struct control *control;
    struct {
        bool waits; /* somebody waits for an answer to "start" */
        uint64_t id;
        int64_t until_ms;
    } starting[COUNTRY_ROLES];
};

static volatile sig_atomic_t stop_wanted;

static void on_signal(int signo)
{
    (void)signo;
    stop_wanted = 1;
}

/* --- the folder --- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* One country a folder: whoever holds the lock runs it; its process number is in the file. */
static int take_lock(struct country *c, struct diag *d)
{
    char path[PATH_CAP], pid[32];
    int rc = fs_mkdirs(c->dir, 0755, d);
    if (rc != 0)
        return rc;
    snprintf(path, sizeof path, "%s/up.pid", c->dir);
    c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (c->lock < 0)
        return diag_set(d, err_from_errno(errno), "%s: %s", path, strerror(errno));
    if (flock(c->lock, LOCK_EX | LOCK_NB) != 0)
        return diag_set(d, ERR_EXISTS, "the country in %s is running already (see sild status)",
                        c->dir);
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(c->lock, 0) != 0 || pwrite(c->lock, pid, (size_t)n, 0) != n)
        return diag_set(d, ERR_IO, "%s cannot be written", path);
    return 0;
}

/* --- starting --- */

static void prepare(struct country *c)
{
    for (int i = 0; i < COUNTRY_ROLES; i++) {
        const struct country_role *r = &country_roles[i];
        snprintf(c->config[i], PATH_CAP, "%s/%s/%s.conf", c->dir, r->name, r->name);
        snprintf(c->log[i], PATH_CAP, "%s/%s/log", c->dir, r->name);
        snprintf(c->env[i], PATH_CAP, "%s/%s/environment", c->dir, r->name);
        c->role[i] = (struct launch){.role = r->role,
                                     .name = r->name,
                                     .config = c->config[i],
                                     .log_path = c->log[i],
                                     .env_path = c->env[i],
                                     .notify_fd = -1};
    }
}

static int start(struct country *c, int i, struct diag *d)
{
    return launch_start(&c->role[i], d);
}

static int ready(struct country *c, int i, struct diag *d)
{
    struct launch *l = &c->role[i];
    int rc = launch_wait(l, READY_MS, d);
    if (rc != 0)
        return rc;
    printf("  %-11s %5lld ms %6.1f MB   %s\n", l->name, (long long)(l->ready_ms - l->started_ms),
           (double)launch_pss_kib(l->pid) / 1024.0, country_roles[i].shows);
    fflush(stdout);
    return 0;
}

/* The register's people are made by a process beside the rest. */
static pid_t make_people(struct country *c)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int log = open(c->log[COUNTRY_POPULATION], O_WRONLY | O_CREAT | O_APPEND, 0640);
    if (log >= 0) {
        dup2(log, 1);
        dup2(log, 2);
    }
    execl("/proc/self/exe", "sild", "registry", "init", "--config", c->config[COUNTRY_POPULATION],
          (char *)NULL);
    _exit(3);
}

static int wait_people(struct country *c, pid_t pid, struct diag *d)
{
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return diag_set(d, ERR_DATABASE, "the population register could not be made: see %s",
                        c->log[COUNTRY_POPULATION]);
    return 0;
}

/* A new country: each role starts when what it needs is there. */
static int found(struct country *c, struct diag *d)
{
    char mark[PATH_CAP];
    int rc = found_files(c->dir, c->key_kind, d);
    pid_t people = rc == 0 ? make_people(c) : -1;
    for (int i = 0; rc == 0 && i <= COUNTRY_LEDGER; i++)
        rc = start(c, i, d);
    for (int i = 0; rc == 0 && i <= COUNTRY_LEDGER; i++)
        rc = ready(c, i, d);
    rc = rc != 0 ? rc : start(c, COUNTRY_TRUST, d);
    rc = rc != 0 ? rc : start(c, COUNTRY_AUTHORITY, d);
    rc = rc != 0 ? rc : ready(c, COUNTRY_TRUST, d);
    rc = rc != 0 ? rc : found_certificates(c->dir, d);
    rc = rc != 0 ? rc : ready(c, COUNTRY_AUTHORITY, d);
    rc = rc != 0 ? rc : found_members(c->dir, d);
    rc = rc != 0 ? rc : start(c, COUNTRY_STATE, d);
    rc = rc != 0 ? rc : start(c, COUNTRY_SOCIAL, d);
    rc = rc != 0 ? rc : ready(c, COUNTRY_STATE, d);
    rc = rc != 0 ? rc : ready(c, COUNTRY_SOCIAL, d);
    int made = wait_people(c, people, d);
    rc = rc != 0 ? rc : made;
    rc = rc != 0 ? rc : start(c, COUNTRY_POPULATION, d);
    rc = rc != 0 ? rc : ready(c, COUNTRY_POPULATION, d);
    snprintf(mark, sizeof mark, "%s/founded", c->dir);
    return rc != 0 ? rc : fs_write(mark, SLICE_LIT(SILD_VERSION "\n"), 0644, d);
}

static int restart(struct country *c, struct diag *d)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < COUNTRY_ROLES; i++)
        rc = start(c, i, d);
    for (int i = 0; rc == 0 && i < COUNTRY_ROLES; i++)
        rc = ready(c, i, d);
    return rc;
}

static void stop_all(struct country *c)
{
    /* Who asks stops first; who stamps and answers for certificates after all that ask it, and the
     * ledger, which takes the last heads, after those. */
    static const int order[] = {COUNTRY_SOCIAL,    COUNTRY_STATE,    COUNTRY_POPULATION,
                                COUNTRY_AUTHORITY, COUNTRY_TRUST,    COUNTRY_LEDGER,
                                COUNTRY_WITNESS1,  COUNTRY_WITNESS2, COUNTRY_WITNESS3};
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        launch_stop(&c->role[order[i]], STOP_MS);
}

/* --- what to try --- */

/* A person's code to try with; empty when the register tells none. */
static void sample_code(struct country *c, char out[16])
{
    char line[256] = "";
    int end[2];
    out[0] = 0;
    fflush(NULL);
    pid_t pid = pipe2(end, O_CLOEXEC) == 0 ? fork() : -2;
    if (pid == 0) {
        dup2(end[1], STDOUT_FILENO);
        execl("/proc/self/exe", "sild", "registry", "sample", "-n", "1", "--config",
              c->config[COUNTRY_POPULATION], (char *)NULL);
        _exit(EXIT_COULD_NOT);
    }
    if (pid == -2)
        return;
    close(end[1]);
    FILE *from = fdopen(end[0], "r");
    if (from != NULL && fgets(line, sizeof line, from) != NULL)
        snprintf(out, 16, "%.11s", line);
    if (from != NULL)
        fclose(from);
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

static void tell(struct country *c, int64_t began_ms)
{
    char code[16], at[PATH_CAP] = "";
    int64_t kib = launch_pss_kib(getpid());
    for (int i = 0; i < COUNTRY_ROLES; i++)
        kib += launch_pss_kib(c->role[i].pid);
    sample_code(c, code);
    if (strcmp(c->dir, "./country.d") != 0)
        snprintf(at, sizeof at, " --dir %s", c->dir);
    printf(
        "\nThe country is up: %.1f s, %.0f MB in all.\n\n"
        "Try, in a second terminal:\n"
        "  ./build/sild call GET /r1/SILD/GOV/70000001/population/persons/%s\n"
        "  curl -i -H 'X-Road-Client: " COUNTRY_CLIENT "' \\\n"
        "    " COUNTRY_CONSUMER "/r1/SILD/GOV/70000001/population/persons/%s\n"
        "  ./build/sild asic get --last --out m.asice%s && ./build/sild asic verify m.asice%s\n"
        "  ./build/sild proof get --last --out p.proof%s && ./build/sild proof verify p.proof%s\n"
        "  the ledger's page: http://127.0.1.31:2025/\n"
        "\nCtrl-C stops it; what it knows stays in %s.\n",
        (double)(launch_now_ms() - began_ms) / 1000.0, (double)kib / 1024.0, code, code, at, at, at,
        at, c->dir);
    fflush(stdout);
}

/* --- while it runs --- */

static void answer_start(struct country *c, int i, int code, const char *text)
{
    c->starting[i].waits = false;
    control_answer(c->control, c->starting[i].id, code, slice_str(text));
}

/* Is the role that somebody waits for ready, or will it not be? */
static void look_at_start(struct country *c, int i)
{
    struct launch *l = &c->role[i];
    struct diag d = {0};
    char text[700];
    int rc = l->pid <= 0 ? diag_set(&d, ERR_CLOSED, "it ended while it started: see %s", c->log[i])
                         : launch_wait(l, LOOK_MS, &d);
    if (rc == ERR_TIMEOUT && launch_now_ms() < c->starting[i].until_ms)
        return;
    snprintf(text, sizeof text, rc == 0 ? "%s is ready\n" : "%s: %s\n", l->name, d.text);
    answer_start(c, i, rc == 0 ? EXIT_DONE : EXIT_COULD_NOT, text);
}

/* A role that ends leaves the others as they are: each is a process of its own in life, too. */
static void reap(struct country *c)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (int i = 0; i < COUNTRY_ROLES; i++)
            if (c->role[i].pid == pid) {
                launch_ended(&c->role[i], status);
                fprintf(stderr,
                        "sild up: %s ended by itself: see %s; sild up --role %s starts it\n",
                        c->role[i].name, c->log[i], c->role[i].name);
            }
}

static void look(void *ctx)
{
    struct country *c = ctx;
    for (int i = 0; i < COUNTRY_ROLES; i++)
        if (c->starting[i].waits)
            look_at_start(c, i);
    reap(c);
    if (stop_wanted)
        loop_stop(c->loop);
    else
        loop_timer_start(c->loop, LOOK_MS, look, c);
}

static void start_one(struct country *c, int i, uint64_t id)
{
    struct diag d = {0};
    char text[700];
    bool runs = c->role[i].pid > 0;
    c->starting[i].id = id;
    if (!runs && start(c, i, &d) == 0) {
        c->starting[i].waits = true;
        c->starting[i].until_ms = launch_now_ms() + READY_MS;
        return;
    }
    snprintf(text, sizeof text, "%s: %s\n", c->role[i].name, runs ? "is running already" : d.text);
    answer_start(c, i, runs ? EXIT_NO : EXIT_COULD_NOT, text);
}

static int stop_one(struct country *c, int i, struct buf *answer)
{
    if (c->role[i].pid <= 0)
        buf_printf(answer, "%s is not running\n", c->role[i].name);
    else
        buf_printf(answer, "%s is stopped\n", c->role[i].name);
    launch_stop(&c->role[i], STOP_MS);
    if (c->starting[i].waits)
        answer_start(c, i, EXIT_NO, "stopped before it was ready\n");
    return EXIT_DONE;
}

/* "start NAME", "stop NAME": from sild up --role and sild down --role. */
static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct country *c = ctx;
    struct slice rest = command, verb;
    struct buf answer;
    int code = EXIT_USE;
    reap(c);
    buf_init(&answer, 4096);
    slice_next(&rest, ' ', &verb);
    int i = 0;
    while (i < COUNTRY_ROLES && !slice_eq_str(rest, country_roles[i].name))
        i++;
    if (i == COUNTRY_ROLES)
        buf_printf(&answer, "there is no role \"%.*s\"\n", SLICE_ARG(rest));
    else if (slice_eq_str(verb, "stop"))
        code = stop_one(c, i, &answer);
    if (i < COUNTRY_ROLES && slice_eq_str(verb, "start"))
        start_one(c, i, id);
    else
        control_answer(c->control, id, code, buf_view(&answer));
    buf_free(&answer);
}

/* Until a signal. */
static int watch(struct country *c, struct diag *d)
{
    char path[PATH_CAP];
    snprintf(path, sizeof path, "%s/" COUNTRY_SOCKET, c->dir);
    c->loop = loop_new();
    c->control = c->loop == NULL ? NULL : control_new(c->loop, path, on_command, c, d);
    if (c->control == NULL) {
        loop_free(c->loop);
        return d->code != 0 ? d->code : diag_set(d, ERR_NOMEM, "no event loop");
    }
    loop_timer_start(c->loop, 0, look, c); /* a stop of the loop counts only while it runs */
    loop_run(c->loop);
    control_free(c->control);
    loop_free(c->loop);
    return 0;
}

static int run(const char *dir, const char *key_kind, bool fresh)
{
    struct country c = {.dir = dir, .key_kind = key_kind == NULL ? "p256" : key_kind, .lock = -1};
    struct diag d = {0};
    char mark[PATH_CAP];
    int64_t began = launch_now_ms();
    if (take_lock(&c, &d) != 0)
        return command_fail("up", &d, d.code == ERR_EXISTS ? EXIT_NO : EXIT_COULD_NOT);
    prepare(&c);
    snprintf(mark, sizeof mark, "%s/founded", dir);
    if (fresh || !fs_exists(mark)) {
        for (int i = 0; i < COUNTRY_ROLES; i++) {
            char path[PATH_CAP];
            snprintf(path, sizeof path, "%s/%s", dir, country_roles[i].name);
            nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        }
        unlink(mark);
    }
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    bool known = fs_exists(mark);
    if (known && !fs_exists(c.config[COUNTRY_LEDGER])) {
        diag_set(&d, ERR_NOT_FOUND,
                 "the country in %s was founded before it had a ledger: found it anew with --fresh",
                 dir);
        return command_fail("up", &d, EXIT_NO);
    }
    if (known && key_kind != NULL) {
        diag_set(&d, ERR_EXISTS, "the country in %s has its keys already: --key wants --fresh",
                 dir);
        return command_fail("up", &d, EXIT_USE);
    }
    printf("%s the demonstration country in %s\n", known ? "Starting" : "Founding", dir);
    int rc = known ? restart(&c, &d) : found(&c, &d);
    if (rc != 0) {
        stop_all(&c);
        return command_fail("up", &d, EXIT_COULD_NOT);
    }
    tell(&c, began);
    rc = watch(&c, &d);
    printf("Stopping.\n");
    stop_all(&c);
    return rc == 0 ? EXIT_DONE : command_fail("up", &d, EXIT_COULD_NOT);
}

int up_tell(const char *who, const char *dir, const char *verb, const char *role)
{
    struct diag d = {0};
    struct buf answer;
    char path[PATH_CAP], line[256];
    int code = EXIT_COULD_NOT;
    buf_init(&answer, 65536);
    snprintf(path, sizeof path, "%s/" COUNTRY_SOCKET, dir);
    snprintf(line, sizeof line, "%s %s", verb, role);
    if (control_call(path, slice_str(line), ROLE_MS, &code, &answer, &d) == ERR_NOT_FOUND) {
        diag_set(&d, ERR_NOT_FOUND, "no country is running in %s", dir);
        code = command_fail(who, &d, EXIT_COULD_NOT);
    } else if (d.code != 0) {
        code = command_fail(who, &d, EXIT_COULD_NOT);
    }
    fputs(buf_cstr(&answer), code == EXIT_DONE ? stdout : stderr);
    buf_free(&answer);
    return code;
}

int cli_up(int argc, char **argv)
{
    const char *dir = "./country.d", *fresh = NULL, *role = NULL, *key = NULL;
    const struct opt opts[] = {
        {"--dir", "DIR", "where the country lives (./country.d)", &dir, NULL},
        {"--fresh", NULL, "forget what is there and found it anew", &fresh, NULL},
        {"--key", "KIND",
         "kind of a new country's gateway keys: p256 (the default), p384, rsa2048, rsa3072", &key,
         NULL},
        {"--role", "NAME", "start one role of the running country that is down", &role, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild up [--dir DIR] [--fresh | --role NAME] [--key KIND]",
        .text = "Brings the demonstration country up: authority, trust, two gateways, the\n"
                "population register, and a ledger with three witnesses, each in its own\n"
                "processes on loopback addresses. Restarts on what it finds. Ctrl-C or sild down "
                "stops all in order.",
        .opts = opts,
    };
    char *args[argc + 1];
    int code;
    if (!command_parse("up", &cmd, argc, argv, args, &code))
        return code;
    return role != NULL ? up_tell("up", dir, "start", role) : run(dir, key, fresh != NULL);
}
