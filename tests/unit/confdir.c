/* A configuration folder on disk: written part by part, read back, cleared of what is gone. */
#include "base/err.h"
#include "proc/confdir.h"
#include "proc/fs.h"
#include "test.h"

#include <unistd.h>

static const struct slice instance = {(const uint8_t *)"Z Z", 3};

static const char *folder(void)
{
    static char dir[64];
    snprintf(dir, sizeof dir, "/tmp/sild-confdir-XXXXXX");
    if (mkdtemp(dir) == NULL)
        FAIL("no folder");
    return dir;
}

static bool is_there(const char *dir, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/Z+Z/%s", dir, name);
    return fs_exists(path);
}

static void write_part(const char *dir, const char *name, const char *text, int64_t expires_ms)
{
    struct directory_part p = {.identifier = SLICE_LIT("SHARED-PARAMETERS"),
                               .instance = instance,
                               .location = SLICE_LIT("/V6/1/x"),
                               .file_name = slice_str(name)};
    struct diag d = {0};
    CHECK_INT(confdir_write(dir, instance, &p, slice_str(text), expires_ms, 6, &d), 0);
}

static void clear(const char *dir)
{
    char path[256];
    confdir_keep(dir, instance, NULL, 0);
    snprintf(path, sizeof path, "%s/Z+Z", dir);
    rmdir(path);
    rmdir(dir);
}

TEST(a_part_is_read_back_with_its_expiry)
{
    const char *dir = folder();
    struct arena *a = arena_new(1u << 20);
    struct slice bytes;
    write_part(dir, "shared-params.xml", "one", 1767607200000);
    CHECK_INT(confdir_read(a, dir, instance, SLICE_LIT("shared-params.xml"), &bytes), 0);
    CHECK(slice_eq_str(bytes, "one"));
    CHECK_INT(confdir_expires(a, dir, instance), 1767607200000);
    write_part(dir, "shared-params.xml", "two", 1767607260000);
    CHECK_INT(confdir_read(a, dir, instance, SLICE_LIT("shared-params.xml"), &bytes), 0);
    CHECK(slice_eq_str(bytes, "two"));
    CHECK_INT(confdir_expires(a, dir, instance), 1767607260000);
    arena_free(a);
    clear(dir);
}

TEST(parts_that_are_gone_are_removed)
{
    const char *dir = folder();
    const struct slice keep[] = {SLICE_LIT("shared-params.xml")};
    write_part(dir, "shared-params.xml", "s", 1000);
    write_part(dir, "nextupdate-params.xml", "n", 1000);
    CHECK(is_there(dir, "nextupdate-params.xml.metadata"));
    confdir_keep(dir, instance, keep, 1);
    CHECK(is_there(dir, "shared-params.xml") && is_there(dir, "shared-params.xml.metadata"));
    CHECK(!is_there(dir, "nextupdate-params.xml"));
    CHECK(!is_there(dir, "nextupdate-params.xml.metadata"));
    clear(dir);
}

TEST(a_folder_without_configuration_says_so)
{
    const char *dir = folder();
    struct buf image;
    struct diag d = {0};
    buf_init(&image, 1u << 20);
    CHECK_INT(confdir_compile(dir, &image, &d), ERR_MALFORMED_GLOBAL_CONF);
    CHECK(strstr(d.text, dir) != NULL);
    buf_free(&image);
    clear(dir);
}
