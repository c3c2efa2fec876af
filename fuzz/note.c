/*
 * Notes and cosignatures: what parses has one form and prints as the same bytes; what opens was
 * signed by a key that was asked for. The keys are those of the corpus.
 */
#include "base/err.h"
#include "tlog/cosignature.h"

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const vkeys[] = {
    "ledger.sild.example/test+385bda7f+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
    "w1.sild.example+28d3047f+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X",
    "sild.example/plain+ee4575a3+AU/QmczUfXiT3+nsJEFOyw2bVCAjKq0w2RxGW+M8vmXE",
};
#define KEYS 3
static struct note_key keys[KEYS];

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    for (int i = 0; i < KEYS; i++)
        must(note_key_parse(slice_str(vkeys[i]), &keys[i], NULL) == 0);
    return 0;
}

/* A line of input may be a key as well. */
static void try_key(struct slice text)
{
    struct note_key k;
    struct buf b;
    if (note_key_read(text, &k, NULL) != 0)
        return;
    buf_init(&b, NOTE_VKEY_MAX);
    note_key_print(&k, &b);
    must(slice_eq(buf_view(&b), text) && note_is_name(note_key_name(&k)));
    buf_free(&b);
}

static void print_again(const struct note *n, struct slice bytes)
{
    struct buf b;
    buf_init(&b, NOTE_MAX);
    buf_slice(&b, n->text);
    buf_byte(&b, '\n');
    for (size_t i = 0; i < n->sigs; i++) {
        const struct note_sig *s = &n->sig[i];
        must(s->value_n > 0 && s->name.n > 0);
        if (s->value_n <= NOTE_VALUE)
            note_sig_line(s->name, s->id, slice_of(s->value, s->value_n), &b);
        else
            buf_slice(&b, s->line);
    }
    must(slice_eq(buf_view(&b), bytes));
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct note n;
    struct note_seen seen;
    struct diag d = {0};
    struct slice bytes = slice_of(data, size);
    const struct note_key *known[KEYS];
    for (int i = 0; i < KEYS; i++)
        known[i] = &keys[i];
    try_key(bytes);
    if (note_parse(bytes, &n, &d) != 0) {
        must(d.code != 0 && d.text[0] != 0);
        return 0;
    }
    must(n.text.n > 0 && n.text.p[n.text.n - 1] == '\n' && n.sigs > 0 && n.sigs <= NOTE_SIGS);
    print_again(&n, bytes);
    if (note_open(&n, known, KEYS, &seen, &d) == 0)
        must(seen.keys != 0 && (seen.keys >> KEYS) == 0 && seen.times[0] == 0 &&
             ((seen.keys & 2) == 0) == (seen.times[1] == 0));
    return 0;
}
