#include "base/err.h"
#include "proc/fs.h"
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[256];
    if (dir[0] == 0) {
        snprintf(dir, sizeof dir, "/tmp/sild-fs-XXXXXX");
        CHECK(mkdtemp(dir) != NULL);
    }
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

TEST(a_written_file_reads_back_with_its_mode)
{
    struct diag d;
    struct stat st;
    struct buf b;
    const char *path = in_dir("key");
    CHECK_INT(fs_write(path, SLICE_LIT("first"), 0644, &d), 0);
    CHECK_INT(fs_write(path, SLICE_LIT("second"), 0600, &d), 0);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 07777, 0600);
    buf_init(&b, 100);
    CHECK_INT(fs_read(path, &b, &d), 0);
    CHECK(slice_eq_str(buf_view(&b), "second"));
    buf_free(&b);
}

TEST(the_maximum_of_the_buffer_is_the_maximum_of_the_file)
{
    struct diag d;
    struct buf b;
    const char *path = in_dir("six");
    CHECK_INT(fs_write(path, SLICE_LIT("123456"), 0600, &d), 0);
    buf_init(&b, 6);
    CHECK_INT(fs_read(path, &b, &d), 0);
    CHECK_INT(b.n, 6);
    buf_free(&b);
    buf_init(&b, 5);
    CHECK_INT(fs_read(path, &b, &d), ERR_TOO_LARGE);
    buf_free(&b);
}

TEST(a_missing_file_and_a_missing_folder_are_told)
{
    struct diag d;
    struct buf b;
    buf_init(&b, 10);
    CHECK_INT(fs_read(in_dir("none"), &b, &d), ERR_NOT_FOUND);
    CHECK(strstr(d.text, "/none") != NULL);
    CHECK_INT(fs_write(in_dir("none/file"), SLICE_LIT("x"), 0600, &d), ERR_NOT_FOUND);
    CHECK(!fs_exists(in_dir("none")));
    buf_free(&b);
}

TEST(folders_are_made_with_their_parents)
{
    struct diag d;
    CHECK_INT(fs_mkdirs(in_dir("a/b/c"), 0700, &d), 0);
    CHECK_INT(fs_mkdirs(in_dir("a/b/c"), 0700, &d), 0);
    CHECK(fs_exists(in_dir("a/b/c")));
    CHECK_INT(fs_write(in_dir("a/file"), SLICE_LIT(""), 0600, &d), 0);
    CHECK_INT(fs_mkdirs(in_dir("a/file"), 0700, &d), ERR_EXISTS);
}

/* Whoever may write into the folder could lay a link under the temporary name. */
TEST(what_lies_under_the_temporary_name_is_not_written_into)
{
    struct diag d;
    struct buf b;
    char other[256], temp[300];
    snprintf(other, sizeof other, "%s", in_dir("other"));
    CHECK_INT(fs_write(other, SLICE_LIT("of another"), 0644, &d), 0);
    snprintf(temp, sizeof temp, "%s.%ld.tmp", in_dir("secret"), (long)getpid());
    CHECK_INT(link(other, temp), 0);
    CHECK_INT(fs_write(in_dir("secret"), SLICE_LIT("a secret"), 0600, &d), 0);
    buf_init(&b, 100);
    CHECK_INT(fs_read(other, &b, &d), 0);
    CHECK(slice_eq_str(buf_view(&b), "of another"));
    buf_free(&b);
}

TEST(nothing_temporary_stays_behind)
{
    char command[128];
    CHECK(dir[0] != 0);
    snprintf(command, sizeof command, "test -z \"$(find %s -name '*.tmp')\"", dir);
    CHECK_INT(system(command), 0);
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK_INT(system(command), 0);
}
