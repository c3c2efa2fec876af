#include "ledger/ledger_agent.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/opt.h"
#include "ledger/ledger_conf.h"
#include "ledger/ledger_facts.h"
#include "ledger/ledger_frames.h"
#include "ledger/ledger_lists.h"
#include "ledger/ledger_witness.h"
#include "proc/report.h"
#include "proc/sandbox.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_CONNECTIONS 64

struct agent {
    struct group_self *self;
    struct loop *loop;
    struct ledger_conf conf;
    struct ledger_lists lists;
    struct http_client *client;
    struct ipc *log;
    struct ledger_witness *witness[POLICY_WITNESSES];
    size_t n;
    struct buf note;
    struct note *parsed;
    struct ledger_asked asked;
};

static void tell_log(struct agent *a, enum ledger_frame type, const struct buf *b)
{
    if (a->log != NULL &&
        ipc_send(a->log, (uint16_t)type, 0, a->asked.size, buf_view(b), -1, false) != 0)
        report(REPORT_ERROR, "agent", "the log could not be told of a witness");
}

static void on_proof_wanted(void *ctx, uint64_t older)
{
    struct agent *a = ctx;
    struct buf b;
    buf_init(&b, 8);
    wr_u64(&b, older);
    tell_log(a, LEDGER_FRAME_PROOF, &b);
    buf_free(&b);
}

static void on_line(void *ctx, unsigned index, struct slice line)
{
    struct agent *a = ctx;
    struct buf b;
    buf_init(&b, 1 + WITNESS_ANSWER_MAX);
    wr_u8(&b, (uint8_t)index);
    buf_slice(&b, line);
    tell_log(a, LEDGER_FRAME_LINE, &b);
    buf_free(&b);
}

static void on_ahead(void *ctx, unsigned index, uint64_t size, struct slice shown)
{
    struct agent *a = ctx;
    struct buf b;
    buf_init(&b, 32 + NOTE_MAX);
    wr_u8(&b, (uint8_t)index);
    wr_u64(&b, size);
    wr_var(&b, shown.n <= NOTE_MAX ? shown : SLICE_NONE);
    tell_log(a, LEDGER_FRAME_AHEAD, &b);
    buf_free(&b);
}

/* --- witnesses --- */

static void drop_witnesses(struct agent *a)
{
    for (size_t i = 0; i < a->n; i++)
        ledger_witness_free(a->witness[i]);
    a->n = 0;
}

static void make_witnesses(struct agent *a)
{
    static const struct ledger_witness_events events = {on_proof_wanted, on_line, on_ahead};
    const struct policy *p = a->lists.policy;
    struct buf names;
    buf_init(&names, 16384);
    for (size_t i = 0; i < p->n_witnesses; i++) {
        struct ledger_witness *w =
            ledger_witness_new(a->loop, a->client, &p->witness[i], (unsigned)i, &a->asked,
                               a->conf.witness_timeout_ms, &events, a);
        if (w == NULL)
            report(REPORT_ERROR, "witness", "the address of witness %.*s cannot be used: %.*s",
                   SLICE_ARG(p->witness[i].name), SLICE_ARG(p->witness[i].url));
        else
            a->witness[a->n++] = w;
        buf_printf(&names, "%s%.*s", i == 0 ? "" : " ", SLICE_ARG(p->witness[i].name));
    }
    tally_text(LEDGER_FACTS_TEXT_NAMES, buf_view(&names));
    buf_free(&names);
}

/* --- from the log --- */

static void take_ask(struct agent *a, const struct ipc_frame *f)
{
    struct rd r = rd_of(f->body);
    struct slice note = rd_var(&r, NOTE_MAX);
    struct checkpoint cp;
    buf_reset(&a->note);
    buf_slice(&a->note, note);
    a->asked.size = 0;
    if (!rd_done(&r) || note_parse(buf_view(&a->note), a->parsed, NULL) != 0 ||
        checkpoint_parse(a->parsed->text, &cp, NULL) != 0 || cp.size != f->id) {
        report(REPORT_ERROR, "agent", "the log sent no checkpoint");
        return;
    }
    a->asked = (struct ledger_asked){
        .size = cp.size, .note = buf_view(&a->note), .text = a->parsed->text, .origin = cp.origin};
    for (size_t i = 0; i < a->n; i++)
        ledger_witness_ask(a->witness[i]);
}

static void take_proof(struct agent *a, const struct ipc_frame *f)
{
    struct rd r = rd_of(f->body);
    struct merkle_hash proof[MERKLE_DEPTH];
    size_t n;
    uint64_t older = rd_u64(&r);
    if (f->id != a->asked.size || r.bad ||
        ledger_frames_get_hashes(rd_bytes(&r, rd_left(&r)), proof, &n) != 0)
        return;
    for (size_t i = 0; i < a->n; i++)
        ledger_witness_proof(a->witness[i], older, proof, n);
}

static void on_frame(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    struct agent *a = ctx;
    (void)line;
    if (f->fd >= 0)
        close(f->fd);
    if (f->type == LEDGER_FRAME_ASK)
        take_ask(a, f);
    else if (f->type == LEDGER_FRAME_PROOF_DONE)
        take_proof(a, f);
}

static void on_closed(void *ctx, struct ipc *line)
{
    struct agent *a = ctx;
    if (a->log == line)
        a->log = NULL;
    ipc_free(line);
}

/* --- life --- */

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_frame, .on_close = on_closed};
    struct agent *a = ctx;
    if (strcmp(name, "log") != 0) {
        close(fd);
        return;
    }
    ipc_free(a->log);
    a->log = ipc_new(a->loop, fd, 0, &ev, a);
    group_ready(a->self);
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct agent *a = ctx;
    struct ledger_lists next;
    struct diag d = {0};
    struct slice word, packed = command;
    slice_next(&packed, '\n', &word);
    if (!slice_eq_str(word, "reload") || packed.p == NULL) {
        group_answer(a->self, id, EXIT_USE, SLICE_LIT("reload\n"));
    } else if (ledger_lists_parse(packed, NULL, &next, &d) != 0) {
        ledger_lists_free(&next);
        group_answer(a->self, id, EXIT_NO, slice_str(d.text));
    } else {
        drop_witnesses(a);
        ledger_lists_free(&a->lists);
        a->lists = next;
        make_witnesses(a);
        for (size_t i = 0; i < a->n; i++)
            ledger_witness_ask(a->witness[i]);
        group_answer(a->self, id, EXIT_DONE, SLICE_NONE);
    }
}

static void on_stop(void *ctx)
{
    struct agent *a = ctx;
    loop_stop(a->loop);
}

static int prepare(struct agent *a, const char *config_path, struct diag *d)
{
    static const char *const none[] = {NULL};
    struct buf packed;
    buf_init(&packed, LEDGER_LISTS_MAX);
    buf_init(&a->note, NOTE_MAX);
    int rc = ledger_conf_read(config_path, &a->conf, d);
    rc = rc != 0 ? rc : ledger_lists_pack(a->conf.journals, a->conf.policy, &packed, d);
    rc = rc != 0 ? rc : ledger_lists_parse(buf_view(&packed), NULL, &a->lists, d);
    buf_free(&packed);
    a->parsed = malloc(sizeof *a->parsed);
    a->client = http_client_new(a->loop, IDLE_CONNECTIONS, 0);
    if (rc == 0 && (a->parsed == NULL || a->client == NULL))
        rc = diag_set(d, ERR_NOMEM, "no memory for the agent");
    /* Here the process narrows itself: TCP outwards, names, no files of ours. */
    return rc != 0 ? rc : sandbox_enter(SANDBOX_AGENT, none, d);
}

int ledger_agent_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct agent a = {.self = self, .loop = group_loop(self)};
    struct diag d = {0};
    if (prepare(&a, config_path, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        return EXIT_COULD_NOT;
    }
    make_witnesses(&a);
    group_begin(self, &events, &a);
    loop_run(a.loop);
    drop_witnesses(&a);
    http_client_free(a.client);
    ipc_free(a.log);
    ledger_lists_free(&a.lists);
    ledger_conf_free(&a.conf);
    buf_free(&a.note);
    free(a.parsed);
    return EXIT_DONE;
}
