#include "base/cursor.h"
#include "base/err.h"
#include "base/hex.h"
#include "test.h"
#include "wire/zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <locale.h>
#include <openssl/evp.h>
#include <unistd.h>

static struct diag diag;
static struct zip_file zip;

#define TIME_MS INT64_C(1767607200000) /* 2026-01-05T10:00:00Z */

static void sha256(struct slice data, char out[65])
{
    uint8_t digest[32];
    CHECK(EVP_Digest(data.p, data.n, digest, NULL, EVP_sha256(), NULL) == 1);
    hex_print(slice_of(digest, sizeof digest), out);
}

/* "<sha256> <name>" of each file, a line each, in the container's order. */
static int listed(struct slice file, struct buf *out)
{
    struct arena *a = arena_new(64 << 20);
    diag = (struct diag){0};
    buf_reset(out);
    int err = zip_parse(file, &zip, &diag);
    for (size_t i = 0; i < zip.n && err == 0; i++) {
        struct slice data;
        char hex[65];
        err = zip_read(a, &zip.e[i], &data, &diag);
        if (err != 0)
            break;
        CHECK_INT(data.n, zip.e[i].size);
        sha256(data, hex);
        buf_printf(out, "%s %.*s\n", hex, SLICE_ARG(zip.e[i].name));
    }
    arena_free(a);
    return err;
}

/* The same by python's zipfile, empty when it refuses. */
static void judged(const char *path, struct buf *out)
{
    char command[8192], line[1024];
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c 'import sys,zipfile,hashlib\n"
             "z=zipfile.ZipFile(sys.argv[1])\n"
             "for i in z.infolist():\n"
             "  if not i.is_dir(): print(hashlib.sha256(z.read(i)).hexdigest(),i.filename)\n"
             "' '%s' 2>/dev/null",
             path);
    FILE *f = popen(command, "r");
    CHECK(f != NULL);
    buf_reset(out);
    while (fgets(line, sizeof line, f) != NULL)
        buf_str(out, line);
    pclose(f);
}

/* And by libarchive, as a stream that never looks at the directory. */
static void streamed(struct slice file, struct buf *out)
{
    setlocale(LC_CTYPE, "C.UTF-8"); /* or libarchive cannot give names beyond ASCII */
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    struct buf data;
    buf_init(&data, 64 << 20);
    buf_reset(out);
    archive_read_support_format_zip_streamable(a);
    int status = archive_read_open_memory(a, file.p, file.n);
    while (status == ARCHIVE_OK && archive_read_next_header(a, &e) == ARCHIVE_OK) {
        char piece[4096], hex[65];
        la_ssize_t n;
        buf_reset(&data);
        while ((n = archive_read_data(a, piece, sizeof piece)) > 0)
            buf_add(&data, piece, (size_t)n);
        CHECK(n == 0);
        if (archive_entry_filetype(e) == AE_IFDIR)
            continue;
        sha256(buf_view(&data), hex);
        buf_printf(out, "%s %s\n", hex, archive_entry_pathname(e));
    }
    archive_read_free(a);
    buf_free(&data);
}

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

/* Every container of a folder is read as python and libarchive read it; `bad` ones are refused. */
static int check_folder(const char *folder, const char *const *bad)
{
    char dir[5000], path[9000];
    struct buf ours, theirs;
    int files = 0;
    snprintf(dir, sizeof dir, "%s/%s", VECTORS(), folder);
    DIR *list = opendir(dir);
    CHECK(list != NULL);
    buf_init(&ours, 100000);
    buf_init(&theirs, 100000);
    for (struct dirent *e; (e = readdir(list)) != NULL;) {
        if (!slice_ends(slice_str(e->d_name), ".asice"))
            continue;
        size_t n;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        unsigned char *file = test_file(path, &n);
        int err = listed(slice_of(file, n), &ours);
        if ((err != 0) != is_one_of(e->d_name, bad))
            FAIL("%s: error %d: %s: %s", path, err, diag.where, diag.text);
        judged(path, &theirs);
        if (err == 0 && strcmp(buf_cstr(&ours), buf_cstr(&theirs)) != 0)
            FAIL("%s: ours\n%spython's\n%s", path, buf_cstr(&ours), buf_cstr(&theirs));
        streamed(slice_of(file, n), &theirs);
        if (err == 0 && strcmp(buf_cstr(&ours), buf_cstr(&theirs)) != 0)
            FAIL("%s: ours\n%slibarchive's\n%s", path, buf_cstr(&ours), buf_cstr(&theirs));
        free(file);
        files++;
    }
    closedir(list);
    buf_free(&ours);
    buf_free(&theirs);
    return files;
}

TEST(containers_are_read_as_other_readers_read_them)
{
    static const char *const none[] = {NULL}, *const text[] = {"core-not-asic.asice", NULL};
    static const char *const bad[] = {"2-mimetypes.asice", "asice-relative.asice", NULL};
    CHECK(check_folder("xroad/asic", text) >= 19);
    CHECK(check_folder("xroad/worked/asic", none) >= 3);
    CHECK(check_folder("identity/asice-valid", none) >= 12);
    CHECK(check_folder("identity/asice-invalid", bad) >= 14);
}

/* A container of three files: stored, deflated, empty. */
static void sample(struct buf *out, const char *comment)
{
    static char text[100000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i * i % 7);
    struct zip_writer *w = zip_writer_new(out, TIME_MS);
    CHECK(w != NULL);
    CHECK_INT(zip_add(w, "mimetype", SLICE_LIT("application/vnd.etsi.asic-e+zip"), false), 0);
    CHECK_INT(zip_add(w, "META-INF/\xc3\xa4.xml", slice_of(text, sizeof text), true), 0);
    CHECK_INT(zip_add(w, "empty", SLICE_NONE, true), 0);
    CHECK_INT(zip_add(w, "nothing", SLICE_NONE, false), 0);
    CHECK_INT(zip_finish(w, comment), 0);
    zip_writer_free(w);
}

static void write_file(const char *path, struct slice data)
{
    FILE *f = fopen(path, "wb");
    CHECK(f != NULL && fwrite(data.p, 1, data.n, f) == data.n);
    fclose(f);
}

TEST(what_is_written_other_readers_read)
{
    struct buf file, ours, theirs;
    char path[] = "/tmp/sild-zip-XXXXXX", command[100];
    buf_init(&file, 1 << 20);
    buf_init(&ours, 10000);
    buf_init(&theirs, 10000);
    buf_str(&file, "");
    sample(&file, "mimetype=application/vnd.etsi.asic-e+zip");
    CHECK_INT(listed(buf_view(&file), &ours), 0);
    CHECK_INT(zip.n, 4);
    close(mkstemp(path));
    write_file(path, buf_view(&file));
    judged(path, &theirs);
    CHECK_STR(buf_cstr(&ours), buf_cstr(&theirs));
    streamed(buf_view(&file), &theirs);
    snprintf(command, sizeof command, "unzip -tqq %s", path);
    int status = system(command);
    unlink(path);
    CHECK_INT(status, 0);
    CHECK_STR(buf_cstr(&ours), buf_cstr(&theirs));
    buf_free(&file);
    buf_free(&ours);
    buf_free(&theirs);
}

TEST(times_are_those_of_dos)
{
    struct buf file;
    buf_init(&file, 1 << 20);
    sample(&file, NULL);
    CHECK_INT(get_u16(file.p + 10), 10 << 11);
    CHECK_INT(get_u16(file.p + 12), (2026 - 1980) << 9 | 1 << 5 | 5);
    buf_free(&file);
}

TEST(wrong_use_of_the_writer_is_told)
{
    struct buf out;
    buf_init(&out, 100);
    struct zip_writer *w = zip_writer_new(&out, 0);
    CHECK_INT(zip_add(w, "a", SLICE_LIT("x"), false), 0);
    CHECK_INT(zip_add(w, "a", SLICE_LIT("x"), false), ERR_USAGE);
    static const char *bad[] = {"", "/a", "a/", "a//b", "../a", "a/./b", "a\\b", "a\nb", "\xff"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_INT(zip_add(w, bad[i], SLICE_LIT("x"), false), ERR_USAGE);
    static const char large[200];
    CHECK_INT(zip_add(w, "b", slice_of(large, sizeof large), false), ERR_TOO_LARGE);
    zip_writer_free(w);
    buf_free(&out);
}

/* The sample with a change at an offset from the beginning of something found in it. */
static void check_changed(const char *what, struct buf *file, size_t at, uint8_t byte, bool refused)
{
    struct buf out;
    buf_init(&out, 10000);
    uint8_t was = file->p[at];
    file->p[at] = byte;
    int err = listed(buf_view(file), &out);
    file->p[at] = was;
    buf_free(&out);
    if ((err != 0) != refused || (err != 0 && err != ERR_ASIC_INVALID_CONTAINER))
        FAIL("%s: error %d: %s", what, err, diag.text);
}

TEST(headers_that_differ_are_refused)
{
    struct buf f;
    buf_init(&f, 1 << 20);
    sample(&f, NULL);
    size_t end = f.n - 22, dir = get_u32(f.p + end + 16);
    check_changed("nothing", &f, 0, f.p[0], false);
    check_changed("local magic", &f, 0, 'Q', true);
    check_changed("local flags", &f, 6, 2, true);
    check_changed("local encrypted", &f, 6, 1, true);
    check_changed("local method", &f, 8, 8, true);
    check_changed("local time", &f, 10, 77, false);
    check_changed("local crc", &f, 14, (uint8_t)(f.p[14] + 1), true);
    check_changed("local packed size", &f, 18, 30, true);
    check_changed("local size", &f, 22, 30, true);
    check_changed("local name's length", &f, 26, 7, true);
    check_changed("local extra's length", &f, 28, 1, true);
    check_changed("local name", &f, 30, 'M', true);
    check_changed("stored data", &f, 40, 'X', true);
    check_changed("deflated data", &f, 200, (uint8_t)(f.p[200] ^ 0xFF), true);
    check_changed("directory magic", &f, dir, 'Q', true);
    check_changed("directory flags", &f, dir + 8, 1, true);
    check_changed("directory descriptor", &f, dir + 8, 8, true);
    check_changed("directory method", &f, dir + 10, 8, true);
    check_changed("directory crc", &f, dir + 16, (uint8_t)(f.p[dir + 16] + 1), true);
    check_changed("directory packed size", &f, dir + 20, 30, true);
    check_changed("directory size", &f, dir + 24, 30, true);
    check_changed("directory name's length", &f, dir + 28, 7, true);
    check_changed("directory extra's length", &f, dir + 30, 1, true);
    check_changed("directory comment's length", &f, dir + 32, 1, true);
    check_changed("directory disk", &f, dir + 34, 1, true);
    check_changed("directory offset", &f, dir + 42, 1, true);
    check_changed("directory name", &f, dir + 46, 'M', true);
    check_changed("end disk", &f, end + 4, 1, true);
    check_changed("end count", &f, end + 10, 3, true);
    check_changed("end count here", &f, end + 8, 3, true);
    check_changed("end directory's size", &f, end + 12, (uint8_t)(f.p[end + 12] + 1), true);
    check_changed("end offset", &f, end + 16, (uint8_t)(f.p[end + 16] + 1), true);
    check_changed("end comment", &f, end + 20, 1, true);
    buf_free(&f);
}

TEST(every_cut_and_every_prefix_is_refused)
{
    struct buf f, out;
    buf_init(&f, 1 << 20);
    buf_init(&out, 10000);
    sample(&f, "comment");
    for (size_t n = 4; n < f.n; n += n < 200 || n + 300 > f.n ? 1 : 97)
        CHECK_INT(listed(slice_sub(buf_view(&f), 0, n), &out), ERR_ASIC_INVALID_CONTAINER);
    for (size_t n = 1; n < f.n; n += n < 200 || n + 300 > f.n ? 1 : 97)
        CHECK(listed(slice_from(buf_view(&f), n), &out) != 0);
    CHECK_INT(listed(SLICE_LIT("no zip, but a text that is long enough for one"), &out),
              ERR_SYNTAX);
    CHECK_INT(listed(SLICE_NONE, &out), ERR_SYNTAX);
    buf_byte(&f, 0);
    CHECK(listed(buf_view(&f), &out) != 0);
    buf_free(&f);
    buf_free(&out);
}

/* Containers made by python, which does what ours cannot; the last line writes to argv[1]. */
static int python_made(const char *script, struct buf *out)
{
    static char command[8192];
    char path[] = "/tmp/sild-zip-XXXXXX";
    close(mkstemp(path));
    snprintf(command, sizeof command,
             "/usr/bin/python3 -W ignore -c '\n"
             "import sys,zipfile,io,struct,zlib\n"
             "def make(files,method=8,comment=b\"\"):\n"
             "  b=io.BytesIO()\n"
             "  z=zipfile.ZipFile(b,\"w\",method)\n"
             "  for n,d in files: z.writestr(n,d)\n"
             "  z.comment=comment\n"
             "  z.close()\n"
             "  return b.getvalue()\n"
             "%s\n"
             "open(sys.argv[1],\"wb\").write(data)' %s",
             script, path);
    int status = system(command);
    size_t n;
    unsigned char *file = test_file(path, &n);
    unlink(path);
    CHECK_INT(status, 0);
    int err = listed(slice_of(file, n), out);
    free(file);
    return err;
}

TEST(containers_with_two_readings_are_refused)
{
    static const struct {
        const char *script, *why;
    } bad[] = {
        /* doubled name */
        {"data=make([(\"a\",b\"1\"),(\"a\",b\"2\")])", "same name"},
        /* bytes before the first entry, and behind the last */
        {"data=b\"x\"+make([(\"a\",b\"1\")])", "does not end where"},
        {"data=make([(\"a\",b\"1\")])+b\"x\"", "reaches to the end"},
        /* an entry that is in no directory */
        {"a=make([(\"a\",b\"1\")]); b=make([(\"b\",b\"2\")]);"
         "n=a.index(b\"PK\\x01\\x02\"); m=b.index(b\"PK\\x01\\x02\");"
         "e=len(b)-22; data=a[:n]+b[:m]+b[m:m+42]+struct.pack(\"<I\",n)+b[m+46:e]"
         "+b[e:e+16]+struct.pack(\"<I\",n+m)+b[e+20:]",
         "another order"},
        /* a second end record inside the comment of the first */
        {"a=make([(\"a\",b\"1\")],0); c=a[-22:]; data=a[:-2]+struct.pack(\"<H\",22)+c",
         "reaches to the end"},
        /* entries in another order than the directory */
        {"a=make([(\"a\",b\"1\"),(\"b\",b\"2\")],0); d=a.index(b\"PK\\x01\\x02\"); "
         "h=(len(a)-22-d)//2;"
         "data=a[:d]+a[d+h:d+2*h]+a[d:d+h]+a[-22:]",
         "another order"},
        /* names that leave the folder, or are none */
        {"data=make([(\"../a\",b\"1\")])", "not plain"},
        {"data=make([(\"/a\",b\"1\")])", "not plain"},
        {"data=make([(\"a//b\",b\"1\")])", "not plain"},
        {"data=make([(\"a\\\\b\",b\"1\")])", "not plain"},
        /* a name that is not UTF-8, and one that does not say so */
        {"data=make([(\"\\u00e4\",b\"1\")]).replace(b\"\\xc3\\xa4\",b\"\\xff\\xfe\")", "not plain"},
        {"data=bytearray(make([(\"\\u00e4\",b\"1\")])); data[7]=0; "
         "data[data.index(b\"PK\\x01\\x02\")+9]=0",
         "marked as UTF-8"},
        /* a folder with content */
        {"data=make([(\"a/\",b\"1\")])", "folder has content"},
        /* other methods */
        {"data=make([(\"a\",b\"1\"*100)],12)", "neither stored nor deflated"},
        {"data=make([(\"a\",b\"1\"*100)],14)", "neither stored nor deflated"},
        /* an extra field with another name, and one that is cut */
        {"i=zipfile.ZipInfo(\"a\"); i.extra=struct.pack(\"<HHBI\",0x7075,6,1,0)+b\"b\"; "
         "data=make([(i,b\"1\")])",
         "change size, name"},
        {"i=zipfile.ZipInfo(\"a\"); i.extra=b\"\\x55\\x54\\x09\\x00\\x00\"; "
         "data=make([(i,b\"1\")])",
         "malformed extra"},
        /* zip64 */
        {"b=io.BytesIO(); z=zipfile.ZipFile(b,\"w\");\n"
         "with z.open(\"a\",\"w\",force_zip64=True) as f: f.write(b\"1\")\n"
         "z.close(); data=b.getvalue()",
         "change size, name"},
        /* bytes behind the deflated data, within the entry */
        {"a=make([(\"a\",b\"11111111\")]); d=a.index(b\"PK\\x01\\x02\"); e=len(a)-22;"
         "k=struct.unpack(\"<I\",a[18:22])[0]+1;"
         "data=a[:18]+struct.pack(\"<I\",k)+a[22:d]+b\"x\"+a[d:d+20]+struct.pack(\"<I\",k)+a[d+24:"
         "e]"
         "+a[e:e+16]+struct.pack(\"<I\",d+1)+a[e+20:]",
         "do not fit"},
        /* a size that deflate cannot reach */
        {"a=bytearray(make([(\"a\",b\"1\"*99)])); d=a.index(b\"PK\\x01\\x02\");"
         "a[22:26]=a[d+24:d+28]=struct.pack(\"<I\",1<<30); data=a",
         "larger than it can be"},
        /* more data than said */
        {"a=bytearray(make([(\"a\",b\"1\"*99)])); d=a.index(b\"PK\\x01\\x02\");"
         "a[22:26]=a[d+24:d+28]=struct.pack(\"<I\",98); data=a",
         "do not fit"},
        /* too many entries */
        {"data=make([(str(i),b\"\") for i in range(257)])", "too many entries"},
    };
    struct buf out;
    buf_init(&out, 100000);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int err = python_made(bad[i].script, &out);
        if (err != ERR_ASIC_INVALID_CONTAINER || strstr(diag.text, bad[i].why) == NULL)
            FAIL("error %d: %s: %s", err, diag.text, bad[i].script);
    }
    buf_free(&out);
}

TEST(what_other_writers_may_write_is_read)
{
    static const char *scripts[] = {
        "data=make([(\"a\",b\"1\")])",
        "data=make([(\"d/\",b\"\"),(\"d/a\",b\"1\")],comment=b\"PK\\x05\\x06 is no end record\")",
        "data=make([(str(i),b\"x\"*i) for i in range(256)])",
        "i=zipfile.ZipInfo(\"a\"); i.extra=struct.pack(\"<HHBI\",0x5455,5,1,0); "
        "data=make([(i,b\"1\")])",
        "data=make([(\"inner.zip\",make([(\"a\",b\"1\")],0))],0)",
        "data=make([])",
        /* sizes behind the data, with their magic and without */
        "class S(io.BytesIO):\n  def seekable(s): return False\n  def tell(s): raise OSError\n"
        "b=S(); z=zipfile.ZipFile(b,\"w\",8); z.writestr(\"a\",b\"1\"*999); z.close(); "
        "data=b.getvalue()",
        "class S(io.BytesIO):\n  def seekable(s): return False\n  def tell(s): raise OSError\n"
        "b=S(); z=zipfile.ZipFile(b,\"w\",8); z.writestr(\"a\",b\"1\"*999); z.close(); "
        "a=b.getvalue()\n"
        "p=a.index(b\"PK\\x07\\x08\"); a=a[:p]+a[p+4:]\n"
        "data=a[:-6]+struct.pack(\"<I\",a.index(b\"PK\\x01\\x02\"))+a[-2:]",
    };
    struct buf out;
    buf_init(&out, 100000);
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        if (python_made(scripts[i], &out) != 0)
            FAIL("%s: %s: %s", diag.where, diag.text, scripts[i]);
    CHECK(strstr(buf_cstr(&out), " a\n") != NULL);
    buf_free(&out);
}

static int count_pieces(void *ctx, struct slice piece)
{
    size_t *left = ctx;
    CHECK(piece.n > 0);
    return --*left == 0 ? ERR_DISK_FULL : 0;
}

TEST(a_sink_can_end_the_stream_and_memory_has_a_maximum)
{
    struct buf f;
    buf_init(&f, 1 << 20);
    sample(&f, NULL);
    CHECK_INT(zip_parse(buf_view(&f), &zip, &diag), 0);
    const struct zip_entry *e = zip_find(&zip, "META-INF/\xc3\xa4.xml");
    CHECK(e != NULL && zip_find(&zip, "none") == NULL);
    size_t left = 2;
    CHECK_INT(zip_stream(e, count_pieces, &left, &diag), ERR_DISK_FULL);
    CHECK_INT(left, 0);
    left = 1000;
    CHECK_INT(zip_stream(e, count_pieces, &left, &diag), 0);
    struct arena *small = arena_new(1000);
    struct slice data;
    CHECK_INT(zip_read(small, e, &data, &diag), ERR_TOO_LARGE);
    arena_free(small);
    buf_free(&f);
}
