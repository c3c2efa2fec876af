/* What the network tests share: certificates made by the openssl command, and processes started
 * and ended. */
#ifndef SILD_TESTS_UNIT_NETKIT_H
#define SILD_TESTS_UNIT_NETKIT_H

#include "base/buf.h"
#include "base/err.h"
#include "net/net.h"
#include "net/tls.h"
#include "test.h"

#include <openssl/pem.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

static char kit_dir[64];
static pid_t kit_owner; /* who removes it */

__attribute__((unused)) static void kit_clean(void)
{
    char command[128];
    if (kit_dir[0] == 0 || getpid() != kit_owner)
        return;
    snprintf(command, sizeof command, "rm -rf %s", kit_dir);
    if (system(command) != 0)
        printf("# cannot remove %s\n", kit_dir);
}

/* A folder of this program, removed at exit. */
__attribute__((unused)) static const char *kit_folder(void)
{
    if (kit_dir[0] == 0) {
        snprintf(kit_dir, sizeof kit_dir, "/tmp/sild-net-XXXXXX");
        CHECK(mkdtemp(kit_dir) != NULL);
        kit_owner = getpid();
        atexit(kit_clean);
    }
    return kit_dir;
}

/* Runs a shell command in the folder; its exit code. */
__attribute__((unused, format(printf, 1, 2))) static int kit_shell(const char *fmt, ...)
{
    static char line[4096];
    int n = snprintf(line, sizeof line, "cd %s && ", kit_folder());
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
    va_end(ap);
    fflush(stdout);
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* ca.pem, sub.pem (an intermediate), and the leaves server, client (RSA) and ecserver. */
__attribute__((unused)) static void kit_certificates(void)
{
    static bool made;
    if (made)
        return;
    made = true;
    CHECK_INT(
        kit_shell(
            "exec >openssl.log 2>&1; set -e\n"
            "rsa='-newkey rsa:2048'; ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256'\n"
            "openssl req -x509 $rsa -nodes -keyout ca.key -out ca.pem -days 9 -subj /CN=Root\n"
            "printf 'basicConstraints=critical,CA:true\\n' > ca.ext\n"
            "issue() { name=$1; ca=$2; shift 2\n"
            "  openssl req \"$@\" -nodes -keyout $name.key -out $name.csr -subj /CN=$name\n"
            "  ext=; [ $name != sub ] || ext='-extfile ca.ext'\n"
            "  openssl x509 -req -in $name.csr -CA $ca.pem -CAkey $ca.key -CAcreateserial \\\n"
            "    -days 9 -out $name.pem $ext; }\n"
            "issue sub ca $rsa; issue server sub $rsa; issue client sub $rsa\n"
            "issue ecserver sub $ec\n"
            "cat client.pem sub.pem > client-chain.pem\n"),
        0);
}

/* A certificate as DER, malloc'ed. */
__attribute__((unused)) static struct slice kit_der(const char *name)
{
    char path[256];
    unsigned char *der = NULL;
    snprintf(path, sizeof path, "%s/%s.pem", kit_folder(), name);
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    CHECK(x != NULL);
    int n = i2d_X509(x, &der);
    X509_free(x);
    CHECK(n > 0);
    return slice_of(der, (size_t)n);
}

/* A context with the leaf `name` and the intermediate; name NULL: without certificate. */
__attribute__((unused)) static struct tls *kit_tls(enum tls_kind kind, const char *name)
{
    char path[256];
    struct diag d = {0};
    kit_certificates();
    if (name == NULL) {
        struct tls *t = tls_new(kind, NULL, 0, NULL, &d);
        CHECK(t != NULL);
        return t;
    }
    snprintf(path, sizeof path, "%s/%s.key", kit_folder(), name);
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    CHECK(key != NULL);
    struct slice chain[2] = {kit_der(name), kit_der("sub")};
    struct tls *t = tls_new(kind, chain, 2, key, &d);
    EVP_PKEY_free(key);
    OPENSSL_free((void *)(uintptr_t)chain[0].p);
    OPENSSL_free((void *)(uintptr_t)chain[1].p);
    if (t == NULL)
        FAIL("%s", d.text);
    return t;
}

/* Listens on a free port of 127.0.0.1. */
__attribute__((unused)) static int kit_listen(struct net_addr *at)
{
    int fd;
    struct diag d;
    CHECK_INT(net_addr_parse("127.0.0.1", 0, at), 0);
    CHECK_INT(net_listen(at, false, &fd, &d), 0);
    at->len = sizeof at->sa;
    CHECK_INT(getsockname(fd, (struct sockaddr *)&at->sa, &at->len), 0);
    return fd;
}

__attribute__((unused)) static unsigned kit_port(const struct net_addr *at)
{
    struct sockaddr_in in;
    memcpy(&in, &at->sa, sizeof in);
    return ntohs(in.sin_port);
}

/* A shell command in the background, its output in `log` in the folder. */
__attribute__((unused)) static pid_t kit_start(const char *log, const char *command)
{
    kit_folder();
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char path[256];
    snprintf(path, sizeof path, "%s/%s", kit_folder(), log);
    if (chdir(kit_dir) != 0 || freopen(path, "w", stdout) == NULL ||
        dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
        _exit(126);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

__attribute__((unused)) static int kit_wait(pid_t pid)
{
    int status = 0;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* A file of the folder as text, freed by the next call. */
__attribute__((unused)) static const char *kit_text(const char *name)
{
    static unsigned char *text;
    char path[256];
    size_t n;
    free(text);
    text = NULL;
    snprintf(path, sizeof path, "%s/%s", kit_folder(), name);
    text = test_file(path, &n);
    return (const char *)text;
}

/* The most resident memory so far, in KiB. */
__attribute__((unused)) static long kit_peak_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    fclose(f);
    return kib;
}

/* AddressSanitizer keeps freed memory for a while: what the process takes says nothing then. */
#if defined(__SANITIZE_ADDRESS__)
#define KIT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KIT_ASAN 1
#endif
#endif
#ifndef KIT_ASAN
#define KIT_ASAN 0
#endif

/* Makes the peak begin anew. */
__attribute__((unused)) static void kit_peak_reset(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f != NULL) {
        fputs("5", f);
        fclose(f);
    }
}

#endif
