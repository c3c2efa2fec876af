#include "base/opt.h"
#include "netkit.h"
#include "proc/group.h"
#include "proc/group_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/un.h>

/* A role of two stores and two workers. The parent is a process of the test; its children are this
 * program executed again, which ends up in start_here before main. */

/* --- in the children --- */

struct child {
    struct group_self *self;
    struct ipc *line[8]; /* workers: to the store; the store: to workers */
    int blocking;
    unsigned peers; /* so often on_peer came */
    char told[128];
    struct listener *listener;
};

static void on_line_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    (void)ctx;
    if (f->type == 1 && ipc_send(c, 2, 0, f->id, SLICE_LIT("pong"), -1, false) != 0)
        _exit(9);
}

static void on_line_close(void *ctx, struct ipc *c)
{
    struct child *k = ctx;
    for (size_t i = 0; i < ARRAY_LEN(k->line); i++)
        if (k->line[i] == c)
            k->line[i] = NULL;
    ipc_free(c);
}

static const struct ipc_events line_events = {.on_frame = on_line_frame, .on_close = on_line_close};

static void on_peer(void *ctx, const char *name, int fd)
{
    struct child *k = ctx;
    k->peers++;
    if (name[strlen(name) - 1] == '!') {
        if (k->blocking >= 0)
            close(k->blocking);
        k->blocking = fd;
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(k->line); i++) {
        if (k->line[i] != NULL)
            continue;
        k->line[i] = ipc_new(group_loop(k->self), fd, 0, &line_events, k);
        return;
    }
    close(fd);
}

/* What this child sees of another: what it counted, whether it runs and is ready, its restarts. */
static void see(struct child *k, uint64_t id, struct slice name)
{
    const struct group_pages *p = group_pages(k->self);
    char text[128] = "not seen\n";
    for (size_t i = 0; i + 1 < p->n; i++) {
        const struct group_process *one = &p->at[i + 1];
        if (slice_eq_str(name, one->name) && one->page != NULL)
            snprintf(text, sizeof text, "%d %d %d %d %s\n", (int)tally_get(one->page, TALLY_OWN),
                     group_pages_get(p, i, GROUP_PAGES_PID) != 0,
                     (int)group_pages_get(p, i, GROUP_PAGES_READY),
                     (int)group_pages_get(p, i, GROUP_PAGES_RESTARTS),
                     group_pages_resident(one) > 65536 ? "resident" : "gone");
    }
    group_answer(k->self, id, EXIT_DONE, slice_str(text));
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct child *k = ctx;
    char text[256];
    uint16_t type;
    uint8_t out[16];
    size_t n = 0;
    if (slice_eq_str(command, "die"))
        _exit(7);
    if (slice_eq_str(command, "hang"))
        for (;;)
            pause();
    if (slice_eq_str(command, "silent"))
        return;
    if (slice_eq_str(command, "name")) {
        snprintf(text, sizeof text, "%s %d\n", group_name(k->self), group_index(k->self));
        group_answer(k->self, id, EXIT_DONE, slice_str(text));
    } else if (slice_eq_str(command, "peers")) {
        snprintf(text, sizeof text, "%u\n", k->peers);
        group_answer(k->self, id, EXIT_DONE, slice_str(text));
    } else if (slice_eq_str(command, "ask")) {
        int err = ipc_call(k->blocking, 1, 5, SLICE_NONE, &type, out, sizeof out, &n, 2000);
        group_answer(k->self, id, err == 0 ? EXIT_DONE : EXIT_NO, slice_of(out, n));
    } else if (slice_starts(command, "count ")) {
        tally_add(TALLY_OWN, slice_from(command, 6).n);
        group_answer(k->self, id, EXIT_DONE, SLICE_NONE);
    } else if (slice_starts(command, "see ")) {
        see(k, id, slice_from(command, 4));
    } else if (slice_starts(command, "tell ")) {
        group_tell(k->self, "store", slice_from(command, 5));
        group_answer(k->self, id, EXIT_DONE, SLICE_NONE);
    } else if (slice_eq_str(command, "told")) {
        group_answer(k->self, id, EXIT_DONE, slice_str(k->told));
    } else if (id == 0) {
        slice_cstr(command, k->told, sizeof k->told);
    } else {
        group_answer(k->self, id, slice_eq_str(command, "reload") ? EXIT_DONE : EXIT_NO,
                     SLICE_LIT("heard\n"));
    }
}

static void note(const char *what, const char *name)
{
    char line[128];
    int fd = open("events", O_WRONLY | O_APPEND | O_CREAT, 0600);
    int n = snprintf(line, sizeof line, "%s %s\n", what, name);
    if (fd < 0 || write(fd, line, (size_t)n) != n)
        _exit(8);
    close(fd);
}

static void on_stop(void *ctx)
{
    struct child *k = ctx;
    note("stop", group_name(k->self));
    loop_stop(group_loop(k->self));
}

/* Answers a connection with the child's name and closes it. */
static void on_accept(void *ctx, int fd)
{
    struct child *k = ctx;
    const char *name = group_name(k->self);
    if (send(fd, name, strlen(name), MSG_NOSIGNAL) < 0)
        _exit(6);
    close(fd);
}

static int child_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct child k = {.self = self, .blocking = -1};
    if (strcmp(config_path, "quick.conf") == 0 && strcmp(group_name(self), "store") == 0)
        return 5;
    group_begin(self, &events, &k);
    int fd = group_listen_fd(self, "web");
    if (fd >= 0)
        k.listener = listener_new(group_loop(self), fd, on_accept, &k);
    note("run", group_name(self));
    group_ready(self);
    loop_run(group_loop(self));
    for (size_t i = 0; i < ARRAY_LEN(k.line); i++)
        ipc_free(k.line[i]);
    listener_free(k.listener);
    if (k.blocking >= 0)
        close(k.blocking);
    note("end", group_name(self));
    return EXIT_DONE;
}

/* --- the parent --- */

static int own_command(struct slice command, struct buf *answer)
{
    buf_printf(answer, "own: %.*s\n", SLICE_ARG(command));
    return EXIT_NO;
}

static const struct group_child children[] = {
    {.name = "store", .count = 1, .run = child_run},
    {.name = "worker",
     .count = 2,
     .alone = true,
     .watches = true,
     .peers = {"store", "store!"},
     .listens = {"web"},
     .run = child_run},
};

static struct group_listen web = {.name = "web"};

static struct group_spec spec = {.role = "grouptest",
                                 .children = children,
                                 .n = ARRAY_LEN(children),
                                 .listens = &web,
                                 .n_listens = 1,
                                 .dir = "role",
                                 .config_path = "test.conf",
                                 .on_command = own_command};

__attribute__((constructor)) static void start_here(int argc, char **argv)
{
    if (argc < 6 || strcmp(argv[1], "grouptest") != 0)
        return;
    spec.config_path = argv[5];
    exit(group_run_child(&spec, argv[3]));
}

static pid_t parent;
static int notify_fd = -1;

static void open_notify(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int n = snprintf(un.sun_path + 1, sizeof un.sun_path - 1, "grouptest-%d", (int)getpid());
    notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(notify_fd, (struct sockaddr *)&un,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
              0);
    un.sun_path[0] = '@';
    setenv("NOTIFY_SOCKET", un.sun_path, 1);
}

static void start_parent(const char *config)
{
    if (notify_fd < 0)
        open_notify();
    CHECK_INT(kit_shell("rm -rf events role"), 0);
    int fd = kit_listen(&web.addr); /* a free port */
    close(fd);
    fflush(stdout);
    parent = fork();
    if (parent == 0) {
        int log = open(kit_dir, O_RDONLY | O_DIRECTORY);
        if (log < 0 || fchdir(log) < 0)
            _exit(99);
        log = open("log", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(log, STDERR_FILENO);
        close(log);
        spec.config_path = config;
        _exit(group_run(&spec));
    }
}

static const char *notified(int timeout_ms)
{
    static char text[64];
    struct timeval t = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    setsockopt(notify_fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    ssize_t n = recv(notify_fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    return text;
}

static void begin(void)
{
    start_parent("test.conf");
    CHECK_STR(notified(10000), "READY=1");
}

static const char *control_path(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/role/control.sock", kit_folder());
    return path;
}

static char answer_text[4096];

static int command(const char *line)
{
    struct buf b;
    struct diag d = {0};
    int code = -1;
    buf_init(&b, sizeof answer_text - 1);
    int err = control_call(control_path(), slice_str(line), 10000, &code, &b, &d);
    slice_cstr(buf_view(&b), answer_text, sizeof answer_text);
    buf_free(&b);
    if (err != 0)
        FAIL("%s: %s", line, d.text);
    return code;
}

static void finish(void)
{
    kill(parent, SIGTERM);
    CHECK_STR(notified(10000), "STOPPING=1");
    CHECK_INT(kit_wait(parent), EXIT_DONE);
    CHECK(access(control_path(), F_OK) != 0);
}

/* The pid of a child as status tells it; its restarts too. */
static pid_t pid_of(const char *name, int *restarts, bool *ready)
{
    CHECK_INT(command("status"), EXIT_DONE);
    json_t *o = json_loads(answer_text, 0, NULL);
    CHECK(o != NULL);
    CHECK_STR(json_string_value(json_object_get(o, "role")), "grouptest");
    CHECK(json_integer_value(json_object_get(o, "since_ms")) > 1600000000000);
    *ready = json_is_true(json_object_get(o, "ready"));
    size_t i;
    json_t *c;
    pid_t pid = -1;
    json_array_foreach(json_object_get(o, "children"), i, c)
    {
        if (strcmp(json_string_value(json_object_get(c, "name")), name) != 0)
            continue;
        pid = (pid_t)json_integer_value(json_object_get(c, "pid"));
        *restarts = (int)json_integer_value(json_object_get(c, "restarts"));
    }
    json_decref(o);
    return pid;
}

static pid_t wait_restarted(const char *name, pid_t before, int restarts)
{
    for (int i = 0; i < 500; i++) {
        int n = -1;
        bool ready = false;
        pid_t now = pid_of(name, &n, &ready);
        if (ready && now > 0 && now != before) {
            CHECK_INT(n, restarts);
            return now;
        }
        usleep(20000);
    }
    FAIL("%s was not restarted", name);
}

TEST(commands_reach_parent_and_children)
{
    begin();
    struct stat st;
    CHECK_INT(stat(control_path(), &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    CHECK_INT(command("worker:1 name"), EXIT_DONE);
    CHECK_STR(answer_text, "worker:1 1\n");
    CHECK_INT(command("worker name"), EXIT_DONE);
    CHECK_STR(answer_text, "worker:0 0\n");
    CHECK_INT(command("store name"), EXIT_DONE);
    CHECK_STR(answer_text, "store 0\n");
    CHECK_INT(command("store nonsense"), EXIT_NO);
    CHECK_INT(command("make it so"), EXIT_NO);
    CHECK_STR(answer_text, "own: make it so\n");
    CHECK_INT(command("reload"), EXIT_DONE);
    CHECK(strstr(answer_text, "store: heard\n") != NULL);
    CHECK(strstr(answer_text, "worker:0: heard\n") != NULL);
    CHECK(strstr(answer_text, "worker:1: heard\n") != NULL);
    finish();
}

TEST(lines_join_the_children)
{
    begin();
    CHECK_INT(command("worker:0 ask"), EXIT_DONE);
    CHECK_STR(answer_text, "pong");
    CHECK_INT(command("worker:1 ask"), EXIT_DONE);
    CHECK_INT(command("store peers"), EXIT_DONE);
    CHECK_STR(answer_text, "4\n"); /* two workers, two lines each */
    CHECK_INT(command("worker:0 tell good news"), EXIT_DONE);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(command("store told"), EXIT_DONE);
        if (answer_text[0] != 0)
            break;
        usleep(10000);
    }
    CHECK_STR(answer_text, "good news");
    finish();
}

static void connect_web(char name[64])
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval t = {10, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    CHECK_INT(connect(fd, (struct sockaddr *)&web.addr.sa, web.addr.len), 0);
    ssize_t n = recv(fd, name, 63, 0);
    name[n > 0 ? n : 0] = 0;
    close(fd);
}

TEST(connections_spread_over_the_workers)
{
    unsigned of[2] = {0, 0};
    char name[64];
    begin();
    for (int i = 0; i < 64; i++) {
        connect_web(name);
        CHECK(strcmp(name, "worker:0") == 0 || strcmp(name, "worker:1") == 0);
        of[name[7] - '0']++;
    }
    printf("# %u and %u\n", of[0], of[1]);
    CHECK(of[0] >= 10 && of[1] >= 10);
    finish();
}

TEST(a_worker_that_is_killed_is_started_again_alone)
{
    int restarts;
    bool ready;
    char name[64];
    begin();
    pid_t store = pid_of("store", &restarts, &ready);
    pid_t other = pid_of("worker:0", &restarts, &ready);
    pid_t pid = pid_of("worker:1", &restarts, &ready);
    kill(pid, SIGKILL);
    for (int i = 0; i < 32; i++) { /* also while it is away nobody is turned away */
        connect_web(name);
        CHECK(name[0] != 0);
    }
    wait_restarted("worker:1", pid, 1);
    CHECK_INT(pid_of("store", &restarts, &ready), store);
    CHECK_INT(pid_of("worker:0", &restarts, &ready), other);
    CHECK_INT(command("worker:1 ask"), EXIT_DONE);
    CHECK_STR(answer_text, "pong");
    CHECK_INT(command("store peers"), EXIT_DONE);
    CHECK_STR(answer_text, "6\n");
    finish();
}

TEST(when_the_store_dies_all_are_started_again)
{
    int restarts;
    bool ready;
    char name[64];
    begin();
    pid_t store = pid_of("store", &restarts, &ready);
    pid_t worker = pid_of("worker:1", &restarts, &ready);
    CHECK_INT(command("store die"), EXIT_COULD_NOT);
    CHECK_STR(answer_text, "the child ended before it answered\n");
    wait_restarted("store", store, 1);
    wait_restarted("worker:1", worker, 0);
    CHECK_INT(command("worker:1 ask"), EXIT_DONE);
    connect_web(name);
    CHECK(name[0] != 0);
    finish();
}

TEST(who_watches_sees_what_all_count_also_over_a_restart)
{
    int restarts;
    bool ready;
    begin();
    CHECK_INT(command("store count 12345"), EXIT_DONE);
    CHECK_INT(command("worker:1 count 123"), EXIT_DONE);
    CHECK_INT(command("worker:0 see store"), EXIT_DONE);
    CHECK_STR(answer_text, "5 1 1 0 resident\n");
    CHECK_INT(command("worker:0 see worker:1"), EXIT_DONE);
    CHECK_STR(answer_text, "3 1 1 0 resident\n");
    CHECK_INT(command("worker:0 see worker:0"), EXIT_DONE);
    CHECK_STR(answer_text, "0 1 1 0 resident\n");
    CHECK_INT(command("store see worker:0"), EXIT_DONE); /* it does not watch */
    CHECK_STR(answer_text, "not seen\n");
    pid_t pid = pid_of("worker:1", &restarts, &ready);
    CHECK_INT(command("worker:1 die"), EXIT_COULD_NOT);
    wait_restarted("worker:1", pid, 1);
    CHECK_INT(command("worker:1 count 1"), EXIT_DONE);
    CHECK_INT(command("worker:0 see worker:1"), EXIT_DONE);
    CHECK_STR(answer_text, "4 1 1 1 resident\n");
    pid = pid_of("store", &restarts, &ready);
    CHECK_INT(command("store die"), EXIT_COULD_NOT);
    wait_restarted("store", pid, 1);
    CHECK_INT(command("worker:1 see store"), EXIT_DONE);
    CHECK_STR(answer_text, "5 1 1 1 resident\n");
    finish();
}

TEST(children_stop_in_the_reverse_order_of_their_start)
{
    begin();
    CHECK_INT(command("stop"), EXIT_DONE);
    CHECK_STR(notified(10000), "STOPPING=1");
    CHECK_INT(kit_wait(parent), EXIT_DONE);
    const char *text = kit_text("events");
    const char *end0 = strstr(text, "end worker:0"), *end1 = strstr(text, "end worker:1");
    const char *store = strstr(text, "stop store");
    CHECK(end0 != NULL && end1 != NULL && store != NULL);
    CHECK(end0 < store && end1 < store);
    CHECK(strstr(store, "end store") != NULL);
}

TEST(a_child_that_does_not_end_is_killed_after_5_s)
{
    struct diag d;
    struct buf b;
    int code;
    begin();
    buf_init(&b, 100);
    CHECK_INT(control_call(control_path(), SLICE_LIT("worker:0 hang"), 100, &code, &b, &d),
              ERR_TIMEOUT);
    buf_free(&b);
    time_t before = time(NULL);
    finish();
    CHECK(time(NULL) - before >= 4);
    CHECK(strstr(kit_text("log"), "worker:0 does not end: killed") != NULL);
    CHECK(strstr(kit_text("events"), "end store") != NULL);
}

TEST(children_that_die_at_once_five_times_end_the_group)
{
    start_parent("quick.conf");
    CHECK_INT(kit_wait(parent), EXIT_COULD_NOT);
    CHECK_STR(notified(1000), "STOPPING=1");
    CHECK(strstr(kit_text("log"), "store ended 5 times in a row right after its start") != NULL);
}

TEST(children_do_not_outlive_their_parent)
{
    int restarts;
    bool ready;
    begin();
    pid_t pids[] = {pid_of("store", &restarts, &ready), pid_of("worker:0", &restarts, &ready),
                    pid_of("worker:1", &restarts, &ready)};
    kill(parent, SIGKILL);
    kit_wait(parent);
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        char path[64], state[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pids[i]);
        for (int k = 0; k < 200; k++) {
            FILE *f = fopen(path, "r");
            size_t n = f != NULL ? fread(state, 1, sizeof state - 1, f) : 0;
            state[n] = 0;
            if (f != NULL)
                fclose(f);
            if (n == 0 || strstr(state, ") Z") != NULL)
                break; /* gone, or waits for init to take note */
            usleep(10000);
        }
        CHECK(state[0] == 0 || strstr(state, ") Z") != NULL);
    }
}

TEST(a_role_runs_once_in_its_folder)
{
    begin();
    pid_t first = parent;
    fflush(stdout);
    pid_t second = fork();
    if (second == 0) {
        int log = open("/dev/null", O_WRONLY);
        dup2(log, STDERR_FILENO);
        _exit(chdir(kit_dir) == 0 ? group_run(&spec) : 99);
    }
    CHECK_INT(kit_wait(second), EXIT_COULD_NOT);
    parent = first;
    CHECK_INT(command("store name"), EXIT_DONE);
    finish();
}

TEST(nobody_listening_is_told_to_the_caller)
{
    struct diag d;
    struct buf b;
    int code;
    buf_init(&b, 100);
    CHECK_INT(control_call("/tmp/no-such.sock", SLICE_LIT("status"), 1000, &code, &b, &d),
              ERR_NOT_FOUND);
    CHECK_INT(control_call("/tmp/no-such.sock", SLICE_LIT("two\nlines"), 1000, &code, &b, &d),
              ERR_USAGE);
    buf_free(&b);
}
