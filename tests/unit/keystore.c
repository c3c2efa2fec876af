#include "keys/keystore.h"
#include "base/err.h"
#include "crypto/sign.h"
#include "proc/fs.h"
#include "test.h"

#include <openssl/pem.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char base[64], path[256];

static const char *fresh(void)
{
    snprintf(base, sizeof base, "/tmp/sild-keystore-XXXXXX");
    CHECK(mkdtemp(base) != NULL);
    return base;
}

static const char *in(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", base, name);
    return path;
}

static void clean(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    CHECK_INT(system(command), 0);
}

static struct keystore *opened(void)
{
    struct keystore *k;
    struct diag d = {0};
    if (keystore_open(base, true, &k, &d) != 0)
        FAIL("%s: %s", d.where, d.text);
    return k;
}

static void write_file(const char *name, const void *p, size_t n)
{
    struct diag d;
    CHECK_INT(fs_write(in(name), slice_of(p, n), 0600, &d), 0);
}

static int load_code(struct keystore *k, const char *name)
{
    EVP_PKEY *key;
    struct diag d = {0};
    int err = keystore_load(k, name, &key, &d);
    CHECK((err == 0) == (key != NULL));
    CHECK_INT(d.code, err);
    EVP_PKEY_free(key);
    return err;
}

static void generate(struct keystore *k, const char *name, const char *kind)
{
    EVP_PKEY *key;
    struct diag d = {0};
    if (keystore_generate(k, name, kind, &key, &d) != 0)
        FAIL("%s", d.text);
    EVP_PKEY_free(key);
}

TEST(a_key_of_each_kind_comes_back_and_signs)
{
    static const char *const kinds[] = {"rsa2048", "rsa3072", "p256", "p384", "ed25519"};
    fresh();
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct keystore *k = opened();
        EVP_PKEY *made, *loaded;
        struct diag d = {0};
        CHECK_INT(keystore_generate(k, kinds[i], kinds[i], &made, &d), 0);
        keystore_close(k);
        k = opened();
        CHECK_INT(keystore_load(k, kinds[i], &loaded, &d), 0);
        keystore_close(k);
        CHECK_INT(EVP_PKEY_eq(made, loaded), 1);

        EVP_MD_CTX *c = EVP_MD_CTX_new();
        const EVP_MD *md = i == 4 ? NULL : EVP_sha256();
        uint8_t sig[512];
        size_t n = sizeof sig;
        CHECK_INT(EVP_DigestSignInit(c, NULL, md, NULL, loaded), 1);
        CHECK_INT(EVP_DigestSign(c, sig, &n, (const uint8_t *)"text", 4), 1);
        EVP_MD_CTX_reset(c);
        CHECK_INT(EVP_DigestVerifyInit(c, NULL, md, NULL, made), 1);
        CHECK_INT(EVP_DigestVerify(c, sig, n, (const uint8_t *)"text", 4), 1);
        EVP_MD_CTX_free(c);
        EVP_PKEY_free(made);
        EVP_PKEY_free(loaded);
    }
    clean();
}

TEST(files_have_their_modes_and_a_readable_public_half)
{
    struct stat st;
    fresh();
    struct keystore *k = opened();
    EVP_PKEY *key;
    struct diag d = {0};
    CHECK_INT(keystore_generate(k, "tls", "p256", &key, &d), 0);
    CHECK(stat(in("seal"), &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0400);
    CHECK_INT(st.st_size, 32);
    CHECK(stat(in("keys"), &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0700);
    CHECK(stat(in("keys/tls.key"), &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0600);

    FILE *f = fopen(in("keys/tls.pub"), "r");
    CHECK(f != NULL);
    EVP_PKEY *pub = PEM_read_PUBKEY(f, NULL, NULL, NULL);
    fclose(f);
    CHECK_INT(EVP_PKEY_eq(pub, key), 1);
    EVP_PKEY_free(pub);
    EVP_PKEY_free(key);
    keystore_close(k);
    clean();
}

TEST(names_are_taken_once_and_cannot_leave_the_folder)
{
    char long_name[66];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[65] = 0;
    const char *const bad[] = {"", ".", "..", ".x", "../x", "a/b", "a b", "käed", long_name};
    fresh();
    struct keystore *k = opened();
    generate(k, "sign-1_a.b", "p256");
    EVP_PKEY *key;
    struct diag d = {0};
    CHECK_INT(keystore_generate(k, "sign-1_a.b", "p256", &key, &d), ERR_EXISTS);
    CHECK(key == NULL);
    CHECK_INT(load_code(k, "sign-1_a.b"), 0);
    CHECK_INT(load_code(k, "other"), ERR_KEY_NOT_FOUND);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_INT(keystore_generate(k, bad[i], "p256", &key, &d), ERR_USAGE);
        CHECK_INT(load_code(k, bad[i]), ERR_USAGE);
    }
    CHECK(keystore_generate(k, "x", "p999", &key, NULL) != 0);
    keystore_close(k);
    clean();
}

TEST(a_changed_byte_anywhere_is_noticed)
{
    fresh();
    struct keystore *k = opened();
    generate(k, "a", "ed25519");
    size_t n;
    uint8_t *file = test_file(in("keys/a.key"), &n);
    for (size_t i = 0; i < n; i++) {
        file[i] ^= 0x20;
        write_file("keys/a.key", file, n);
        CHECK_INT(load_code(k, "a"), ERR_CORRUPT);
        file[i] ^= 0x20;
    }
    for (size_t cut = 0; cut < n; cut += 7) {
        write_file("keys/a.key", file, cut);
        CHECK_INT(load_code(k, "a"), ERR_CORRUPT);
    }
    write_file("keys/a.key", file, n);
    CHECK_INT(load_code(k, "a"), 0);
    free(file);
    keystore_close(k);
    clean();
}

TEST(a_key_file_under_another_name_does_not_open)
{
    fresh();
    struct keystore *k = opened();
    generate(k, "a", "ed25519");
    size_t n;
    uint8_t *file = test_file(in("keys/a.key"), &n);
    write_file("keys/b.key", file, n);
    CHECK_INT(load_code(k, "b"), ERR_CORRUPT);
    CHECK_INT(load_code(k, "a"), 0);
    free(file);
    keystore_close(k);
    clean();
}

TEST(another_seal_opens_nothing_and_a_lost_one_is_not_replaced)
{
    fresh();
    struct keystore *k = opened();
    generate(k, "a", "ed25519");
    keystore_close(k);

    uint8_t other[32] = {1, 2, 3};
    write_file("seal", other, sizeof other);
    CHECK(chmod(in("seal"), 0400) == 0);
    k = opened();
    CHECK_INT(load_code(k, "a"), ERR_CORRUPT);
    keystore_close(k);

    struct diag d = {0};
    CHECK(chmod(in("seal"), 0440) == 0);
    CHECK_INT(keystore_open(base, true, &k, &d), ERR_DENIED);
    CHECK(unlink(in("seal")) == 0);
    CHECK_INT(keystore_open(base, true, &k, &d), ERR_CORRUPT);
    CHECK_INT(keystore_open(base, false, &k, &d), ERR_NOT_FOUND);
    CHECK(k == NULL);
    write_file("seal", other, 31);
    CHECK_INT(keystore_open(base, true, &k, &d), ERR_CORRUPT);
    clean();
}

/* Each of several processes opens a store that is not there yet, and makes a key in it. */
TEST(processes_that_open_a_new_store_at_once_agree_on_one_seal)
{
    enum { N = 8 };
    int gate[2], status;
    fresh();
    CHECK_INT(pipe(gate), 0);
    for (int i = 0; i < N; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid > 0)
            continue;
        char name[16], byte;
        struct keystore *k;
        EVP_PKEY *key = NULL;
        snprintf(name, sizeof name, "key-%d", i);
        close(gate[1]);
        if (read(gate[0], &byte, 1) != 0) /* all start when the parent closes it */
            _exit(2);
        int rc = keystore_open(base, true, &k, NULL);
        rc = rc != 0 ? rc : keystore_generate(k, name, "p256", &key, NULL);
        _exit(rc == 0 ? 0 : 1);
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < N; i++) {
        CHECK(wait(&status) > 0);
        CHECK_INT(status, 0);
    }
    struct keystore *k = opened();
    for (int i = 0; i < N; i++) {
        char name[16];
        EVP_PKEY *key = NULL;
        snprintf(name, sizeof name, "key-%d", i);
        CHECK_INT(keystore_load(k, name, &key, NULL), 0);
        EVP_PKEY_free(key);
    }
    keystore_close(k);
    clean();
}

TEST(a_certificates_key_is_compared_with_the_stored_one_without_a_seal)
{
    fresh();
    struct keystore *k = opened();
    struct diag d = {0};
    EVP_PKEY *one = NULL, *other = NULL;
    CHECK_INT(keystore_generate(k, "one", "p256", &one, &d), 0);
    CHECK_INT(keystore_generate(k, "other", "p256", &other, &d), 0);
    keystore_close(k);
    CHECK_INT(unlink(in("seal")), 0);
    CHECK_INT(keystore_check(base, "one", one, &d), 0);
    CHECK_INT(keystore_check(base, "one", other, &d), ERR_INCORRECT_CERTIFICATE);
    CHECK_INT(keystore_check(base, "none", one, &d), ERR_KEY_NOT_FOUND);
    CHECK_INT(keystore_check(base, "../keys/one", one, &d), ERR_KEY_NOT_FOUND);
    write_file("keys/one.pub", "not PEM", 7);
    CHECK_INT(keystore_check(base, "one", one, &d), ERR_INCORRECT_CERTIFICATE);
    EVP_PKEY_free(one);
    EVP_PKEY_free(other);
    clean();
}

TEST(the_systemd_credential_goes_before_the_file)
{
    fresh();
    struct keystore *k = opened();
    generate(k, "by-file", "ed25519");
    keystore_close(k);

    uint8_t secret[40] = {9, 8, 7};
    write_file("sild-seal", secret, sizeof secret);
    CHECK(setenv("CREDENTIALS_DIRECTORY", base, 1) == 0);
    k = opened();
    CHECK_INT(load_code(k, "by-file"), ERR_CORRUPT);
    generate(k, "by-credential", "ed25519");
    CHECK_INT(load_code(k, "by-credential"), 0);
    keystore_close(k);

    CHECK(unsetenv("CREDENTIALS_DIRECTORY") == 0);
    k = opened();
    CHECK_INT(load_code(k, "by-file"), 0);
    CHECK_INT(load_code(k, "by-credential"), ERR_CORRUPT);
    keystore_close(k);
    clean();
}

TEST(a_successor_takes_the_place_of_a_key)
{
    struct diag d = {0};
    EVP_PKEY *next;
    fresh();
    struct keystore *k = opened();
    generate(k, "a", "p256");
    generate(k, "a-new", "p384");
    CHECK_INT(keystore_load(k, "a-new", &next, &d), 0);
    CHECK_INT(keystore_check(base, "a", next, &d), ERR_INCORRECT_CERTIFICATE);
    CHECK_INT(keystore_replace(k, "a-new", "a", &d), 0);
    CHECK_INT(keystore_check(base, "a", next, &d), 0);
    EVP_PKEY *now;
    CHECK_INT(keystore_load(k, "a", &now, &d), 0);
    CHECK_INT(EVP_PKEY_eq(now, next), 1);
    CHECK_INT(load_code(k, "a-new"), ERR_KEY_NOT_FOUND);
    CHECK(!fs_exists(in("keys/a-new.pub")));
    CHECK_INT(keystore_replace(k, "a-new", "a", &d), ERR_KEY_NOT_FOUND);
    CHECK_INT(load_code(k, "a"), 0);
    EVP_PKEY_free(now);
    EVP_PKEY_free(next);
    keystore_close(k);
    clean();
}

/* The format as the header and the file's head tell it, opened by another implementation. */
TEST(python_opens_a_sealed_key)
{
    static const char script[] =
        "import sys\n"
        "from cryptography.hazmat.primitives import hashes, serialization as s\n"
        "from cryptography.hazmat.primitives.kdf.hkdf import HKDF\n"
        "from cryptography.hazmat.primitives.ciphers.aead import AESGCM\n"
        "d = sys.argv[1]\n"
        "f = open(d + '/keys/a.key', 'rb').read()\n"
        "assert f[:4] == b'SKY1'\n"
        "k = HKDF(hashes.SHA256(), 32, None, b'sild key store 1')"
        ".derive(open(d + '/seal', 'rb').read())\n"
        "der = AESGCM(k).decrypt(f[4:16], f[16:], b'a')\n"
        "key = s.load_der_private_key(der, None)\n"
        "pem = key.public_key().public_bytes(s.Encoding.PEM, "
        "s.PublicFormat.SubjectPublicKeyInfo)\n"
        "assert pem == open(d + '/keys/a.pub', 'rb').read()\n";
    if (system("python3 -c 'import cryptography' 2>/dev/null") != 0)
        SKIP("python3 has no module cryptography");
    fresh();
    struct keystore *k = opened();
    generate(k, "a", "p256");
    keystore_close(k);
    write_file("judge.py", script, sizeof script - 1);
    char command[256];
    snprintf(command, sizeof command, "python3 '%s/judge.py' '%s'", base, base);
    CHECK_INT(system(command), 0);
    clean();
}
