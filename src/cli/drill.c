/* Drills act by what an operator or an accident could do: processes that stop, certificates that
 * are revoked, files that change. */
#include "cli/drill.h"
#include "base/base64.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/country.h"
#include "cli/up.h"
#include "crypto/cert.h"
#include "crypto/sign.h"
#include "proc/command.h"
#include "proc/control.h"
#include "proc/fs.h"
#include "wire/json.h"
#include "xroad/params.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#define PATH_CAP 1400
#define CALL_MS 30000
#define STARTS_MS 3000 /* a role whose clock is off may never be ready: not waited for longer */

/* --- what drills do --- */

static int ask(const char *dir, const char *role, struct slice command, int64_t timeout_ms,
               struct buf *answer, struct diag *d)
{
    char path[PATH_CAP];
    int code = 0;
    if (role == NULL)
        snprintf(path, sizeof path, "%s/" COUNTRY_SOCKET, dir);
    else
        snprintf(path, sizeof path, "%s/%s/control.sock", dir, role);
    int rc = control_call(path, command, timeout_ms, &code, answer, d);
    if (rc == ERR_NOT_FOUND)
        return diag_set(d, rc, "no country is running in %s, or not all of it (see sild status)",
                        dir);
    return rc != 0 || code == 0 ? rc : diag_set(d, ERR_INVALID_REQUEST, "%.300s", buf_cstr(answer));
}

static int tell(const char *dir, const char *role, const char *command, struct diag *d)
{
    struct buf answer;
    buf_init(&answer, 1u << 20);
    int rc = ask(dir, role, slice_str(command), CALL_MS, &answer, d);
    buf_free(&answer);
    return rc;
}

/* As sild trust revoke, and the gateway's next look at the OCSP responder, which comes by itself
 * within minutes. */
static int revoke_cert(const char *dir, const char *gateway, const char *key, struct diag *d)
{
    char path[PATH_CAP], hex[2 * 32 + 1] = "", command[256];
    struct buf der;
    buf_init(&der, 65536);
    snprintf(path, sizeof path, "%s/%s/certs/%s.der", dir, gateway, key);
    int rc = fs_read(path, &der, d);
    struct cert *c = rc == 0 ? cert_parse(buf_view(&der), d) : NULL;
    if (rc == 0 && c == NULL)
        rc = ERR_INCORRECT_CERTIFICATE;
    BIGNUM *n = rc == 0 ? ASN1_INTEGER_to_BN(X509_get0_serialNumber(c->x509), NULL) : NULL;
    char *text = n == NULL ? NULL : BN_bn2hex(n);
    snprintf(hex, sizeof hex, "%s", text == NULL ? "" : text);
    snprintf(command, sizeof command, "log {\"do\":\"revoke\",\"serial\":\"%s\"}", hex);
    OPENSSL_free(text);
    BN_free(n);
    cert_free(c);
    buf_free(&der);
    rc = rc != 0 ? rc : tell(dir, "trust", command, d);
    return rc != 0 ? rc : tell(dir, gateway, "agent refresh", d);
}

static int revoke_sign(const char *dir, struct diag *d)
{
    return revoke_cert(dir, "state", "sign", d);
}

static int revoke_auth(const char *dir, struct diag *d)
{
    return revoke_cert(dir, "social", "auth", d);
}

static int stop_trust(const char *dir, struct diag *d)
{
    return tell(dir, NULL, "stop trust", d);
}

static int stop_authority(const char *dir, struct diag *d)
{
    return tell(dir, NULL, "stop authority", d);
}

/* As a crash of the machine would: nothing is said, nothing is finished. */
static int kill_role(const char *dir, const char *role, struct diag *d)
{
    char path[PATH_CAP];
    struct buf text;
    uint64_t pid = 0;
    buf_init(&text, 64);
    snprintf(path, sizeof path, "%s/%s/pid", dir, role);
    int rc = fs_read(path, &text, d);
    if (rc == 0 && (!slice_u64(slice_trim(buf_view(&text)), &pid) || pid < 2 ||
                    kill((pid_t)pid, SIGKILL) != 0))
        rc = diag_set(d, ERR_NOT_FOUND, "%s is not running", role);
    buf_free(&text);
    return rc;
}

static int kill_registry(const char *dir, struct diag *d)
{
    return kill_role(dir, "population", d);
}

static int kill_peer(const char *dir, struct diag *d)
{
    return kill_role(dir, "state", d);
}

/* Takes the client's rules out of the service's section. */
static int drop_right(const char *dir, struct diag *d)
{
    char path[PATH_CAP];
    struct buf in, out;
    bool inside = false, found = false;
    buf_init(&in, 1u << 20);
    buf_init(&out, 1u << 20);
    snprintf(path, sizeof path, "%s/state/state.conf", dir);
    int rc = fs_read(path, &in, d);
    struct slice rest = buf_view(&in), line;
    while (rc == 0 && rest.n > 0 && slice_next(&rest, '\n', &line)) {
        if (slice_starts(line, "["))
            inside = slice_eq_str(line, "[service " COUNTRY_SERVICE "]");
        bool drop = inside && slice_starts(line, "allow = " COUNTRY_CLIENT);
        found = found || drop;
        if (!drop)
            buf_printf(&out, "%.*s\n", SLICE_ARG(line));
    }
    if (rc == 0 && !found)
        rc = diag_set(d, ERR_NOT_FOUND, "%s has no such rule any more", path);
    rc = rc != 0 ? rc : fs_write(path, buf_view(&out), 0644, d);
    buf_free(&in);
    buf_free(&out);
    return rc != 0 ? rc : tell(dir, "state", "reload", d);
}

/* No disk is filled: the gateway wants more of it free than there is. */
static int fill_disk(const char *dir, struct diag *d)
{
    const struct slice section = SLICE_LIT("\n[log]\n");
    char path[PATH_CAP];
    struct statvfs v = {.f_bsize = 0};
    struct buf in, out;
    buf_init(&in, 1u << 20);
    buf_init(&out, 1u << 20);
    snprintf(path, sizeof path, "%s/state/state.conf", dir);
    int rc = fs_read(path, &in, d);
    size_t at = rc == 0 ? slice_find_slice(buf_view(&in), section) : SIZE_MAX;
    if (rc == 0 &&
        (at == SIZE_MAX || slice_find_slice(buf_view(&in), SLICE_LIT("\nmin_free")) != SIZE_MAX))
        rc = diag_set(d, ERR_EXISTS, "%s has a min_free of its own, or no [log]", path);
    if (rc == 0 && statvfs(path, &v) != 0)
        rc = diag_set(d, err_from_errno(errno), "%s: %s", path, strerror(errno));
    if (rc == 0) {
        buf_slice(&out, slice_sub(buf_view(&in), 0, at + section.n));
        buf_printf(&out, "min_free = %lluM\n",
                   (unsigned long long)(2 * v.f_bavail * v.f_frsize >> 20) + 1024);
        buf_slice(&out, slice_from(buf_view(&in), at + section.n));
        rc = fs_write(path, buf_view(&out), 0644, d);
    }
    buf_free(&in);
    buf_free(&out);
    return rc != 0 ? rc : tell(dir, "state", "reload", d);
}

/* A certificate such as an authority founded anew would have. */
static int strange_cert(struct buf *der, struct diag *d)
{
    const struct cert_rdn rdns[] = {{"2.5.4.3", "internalSigningKey"}};
    struct cert_spec spec = {.purpose = CERT_CONF_SIGNING,
                             .rdns = rdns,
                             .rdn_count = 1,
                             .not_after_ms = 2145916800000, /* 2038-01-01 */
                             .serial = {0x40, 1}};
    EVP_PKEY *key = key_generate("rsa2048", d);
    int rc = key == NULL ? ERR_CRYPTO : cert_issue(&spec, key, NULL, key, der, d);
    EVP_PKEY_free(key);
    return rc;
}

static int spoil_anchor(const char *dir, struct diag *d)
{
    char path[PATH_CAP];
    struct params_anchor anchor;
    struct arena *a = arena_new(4u << 20);
    struct buf text, der, out;
    if (a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory");
    buf_init(&text, 1u << 20);
    buf_init(&der, 65536);
    buf_init(&out, 1u << 20);
    snprintf(path, sizeof path, "%s/anchor.xml", dir);
    int rc = fs_read(path, &text, d);
    rc = rc != 0 ? rc : params_anchor_parse(a, buf_view(&text), &anchor, d);
    rc = rc != 0 ? rc : strange_cert(&der, d);
    struct slice cert = buf_view(&der);
    for (size_t i = 0; rc == 0 && i < anchor.n_sources; i++)
        anchor.sources[i].internal_certs = (struct params_list){&cert, 1};
    if (rc == 0)
        params_anchor_print(&anchor, &out);
    rc = rc != 0 ? rc : fs_write(path, buf_view(&out), 0644, d);
    buf_free(&text);
    buf_free(&der);
    buf_free(&out);
    arena_free(a);
    return rc;
}

/* Debian's faketime gives one process another clock than the machine's. */
static const char *find_faketime(void)
{
    static const char *const paths[] = {
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib/faketime/libfaketime.so.1",
        "/usr/local/lib/faketime/libfaketime.so.1",
    };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (fs_exists(paths[i]))
            return paths[i];
    return NULL;
}

static int shift_clock(const char *dir, struct diag *d)
{
    const char *lib = find_faketime();
    char path[PATH_CAP];
    struct buf text, answer;
    if (lib == NULL)
        return diag_set(d, ERR_NOT_FOUND, "this drill needs libfaketime: apt-get install faketime");
    buf_init(&text, 4096);
    buf_init(&answer, 65536);
    buf_printf(&text,
               "LD_PRELOAD=%s\nFAKETIME=+2h\nFAKETIME_DONT_FAKE_MONOTONIC=1\n"
               "DONT_FAKE_MONOTONIC=1\n",
               lib);
    snprintf(path, sizeof path, "%s/social/environment", dir);
    int rc = tell(dir, NULL, "stop social", d);
    rc = rc != 0 ? rc : fs_write(path, buf_view(&text), 0644, d);
    if (rc == 0 &&
        ask(dir, NULL, SLICE_LIT("start social"), STARTS_MS, &answer, d) == ERR_NOT_FOUND)
        rc = ERR_NOT_FOUND;
    buf_free(&text);
    buf_free(&answer);
    return rc;
}

/* --- the drills --- */

static const struct drill {
    const char *name;
    const char *see; /* what an operator would see */
    const char *did;
    int (*run)(const char *dir, struct diag *d);
} drills[] = {
    {"revoked-certificate",
     "The social insurance board's questions to the population register come back as errors.",
     "the signing certificate of the gateway state was revoked", revoke_sign},
    {"revoked-auth-certificate",
     "The state's gateway lets the social insurance board's gateway in no more.",
     "the authentication certificate of the gateway social was revoked", revoke_auth},
    {"tsa-away", "Exchanges work for a while; after some 20 seconds of questions they fail.",
     "the role trust was stopped: no OCSP responses, no time-stamps", stop_trust},
    {"stale-configuration", "Exchanges work for a while; within a minute all of them fail.",
     "the role authority was stopped, so that the configuration runs out", stop_authority},
    {"clock-off", "The gateway of the social insurance board answers each question with an error.",
     "the gateway social was started with a clock two hours ahead, by its file environment",
     shift_clock},
    {"registry-away", "Questions reach the state's gateway, and are answered with an error.",
     "the process of the population register was killed", kill_registry},
    {"peer-away", "Questions do not leave the social insurance board.",
     "the process of the gateway state was killed", kill_peer},
    {"no-access-right", "The population register's gateway refuses the questions.",
     "the rule that lets the social insurance board ask for persons was taken out of state.conf",
     drop_right},
    {"disk-full", "The population register's gateway answers each question with an error.",
     "min_free in state.conf was set to twice of what is free on the disk", fill_disk},
    {"wrong-anchor", "Exchanges work for a while; within a minute all of them fail.",
     "anchor.xml was replaced by one with another certificate", spoil_anchor},
};

static int list(bool told)
{
    for (size_t i = 0; i < ARRAY_LEN(drills); i++)
        printf("%-25s %s\n", drills[i].name, told ? drills[i].did : drills[i].see);
    return EXIT_DONE;
}

static int run(const char *dir, const char *name, bool told)
{
    struct diag d = {0};
    const struct drill *k = NULL;
    for (size_t i = 0; i < ARRAY_LEN(drills); i++)
        if (strcmp(drills[i].name, name) == 0)
            k = &drills[i];
    if (k == NULL) {
        diag_set(&d, ERR_USAGE, "there is no drill \"%s\" (see sild drill --list)", name);
        return command_fail("drill", &d, EXIT_USE);
    }
    if (k->run(dir, &d) != 0)
        return command_fail("drill", &d, EXIT_COULD_NOT);
    printf("%s\n", k->see);
    if (told)
        printf("What was done: %s.\n", k->did);
    printf("Find out with sild doctor%s%s.\n", strcmp(dir, "./country.d") == 0 ? "" : " --dir ",
           strcmp(dir, "./country.d") == 0 ? "" : dir);
    return EXIT_DONE;
}

int cli_drill(int argc, char **argv)
{
    const char *dir = "./country.d", *told = NULL, *listed = NULL;
    const struct opt opts[] = {
        {"--list", NULL, "list the drills", &listed, NULL},
        {"--tell", NULL, "also say what was done", &told, NULL},
        {"--dir", "DIR", "where the country lives (./country.d)", &dir, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild drill NAME [--tell] [--dir DIR] | sild drill --list",
        .text = "Breaks the running demonstration country in one known way, and says what an\n"
                "operator would see. Finding and mending it is the practice: sild doctor names\n"
                "the culprit and what to do.",
        .opts = opts,
        .max_args = 1};
    struct diag d = {0};
    char *args[argc + 1];
    int code;
    if (!command_parse("drill", &cmd, argc, argv, args, &code))
        return code;
    if (listed != NULL)
        return list(told != NULL);
    if (args[0] == NULL) {
        diag_set(&d, ERR_USAGE, "say which drill (see sild drill --list)");
        return command_fail("drill", &d, EXIT_USE);
    }
    return run(dir, args[0], told != NULL);
}
