#include "base/err.h"
#include "net/http_fetch.h"
#include "net/loop.h"
#include "netkit.h"
#include "proc/ipc.h"
#include "proc/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

/* In a process of its own, which enters the sandbox and tries: its exit code is the number of the
 * first line that went otherwise than it should, or 0. */

#define REFUSED(call)                                                                              \
    do {                                                                                           \
        errno = 0;                                                                                 \
        if ((call) >= 0 || (errno != EPERM && errno != EACCES)) {                                  \
            fprintf(stderr, "# not refused (errno %d): %s\n", errno, #call);                       \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)
#define WORKS(call)                                                                                \
    do {                                                                                           \
        errno = 0;                                                                                 \
        if ((call) < 0) {                                                                          \
            fprintf(stderr, "# errno %d: %s\n", errno, #call);                                     \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static char inside[256], outside[256];

static int in_process(enum sandbox_kind kind, void (*attempts)(void))
{
    const char *dirs[] = {inside, NULL};
    snprintf(inside, sizeof inside, "%s/inside", kit_folder());
    snprintf(outside, sizeof outside, "%s/outside", kit_folder());
    mkdir(inside, 0700);
    mkdir(outside, 0700);
    CHECK_INT(kit_shell("echo text > outside/file"), 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct diag d = {0};
        if (sandbox_enter(kind, dirs, &d) != 0) {
            fprintf(stderr, "# %s\n", d.text);
            _exit(2);
        }
        attempts();
        exit(0); /* with the sanitizer's checks */
    }
    return kit_wait(pid);
}

static const char *in(const char *dir, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void nobody_may(void)
{
    REFUSED(socket(AF_UNIX, SOCK_STREAM, 0));
    REFUSED(socket(AF_UNIX, SOCK_DGRAM, 0));
    REFUSED(socket(AF_NETLINK, SOCK_RAW, 0));
    REFUSED(socket(AF_PACKET, SOCK_RAW, 0));
    REFUSED(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    REFUSED(fork());
    REFUSED(execl("/bin/true", "true", (char *)NULL));
    REFUSED(kill(getppid(), 0));
    REFUSED(chdir("/"));
    REFUSED(setuid(0));
    int pair[2];
    REFUSED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

/* The machinery that every child needs. */
static void everybody_may(void)
{
    struct loop *l = loop_new();
    int m = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    WORKS(l != NULL ? 0 : -1);
    loop_free(l);
    WORKS(m);
    WORKS(write(m, "abc", 3));
    void *p = mmap(NULL, 3, PROT_READ, MAP_PRIVATE, m, 0);
    WORKS(p != MAP_FAILED ? 0 : -1);
    munmap(p, 3);
    close(m);
    for (int i = 0; i < 20; i++) {
        void *volatile big = malloc(1u << 22);
        memset(big, 1, 1u << 22);
        free(big);
    }
}

static void no_files(void)
{
    REFUSED(open("/etc/passwd", O_RDONLY));
    REFUSED(open(in(inside, "new"), O_WRONLY | O_CREAT, 0600));
    REFUSED(mkdir(in(inside, "folder"), 0700));
    REFUSED(unlink(in(outside, "file")));
    REFUSED(rename(in(outside, "file"), "/tmp/x"));
}

static void no_network(void)
{
    REFUSED(socket(AF_INET, SOCK_STREAM, 0));
    REFUSED(socket(AF_INET6, SOCK_STREAM, 0));
    REFUSED(socket(AF_INET, SOCK_DGRAM, 0));
}

static struct net_addr at;
static int bound_before = -1; /* bound before the process narrowed itself */

static void tcp_works(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    WORKS(fd);
    int r = connect(fd, (const struct sockaddr *)&at.sa, at.len);
    bool refused = r < 0 && errno != EINPROGRESS && errno != ECONNREFUSED;
    WORKS(refused ? -1 : 0);
    close(fd);
    WORKS(fd = socket(AF_INET6, SOCK_STREAM, 0));
    REFUSED(bind(fd, (const struct sockaddr *)&at.sa, at.len));
    REFUSED(listen(fd, 1));
    close(fd);
}

/* Root, if that is who we are, without root's rights. */
static void no_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    REFUSED(syscall(SYS_capget, &head, data)); /* not on the list */
    REFUSED(syscall(SYS_capset, &head, data));
    REFUSED(chroot("/"));
    REFUSED(mount("none", "/", "tmpfs", 0, NULL));
    REFUSED(syscall(SYS_ptrace, 16, getppid(), 0, 0));
    REFUSED(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static void as_server(void)
{
    nobody_may();
    no_capabilities();
    everybody_may();
    no_files();
    no_network();
}

static void as_worker(void)
{
    nobody_may();
    no_capabilities();
    everybody_may();
    no_files();
    tcp_works();
    REFUSED(socket(AF_INET, SOCK_DGRAM, 0));
    REFUSED(socket(AF_INET6, SOCK_DGRAM, 0));
    struct tls *t = tls_new(TLS_EDGE_CLIENT, NULL, 0, NULL, NULL);
    WORKS(t != NULL ? 0 : -1);
    tls_free(t);
}

static void as_key(void)
{
    nobody_may();
    everybody_may();
    no_files();
    no_network();
    EVP_PKEY *key = EVP_EC_gen("P-256"); /* keys, randomness and signatures need nothing else */
    WORKS(key != NULL ? 0 : -1);
    EVP_PKEY_free(key);
}

static bool landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

static void files_inside(void)
{
    int fd = open(in(inside, "record"), O_RDWR | O_CREAT, 0600);
    WORKS(fd);
    WORKS(write(fd, "abc", 3));
    WORKS(fdatasync(fd));
    close(fd);
    WORKS(rename(in(inside, "record"), "/proc/self/cwd/none") < 0 ? 0 : -1);
    char to[512];
    snprintf(to, sizeof to, "%s/other", inside);
    WORKS(rename(in(inside, "record"), to));
    WORKS(unlink(to));
    fd = open(inside, O_RDWR | O_TMPFILE, 0600);
    WORKS(fd);
    close(fd);
}

/* Files elsewhere, the agent's for name lookups apart. */
static void no_files_outside(void)
{
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1)
        return;
    REFUSED(open(in(outside, "file"), O_RDONLY));
    REFUSED(open(outside, O_RDONLY | O_DIRECTORY));
    REFUSED(open("/proc/self/maps", O_RDONLY));
    REFUSED(open(in(outside, "file"), O_WRONLY));
    REFUSED(open(in(outside, "new"), O_WRONLY | O_CREAT, 0600));
    REFUSED(unlink(in(outside, "file")));
    REFUSED(open("/etc/sild-new", O_WRONLY | O_CREAT, 0600));
}

static void as_log(void)
{
    nobody_may();
    no_capabilities();
    everybody_may();
    no_network();
    files_inside();
    no_files_outside();
    if (landlock())
        REFUSED(open("/etc/passwd", O_RDONLY));
}

static void as_database(void)
{
    as_log();
    int fd = bound_before;
    WORKS(accept4(fd, NULL, NULL, SOCK_NONBLOCK) < 0 && errno == EAGAIN ? 0 : -1);
}

static void as_reader(void)
{
    nobody_may();
    no_capabilities();
    everybody_may();
    no_network();
    no_files_outside();
    WORKS(close(open(in(inside, "there"), O_RDONLY)));
    if (landlock()) {
        REFUSED(open(in(inside, "there"), O_RDWR));
        REFUSED(open(in(inside, "new"), O_WRONLY | O_CREAT, 0600));
        REFUSED(unlink(in(inside, "there")));
        REFUSED(mkdir(in(inside, "folder"), 0700));
    }
    WORKS(accept4(bound_before, NULL, NULL, SOCK_NONBLOCK) < 0 && errno == EAGAIN ? 0 : -1);
}

static void as_agent(void)
{
    struct http_result r;
    struct diag d = {0};
    char url[128];
    nobody_may();
    no_capabilities();
    everybody_may();
    files_inside();
    no_files_outside();
    WORKS(close(open("/etc/passwd", O_RDONLY))); /* as any module of the C library for names */
    tcp_works();
    /* a name is resolved and a server asked: nobody answers there, but nothing is refused */
    snprintf(url, sizeof url, "http://localhost:%u/", kit_port(&at));
    int err = http_fetch(url, "GET", SLICE_NONE, SLICE_NONE, 1000, 2000, &r, &d);
    if (err != ERR_NETWORK) {
        fprintf(stderr, "# fetch: %d %s\n", err, d.text);
        _exit(1);
    }
}

static void closed_port(void)
{
    int fd = kit_listen(&at);
    close(fd);
}

TEST(a_worker_has_tcp_and_nothing_else)
{
    closed_port();
    CHECK_INT(in_process(SANDBOX_WORKER, as_worker), 0);
}

TEST(the_key_process_has_neither_network_nor_files)
{
    CHECK_INT(in_process(SANDBOX_KEY, as_key), 0);
}

TEST(a_server_has_what_was_bound_for_it_and_nothing_else)
{
    CHECK_INT(in_process(SANDBOX_SERVER, as_server), 0);
}

TEST(a_database_has_its_folder_and_what_was_bound_for_it)
{
    bound_before = kit_listen(&at);
    CHECK_INT(in_process(SANDBOX_DATABASE, as_database), 0);
    close(bound_before);
}

TEST(a_reader_of_files_changes_none)
{
    bound_before = kit_listen(&at);
    CHECK_INT(kit_shell("mkdir -p inside && echo text > inside/there"), 0);
    CHECK_INT(in_process(SANDBOX_FILES, as_reader), 0);
    close(bound_before);
}

TEST(the_log_has_its_folder_and_no_network)
{
    CHECK_INT(in_process(SANDBOX_LOG, as_log), 0);
}

TEST(the_agent_has_its_folder_tcp_and_names)
{
    closed_port();
    CHECK_INT(in_process(SANDBOX_AGENT, as_agent), 0);
}

static void nothing(void)
{
}

TEST(a_folder_that_is_missing_is_an_error_where_it_matters)
{
    if (!landlock())
        SKIP("this kernel has no Landlock");
    CHECK_INT(in_process(SANDBOX_LOG, nothing), 0);
    const char *dirs[] = {"/no/such/folder", NULL};
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct diag d = {0};
        _exit(sandbox_enter(SANDBOX_LOG, dirs, &d) == ERR_DENIED ? 0 : 1);
    }
    CHECK_INT(kit_wait(pid), 0);
}
