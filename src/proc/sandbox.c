#include "proc/sandbox.h"

#include "base/err.h"
#include "proc/report.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <openssl/ssl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

/* --- the lists --- */

/* Memory, time, signals, waiting, and what is done with descriptors that are open already. */
static const char *const everybody[] = {
    /* memory */
    "brk",
    "mmap",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "mincore",
    "membarrier",
    "memfd_create",
    "ftruncate",
    /* the process itself */
    "exit",
    "exit_group",
    "getpid",
    "gettid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getrusage",
    "getrlimit",
    "prlimit64",
    "sysinfo",
    "uname",
    "times",
    "getcpu",
    "sched_yield",
    "sched_getaffinity",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "futex",
    "arch_prctl",
    "prctl",
    "getrandom",
    /* time */
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    /* signals: tgkill and kill, which abort uses, are for oneself only, see below */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigtimedwait",
    "sigaltstack",
    "restart_syscall",
    /* waiting */
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "pipe2",
    /* descriptors */
    "read",
    "readv",
    "pread64",
    "preadv",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "lseek",
    "close",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "fstat",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
};

/* fstat of a C library is newfstatat; on paths it tells no content. */
static const char *const stats[] = {"newfstatat", "statx"};

static const char *const serving[] = {"accept", "accept4"};
static const char *const calling[] = {"connect"};

static const char *const files[] = {
    "open",
    "openat",
    "creat",
    "access",
    "faccessat",
    "faccessat2",
    "stat",
    "lstat",
    "readlink",
    "readlinkat",
    "getcwd",
    "getdents64",
    "statfs",
    "fstatfs",
    "mkdir",
    "mkdirat",
    "rmdir",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "link",
    "linkat",
    "fchmod",
    "fchmodat",
    "chmod",
    "fsync",
    "fdatasync",
    "fallocate",
    "truncate",
    "msync",
    "flock",
    "umask",
    "fchown",
    "utimensat",
    "copy_file_range",
    "sync_file_range",
    "fadvise64",
    "sendfile",
};

/* Who is who, as bits of the tables below. */
#define WORKER (1u << SANDBOX_WORKER)
#define SERVER (1u << SANDBOX_SERVER)
#define KEY (1u << SANDBOX_KEY)
#define LOG (1u << SANDBOX_LOG)
#define AGENT (1u << SANDBOX_AGENT)
#define DATABASE (1u << SANDBOX_DATABASE)
#define FILES (1u << SANDBOX_FILES)
#define WITH_FILES (LOG | AGENT | DATABASE | FILES)
#define EVERYBODY (WORKER | SERVER | KEY | WITH_FILES)

/* A group of calls and who has it. */
static const struct {
    const char *const *calls;
    size_t n;
    unsigned who;
} groups[] = {
    {everybody, ARRAY_LEN(everybody), EVERYBODY},
    {stats, ARRAY_LEN(stats), EVERYBODY},
    {serving, ARRAY_LEN(serving), WORKER | SERVER | DATABASE | FILES},
    {calling, ARRAY_LEN(calling), WORKER | AGENT},
    {files, ARRAY_LEN(files), WITH_FILES},
};

/* Sockets, by family and type; a UNIX socket or any other kind is nobody's. */
static const struct {
    int family, type;
    unsigned who;
} sockets[] = {
    {AF_INET, SOCK_STREAM, WORKER | AGENT},
    {AF_INET6, SOCK_STREAM, WORKER | AGENT},
    {AF_INET, SOCK_DGRAM, AGENT}, /* name lookups */
    {AF_INET6, SOCK_DGRAM, AGENT},
};

/* What may be read outside of the given folders, where it exists. Folders, since what resolves
 * names is replaced while we run; what is secret there is guarded by its owner. */
static const struct {
    const char *path;
    unsigned who;
} readable[] = {
    {"/etc", AGENT},                 /* hosts, resolv.conf, nsswitch.conf */
    {"/run/systemd/resolve", AGENT}, /* where resolv.conf may lead */
    {"/run/resolvconf", AGENT},
    {"/run/NetworkManager", AGENT},
    {"/usr/lib", AGENT}, /* the C library's modules for them */
    {"/lib", AGENT},
};

static const unsigned long ioctls[] = {FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, TCGETS};

/* --- seccomp --- */

/* Calls that this machine's architecture does not know are not missed. */
static int allow(scmp_filter_ctx f, const char *name)
{
    int nr = seccomp_syscall_resolve_name(name);
    return nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0);
}

static struct scmp_arg_cmp argument_is(unsigned arg, uint64_t value)
{
    return (struct scmp_arg_cmp){.arg = arg, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}

static int allow_sockets(scmp_filter_ctx f, enum sandbox_kind kind)
{
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(sockets) && r == 0; i++) {
        struct scmp_arg_cmp family = argument_is(0, (uint64_t)sockets[i].family);
        struct scmp_arg_cmp type = {.arg = 1,
                                    .op = SCMP_CMP_MASKED_EQ,
                                    .datum_a = ~(uint64_t)(SOCK_NONBLOCK | SOCK_CLOEXEC),
                                    .datum_b = (uint64_t)sockets[i].type};
        if ((sockets[i].who & 1u << kind) != 0)
            r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, family, type);
    }
    return r;
}

static int allow_with_arguments(scmp_filter_ctx f)
{
    struct scmp_arg_cmp self = argument_is(0, (uint64_t)getpid());
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(ioctls) && r == 0; i++)
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, argument_is(1, ioctls[i]));
    if (r == 0)
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, self);
    if (r == 0)
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, self);
    return r;
}

static int enter_seccomp(enum sandbox_kind kind, struct diag *d)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (f == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the seccomp list");
    int r = 0;
    for (size_t g = 0; g < ARRAY_LEN(groups); g++)
        for (size_t i = 0; i < groups[g].n && r == 0 && (groups[g].who & 1u << kind) != 0; i++)
            r = allow(f, groups[g].calls[i]);
    if (r == 0)
        r = allow_with_arguments(f);
    if (r == 0)
        r = allow_sockets(f, kind);
    if (r == 0)
        r = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree: half the cost */
    if (r == 0)
        r = seccomp_load(f);
    seccomp_release(f);
    if (r == -EINVAL || r == -ENOSYS) {
        report(REPORT_WARN, "sandbox", "this kernel has no seccomp filters: going on without");
        return 0;
    }
    return r == 0 ? 0 : diag_set(d, ERR_DENIED, "seccomp refuses: %s", strerror(-r));
}

/* --- Landlock, by bare calls: the C library has none --- */

/* Rights that the headers of an older kernel do not name. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define READS                                                                                      \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define CHANGES                                                                                    \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

static int add_folder(int rules, const char *path, uint64_t rights, struct diag *d)
{
    struct landlock_path_beneath_attr below = {.allowed_access = rights};
    below.parent_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (below.parent_fd < 0)
        return diag_set(d, ERR_DENIED, "cannot open the folder %s: %s", path, strerror(errno));
    long r = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0);
    int e = errno;
    close(below.parent_fd);
    return r == 0
               ? 0
               : diag_set(d, ERR_DENIED, "Landlock refuses the folder %s: %s", path, strerror(e));
}

static int add_folders(int rules, enum sandbox_kind kind, const char *const *dirs, uint64_t all,
                       struct diag *d)
{
    int err = 0;
    for (size_t i = 0; dirs != NULL && dirs[i] != NULL && err == 0; i++)
        err = add_folder(rules, dirs[i], all, d);
    for (size_t i = 0; i < ARRAY_LEN(readable) && err == 0; i++)
        if ((readable[i].who & 1u << kind) != 0 && access(readable[i].path, F_OK) == 0)
            err = add_folder(rules, readable[i].path, LANDLOCK_ACCESS_FS_READ_FILE, d);
    return err;
}

static int enter_landlock(enum sandbox_kind kind, const char *const *dirs, struct diag *d)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        report(REPORT_INFO, "sandbox", "this kernel has no Landlock: going on without");
        return 0;
    }
    uint64_t all = READS | CHANGES | (abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) |
                   (abi >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0);
    struct landlock_ruleset_attr handled = {.handled_access_fs = all};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
    if (rules < 0)
        return diag_set(d, ERR_DENIED, "Landlock refuses: %s", strerror(errno));
    int err = 0;
    uint64_t rights = kind == SANDBOX_FILES ? READS : all;
    if ((WITH_FILES & 1u << kind) != 0)
        err = add_folders(rules, kind, dirs, rights & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE, d);
    if (err == 0 && syscall(SYS_landlock_restrict_self, rules, 0) != 0)
        err = diag_set(d, ERR_DENIED, "Landlock refuses: %s", strerror(errno));
    close(rules);
    return err;
}

/* --- capabilities of whoever is root --- */

static int give_up_capabilities(enum sandbox_kind kind, struct diag *d)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (geteuid() != 0)
        return 0;
    /* Folders of a role may belong to its operator. */
    if ((WITH_FILES & 1u << kind) != 0)
        data[0].effective = data[0].permitted = 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER;
    if (syscall(SYS_capset, &head, data) == 0)
        return 0;
    if (errno == EPERM) { /* root of a container that has fewer: those are given up, too */
        data[0].effective = data[0].permitted = 0;
        if (syscall(SYS_capset, &head, data) == 0)
            return 0;
    }
    return diag_set(d, ERR_DENIED, "the kernel refuses to take capabilities: %s", strerror(errno));
}

/* --- all of it --- */

static bool entered;

#if defined(__SANITIZE_ADDRESS__)
#define WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_SANITIZER 1
#endif
#endif

#ifdef WITH_SANITIZER
/* LeakSanitizer asks this at the end: its own process, which it would start, is not allowed. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return entered;
}
#endif

int sandbox_enter(enum sandbox_kind kind, const char *const *dirs, struct diag *d)
{
    const struct rlimit no_core = {0, 0};
    struct diag own;
    if (d == NULL)
        d = &own;
    /* OpenSSL reads its configuration at first use, which would be too late. */
    if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1)
        return diag_set(d, ERR_CRYPTO, "OpenSSL cannot be initialised");
    if (kind == SANDBOX_KEY)
        setrlimit(RLIMIT_CORE, &no_core); /* keys are not for the disk */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return diag_set(d, ERR_DENIED, "the kernel refuses no-new-privileges: %s", strerror(errno));
    int err = give_up_capabilities(kind, d);
    err = err != 0 ? err : enter_landlock(kind, dirs, d);
    if (err == 0)
        err = enter_seccomp(kind, d);
    if (err == 0)
        entered = true;
    return err;
}
