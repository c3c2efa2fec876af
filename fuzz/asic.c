/*
 * Input: entries of a container, each {u8 which, u16 length, bytes}, which are put into a zip;
 * `which` is an index into the names below. With a first byte 'P' the input is the zip itself.
 * Verified by the configuration of the worked example, asic-shared-params.xml.
 */
#include "base/err.h"
#include "evidence/asic.h"
#include "proc/fs.h"
#include "wire/zip.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const char *const names[] = {
    "mimetype",
    "message.xml",
    "META-INF/signatures.xml",
    "sig-hashchainresult.xml",
    "sig-hashchain.xml",
    "ts-hashchainresult.xml",
    "ts-hashchain.xml",
    "META-INF/manifest.xml",
    "META-INF/ASiCManifest.xml",
    "META-INF/timestamp.tst",
    "attachment1",
    "attachment2",
};

static struct globalconf *conf;
static struct buf image;
static struct arena *arena;

static void load(void)
{
    struct buf xml;
    struct diag d;
    buf_init(&xml, 1u << 20);
    if (fs_read(FUZZ_DIR "/asic-shared-params.xml", &xml, &d) != 0)
        abort();
    struct globalconf_file f[] = {
        {"instance-identifier", SLICE_LIT("ZZ")},
        {"ZZ/shared-params.xml", buf_view(&xml)},
        {"ZZ/shared-params.xml.metadata", SLICE_LIT("{\"configurationVersion\":\"6\"}")},
    };
    if (globalconf_from_files(f, 3, &image, &d) != 0 ||
        globalconf_open(buf_view(&image), &conf, &d) != 0)
        abort();
    buf_free(&xml);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    buf_init(&image, 1u << 24);
    load();
    arena = arena_new(32u << 20);
    return arena == NULL;
}

static void build(const uint8_t *p, size_t n, struct buf *out)
{
    struct zip_writer *w = zip_writer_new(out, 0);
    bool used[sizeof names / sizeof names[0]] = {false};
    while (n >= 3) {
        size_t which = p[0] % (sizeof names / sizeof names[0]);
        size_t len = p[1] | (size_t)p[2] << 8;
        p += 3;
        n -= 3;
        if (len > n)
            len = n;
        if (!used[which])
            (void)!zip_add(w, names[which], slice_of(p, len), false);
        used[which] = true;
        p += len;
        n -= len;
    }
    (void)!zip_finish(w, "");
    zip_writer_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf file, text;
    buf_init(&file, 1u << 20);
    buf_init(&text, 1u << 20);
    if (size > 0 && data[0] == 'P')
        buf_add(&file, data, size);
    else
        build(data, size, &file);
    struct asic_report r;
    struct diag d;
    arena_reset(arena);
    if (asic_verify(conf, arena, buf_view(&file), &r, &d) == 0) {
        asic_report_print(&r, false, &text);
        asic_report_print(&r, true, &text);
    }
    asic_report_free(&r);
    buf_free(&text);
    buf_free(&file);
    return 0;
}
