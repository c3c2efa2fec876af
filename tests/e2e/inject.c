/*
 * Makes a system call in another process, as if that had made it: what a process that was taken
 * over could try. For tests; needs root or the right to trace.
 *
 *     inject PID          commands on standard input, one a line; an answer a line
 *     open PATH FLAGS     flags: r, w (write and create), d (folder)
 *     socket FAMILY TYPE  numbers
 *     connect ADDR PORT
 *     fork | exec | kill PID | ptrace PID | mount | setuid | chroot | unshare | bpf | keyctl
 *     getpid              a call that must work: shows that this program does
 *
 * The answer is the call's result: 0 or more, or a negative error number. A descriptor that was
 * made is closed again in the process.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#if !defined(__x86_64__)
int main(void)
{
    puts("unsupported");
    return 77;
}
#else

#define RED_ZONE 128
#define DATA_MAX 1024

struct target {
    pid_t pid;
    struct user_regs_struct saved;
    unsigned long at; /* of its memory, below its stack */
};

static void die(const char *what)
{
    fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
    exit(3);
}

static void wait_stop(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
        die("the process ended");
}

static void begin(struct target *t)
{
    if (ptrace(PTRACE_ATTACH, t->pid, 0, 0) != 0)
        die("cannot attach");
    wait_stop(t->pid);
    if (ptrace(PTRACE_GETREGS, t->pid, 0, &t->saved) != 0)
        die("registers");
    t->at = (t->saved.rsp - RED_ZONE - DATA_MAX) & ~15ul;
}

static void end(struct target *t)
{
    if (ptrace(PTRACE_SETREGS, t->pid, 0, &t->saved) != 0)
        die("registers");
    ptrace(PTRACE_DETACH, t->pid, 0, 0);
}

/* Bytes below the stack of the process; returns their address there. */
static unsigned long put(const struct target *t, const void *p, size_t n)
{
    unsigned long words[DATA_MAX / 8] = {0};
    if (n > sizeof words)
        n = sizeof words;
    memcpy(words, p, n);
    for (size_t i = 0; i < (n + 7) / 8; i++)
        if (ptrace(PTRACE_POKEDATA, t->pid, t->at + 8 * i, words[i]) != 0)
            die("memory");
    return t->at;
}

static long call(const struct target *t, long nr, unsigned long a, unsigned long b, unsigned long c)
{
    struct user_regs_struct r = t->saved;
    errno = 0;
    long text = ptrace(PTRACE_PEEKTEXT, t->pid, r.rip, 0);
    if (errno != 0)
        die("code");
    if (ptrace(PTRACE_POKETEXT, t->pid, r.rip, (text & ~0xffffl) | 0x050f) != 0) /* syscall */
        die("code");
    r.rax = (unsigned long)nr;
    r.orig_rax = (unsigned long)-1; /* no call of its own is begun again meanwhile */
    r.rdi = a;
    r.rsi = b;
    r.rdx = c;
    r.r10 = r.r8 = r.r9 = 0;
    if (ptrace(PTRACE_SETREGS, t->pid, 0, &r) != 0 || ptrace(PTRACE_SINGLESTEP, t->pid, 0, 0) != 0)
        die("step");
    wait_stop(t->pid);
    if (ptrace(PTRACE_GETREGS, t->pid, 0, &r) != 0 ||
        ptrace(PTRACE_POKETEXT, t->pid, t->saved.rip, text) != 0)
        die("step");
    return (long)r.rax;
}

static long made(const struct target *t, long fd)
{
    if (fd >= 0)
        call(t, SYS_close, (unsigned long)fd, 0, 0);
    return fd;
}

static long do_open(const struct target *t, const char *path, const char *how)
{
    unsigned long flags = *how == 'w' ? O_WRONLY | O_CREAT : *how == 'd' ? O_DIRECTORY : O_RDONLY;
    unsigned long at = put(t, path, strlen(path) + 1);
    return made(t, call(t, SYS_open, at, flags, 0600));
}

/* An IPv4 socket of the process's own, if it gets one, is led to the address. */
static long do_connect(const struct target *t, const char *addr, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    inet_pton(AF_INET, addr, &to.sin_addr);
    long fd = call(t, SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    long r = call(t, SYS_connect, (unsigned long)fd, put(t, &to, sizeof to), sizeof to);
    made(t, fd);
    return r;
}

static long run(const struct target *t, char *line)
{
    char word[32] = "", a[512] = "", b[64] = "";
    sscanf(line, "%31s %511s %63s", word, a, b);
    if (strcmp(word, "open") == 0)
        return do_open(t, a, b);
    if (strcmp(word, "socket") == 0)
        return made(t, call(t, SYS_socket, strtoul(a, NULL, 10), strtoul(b, NULL, 10), 0));
    if (strcmp(word, "connect") == 0)
        return do_connect(t, a, atoi(b));
    if (strcmp(word, "exec") == 0)
        return call(t, SYS_execve, put(t, "/bin/true", 10), 0, 0);
    if (strcmp(word, "kill") == 0)
        return call(t, SYS_kill, strtoul(a, NULL, 10), 0, 0);
    if (strcmp(word, "ptrace") == 0)
        return call(t, SYS_ptrace, PTRACE_ATTACH, strtoul(a, NULL, 10), 0);
    static const struct {
        const char *name;
        long nr;
    } plain[] = {{"fork", SYS_fork},     {"setuid", SYS_setuid},   {"mount", SYS_mount},
                 {"chroot", SYS_chroot}, {"unshare", SYS_unshare}, {"bpf", SYS_bpf},
                 {"keyctl", SYS_keyctl}, {"getpid", SYS_getpid}};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(word, plain[i].name) == 0)
            return call(t, plain[i].nr, put(t, "/", 2), put(t, "/", 2), 0);
    fprintf(stderr, "inject: no such command: %s\n", word);
    exit(2);
}

int main(int argc, char **argv)
{
    char line[1024];
    if (argc != 2)
        return 2;
    struct target t = {.pid = atoi(argv[1])};
    begin(&t);
    while (fgets(line, sizeof line, stdin) != NULL)
        printf("%ld\n", run(&t, line));
    end(&t);
    return 0;
}
#endif
