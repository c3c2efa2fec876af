#include "submit/submitter.h"
#include "base/err.h"
#include "keys/signer.h"
#include "proc/fs.h"
#include "proc/report.h"
#include "submit/submit_facts.h"
#include "submit/submit_frames.h"
#include "submit/submit_key.h"
#include "tlog/chain.h"
#include "tlog/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS 5000
#define LOST_MS 60000 /* an agent that has not answered by then never will */

enum phase {
    PHASE_IDLE,
    PHASE_SIGNING,
    PHASE_SENT,
};

struct submitter {
    struct loop *loop;
    struct journal *journal;
    struct heads *heads;
    int64_t interval_ms;
    struct note_key key; /* public half */
    struct ipc *signer, *agent;
    struct ipc *own_agent; /* the same line, where it is this one's own */
    enum phase phase;
    uint64_t id;    /* of the question under way */
    uint64_t known; /* the last size that the ledger is known to have */
    uint64_t size;  /* of the head under way */
    struct merkle_hash root, proof[MERKLE_DEPTH];
    size_t n_proof;
    uint64_t old;
    struct buf text, note, frame; /* of the head under way */
    int64_t began_ms, retry_ms;   /* monotonic; retry_ms 0: the last one went well */
    struct loop_timer *timer;
    bool again; /* the ledger named another size: asked once more at once */
    void (*accepted)(void *ctx);
    void *ctx;
};

static void look(void *ctx);

static void schedule(struct submitter *s, int64_t ms)
{
    loop_timer_cancel(s->timer);
    s->timer = loop_timer_start(s->loop, ms > 0 ? ms : 0, look, s);
}

/* --- what went wrong --- */

/* The journal has fewer records than the ledger, or what is kept here, has a head of. */
static bool is_behind(const struct submitter *s)
{
    return journal_durable(s->journal) < s->known;
}

/* The head under way comes to nothing; a later one takes its place. */
static void failed(struct submitter *s, enum submit_trouble trouble, const char *why)
{
    char behind[400];
    s->phase = PHASE_IDLE;
    s->again = false;
    s->id++;
    if (trouble == SUBMIT_WAITS && is_behind(s)) { /* whoever is away, that is certain */
        trouble = SUBMIT_ROLLED_BACK;
        snprintf(behind, sizeof behind,
                 "a head of %llu records was accepted, this journal has only %llu: it was rolled "
                 "back, or an old copy was put in its place",
                 (unsigned long long)s->known, (unsigned long long)journal_durable(s->journal));
        why = behind;
    }
    s->retry_ms = s->retry_ms == 0                 ? RETRY_FIRST_MS
                  : 2 * s->retry_ms < RETRY_MAX_MS ? 2 * s->retry_ms
                                                   : RETRY_MAX_MS;
    if (submit_facts_failed(trouble, loop_wall_ms(s->loop), slice_str(why)))
        report(trouble == SUBMIT_WAITS ? REPORT_WARN : REPORT_ERROR, "ledger", "%s", why);
    schedule(s, s->retry_ms);
}

/* --- a head's way --- */

static int sign(struct submitter *s, struct diag *d)
{
    struct checkpoint c = {.origin = note_key_name(&s->key), .size = s->size, .root = s->root};
    struct signer_raw r = {.key = SLICE_LIT(SUBMIT_KEY)};
    buf_reset(&s->text);
    buf_reset(&s->frame);
    checkpoint_print(&c, &s->text);
    r.data = buf_view(&s->text);
    signer_put_raw(&s->frame, &r);
    if (s->text.failed || s->frame.failed ||
        ipc_send(s->signer, SIGNER_HEAD, 0, ++s->id, buf_view(&s->frame), -1, false) != 0)
        return diag_set(d, ERR_KEY_NOT_AVAILABLE, "the key process takes no head to sign");
    s->phase = PHASE_SIGNING;
    return 0;
}

/* Where the journal stands, and that it grew out of what the ledger has. */
static int take(struct submitter *s, struct diag *d)
{
    s->size = journal_durable(s->journal);
    /* Behind the ledger there is no proof: the head is shown all the same, so that the ledger has
     * in writing what became of this journal. */
    s->old = s->known < s->size ? s->known : s->size;
    s->n_proof = 0;
    int rc = journal_root(s->journal, s->size, &s->root, d);
    if (rc == 0 && s->old > 0 && s->old < s->size)
        rc = journal_consistency(s->journal, s->old, s->size, s->proof, &s->n_proof, d);
    return rc;
}

static void look(void *ctx)
{
    struct submitter *s = ctx;
    struct diag d = {0};
    s->timer = NULL;
    if (s->phase != PHASE_IDLE) { /* the timer of a question that nobody answered */
        failed(s, SUBMIT_WAITS, "the agent did not answer");
        return;
    }
    if (s->signer == NULL || s->agent == NULL || journal_durable(s->journal) == 0 ||
        (journal_durable(s->journal) == s->known && s->retry_ms == 0)) {
        schedule(s, s->interval_ms);
        return;
    }
    s->began_ms = loop_mono_ms(s->loop);
    int rc = take(s, &d);
    rc = rc != 0 ? rc : sign(s, &d);
    if (rc != 0)
        failed(s, SUBMIT_WAITS, d.text);
    else
        schedule(s, LOST_MS);
}

static void signed_head(struct submitter *s, struct slice value)
{
    if (value.n != NOTE_SIGNATURE) {
        failed(s, SUBMIT_WAITS, "the key process gave no Ed25519 signature");
        return;
    }
    buf_reset(&s->note);
    buf_reset(&s->frame);
    note_print(buf_view(&s->text), &s->key, value.p, &s->note);
    head_request_print(NULL, s->old, s->proof, s->n_proof, buf_view(&s->note), &s->frame);
    s->phase = PHASE_SENT;
    if (s->agent == NULL || s->note.failed || s->frame.failed ||
        ipc_send(s->agent, SUBMIT_HEAD, 0, ++s->id, buf_view(&s->frame), -1, false) != 0)
        failed(s, SUBMIT_WAITS, "the agent takes no head");
}

/* --- answers --- */

/* Is the answer about the head that was sent, and not about another of ours? */
static bool is_ours(struct submitter *s, struct slice text)
{
    struct chain_answer *a = malloc(sizeof *a);
    struct buf entry;
    buf_init(&entry, ENTRY_MAX);
    entry_print(&s->key, buf_view(&s->note), &entry);
    bool ours =
        a != NULL && chain_answer_parse(text, a, NULL) == 0 && slice_eq(a->entry, buf_view(&entry));
    buf_free(&entry);
    free(a);
    return ours;
}

static void accept_head(struct submitter *s, struct slice text)
{
    struct diag d = {0};
    int64_t now = loop_wall_ms(s->loop);
    if (!is_ours(s, text)) {
        failed(s, SUBMIT_WAITS, "the ledger answered about another head than was sent");
        return;
    }
    if (heads_append(s->heads, now, text, &d) != 0) {
        failed(s, d.code == ERR_EXISTS ? SUBMIT_REFUSED : SUBMIT_WAITS, d.text);
        return;
    }
    s->known = s->size;
    s->phase = PHASE_IDLE;
    s->retry_ms = 0;
    s->again = false;
    if (submit_facts_accepted(s->size, now))
        report(REPORT_INFO, "ledger", "heads of %.*s are accepted again",
               SLICE_ARG(note_key_name(&s->key)));
    schedule(s, s->began_ms + s->interval_ms - loop_mono_ms(s->loop));
    if (s->accepted != NULL)
        s->accepted(s->ctx);
}

/* 409: the ledger's last size is another one. */
static void other_size(struct submitter *s, struct slice text)
{
    char why[400];
    uint64_t size;
    if (!slice_u64(slice_trim(text), &size)) {
        failed(s, SUBMIT_WAITS, "the ledger has another size, and does not say which");
        return;
    }
    s->known = size;
    if (is_behind(s)) {
        snprintf(why, sizeof why,
                 "the ledger has a head of %llu records, this journal has only %llu: it was rolled "
                 "back, or an old copy was put in its place",
                 (unsigned long long)size, (unsigned long long)journal_durable(s->journal));
        failed(s, SUBMIT_ROLLED_BACK, why);
    } else if (s->again) {
        failed(s, SUBMIT_WAITS, "the ledger names one size after another");
    } else {
        s->again = true;
        s->phase = PHASE_IDLE;
        s->retry_ms = RETRY_FIRST_MS; /* also when nothing was appended */
        schedule(s, 0);
    }
}

static void answered(struct submitter *s, struct slice body)
{
    struct submit_answer a;
    char why[400];
    if (submit_frames_get(body, &a) != 0) {
        failed(s, SUBMIT_WAITS, "the agent's answer is malformed");
        return;
    }
    struct slice said = slice_sub(slice_trim(a.text), 0, 250);
    if (a.status == 200) {
        accept_head(s, a.text);
    } else if (a.status == 409) {
        other_size(s, a.text);
    } else if (a.status == SUBMIT_BAD_ANSWER) {
        snprintf(why, sizeof why, "%.*s", SLICE_ARG(said));
        failed(s, SUBMIT_UNVERIFIED, why);
    } else if (a.status == 422 && (is_behind(s) || slice_starts(said, "rollback"))) {
        snprintf(why, sizeof why, "this journal was rolled back, the ledger says: %.*s",
                 SLICE_ARG(said));
        failed(s, SUBMIT_ROLLED_BACK, why);
    } else if (a.status == 422) {
        snprintf(why, sizeof why, "the ledger refuses this journal's head: %.*s", SLICE_ARG(said));
        failed(s, SUBMIT_REFUSED, why);
    } else if (a.status >= 400 && a.status < 500) {
        snprintf(why, sizeof why, "the ledger answers %u: %.*s", a.status, SLICE_ARG(said));
        failed(s, SUBMIT_NOT_TAKEN, why);
    } else {
        snprintf(why, sizeof why, "%s%.*s", a.status != 0 ? "the ledger says: " : "",
                 SLICE_ARG(said));
        failed(s, SUBMIT_WAITS, why);
    }
}

/* --- lines --- */

static void on_signer_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct submitter *s = ctx;
    struct slice text = SLICE_LIT("the key process signs no head");
    int code;
    (void)c;
    if (f->fd >= 0)
        close(f->fd);
    if (s->phase != PHASE_SIGNING || f->id != s->id)
        return;
    if (f->type == SIGNER_VALUE) {
        signed_head(s, f->body);
        return;
    }
    char why[400];
    if (f->type == SIGNER_FAILED && signer_get_failure(f->body, &code, &text) != 0)
        text = SLICE_LIT("the key process answered what is no refusal");
    snprintf(why, sizeof why, "%.*s", SLICE_ARG(slice_sub(text, 0, 300)));
    failed(s, SUBMIT_WAITS, why);
}

static void on_signer_closed(void *ctx, struct ipc *c)
{
    struct submitter *s = ctx;
    if (s->signer == c)
        s->signer = NULL;
    ipc_free(c);
}

/* A line is another one now: whoever was to answer in this phase never will. */
static void resume(struct submitter *s, enum phase lost)
{
    if (s->phase != PHASE_IDLE && s->phase != lost)
        return;
    s->phase = PHASE_IDLE;
    s->id++;
    schedule(s, s->retry_ms);
}

void submitter_key(struct submitter *s, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_signer_frame, .on_close = on_signer_closed};
    if (s == NULL) {
        close(fd);
        return;
    }
    ipc_free(s->signer);
    s->signer = ipc_new(s->loop, fd, 0, &ev, s);
    resume(s, PHASE_SIGNING);
}

void submitter_agent(struct submitter *s, struct ipc *line)
{
    if (s == NULL)
        return;
    s->agent = line;
    resume(s, PHASE_SENT);
}

void submitter_frame(struct submitter *s, const struct ipc_frame *f)
{
    if (s != NULL && f->type == SUBMIT_ANSWER && s->phase == PHASE_SENT && f->id == s->id)
        answered(s, f->body);
}

static void on_agent_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    (void)c;
    if (f->fd >= 0)
        close(f->fd);
    submitter_frame(ctx, f);
}

static void on_agent_closed(void *ctx, struct ipc *c)
{
    struct submitter *s = ctx;
    s->own_agent = NULL;
    submitter_agent(s, NULL);
    ipc_free(c);
}

void submitter_connect(struct submitter *s, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_agent_frame, .on_close = on_agent_closed};
    if (s == NULL) {
        close(fd);
        return;
    }
    ipc_free(s->own_agent);
    s->own_agent = ipc_new(s->loop, fd, 0, &ev, s);
    submitter_agent(s, s->own_agent);
}

void submitter_now(struct submitter *s)
{
    if (s != NULL && s->phase == PHASE_IDLE && s->retry_ms == 0)
        schedule(s, 0);
}

void submitter_watch(struct submitter *s, void (*accepted)(void *ctx), void *ctx)
{
    if (s == NULL)
        return;
    s->accepted = accepted;
    s->ctx = ctx;
}

struct heads *submitter_heads(struct submitter *s)
{
    return s == NULL ? NULL : s->heads;
}

/* --- life --- */

int submitter_folder(const char *dir, char *out, size_t cap, struct diag *d)
{
    int n = snprintf(out, cap, "%s/" HEADS_FOLDER, dir);
    if (n < 0 || (size_t)n >= cap)
        return diag_set(d, ERR_TOO_LARGE, "the name of the folder %s is too long", dir);
    return fs_mkdirs(out, 0755, d);
}

int submitter_new(struct loop *l, struct journal *j, const char *dir,
                  const struct submit_conf *conf, struct submitter **out, struct diag *d)
{
    char folder[2200];
    *out = NULL;
    if (conf->url.n == 0)
        return 0;
    struct submitter *s = calloc(1, sizeof *s);
    if (s == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the journal's heads");
    s->loop = l;
    s->journal = j;
    s->interval_ms = conf->interval_ms;
    buf_init(&s->text, CHECKPOINT_TEXT_MAX);
    buf_init(&s->note, NOTE_MAX);
    buf_init(&s->frame, SUBMIT_REQUEST_MAX);
    int rc = submit_key_read(dir, conf->origin, &s->key, d);
    rc = rc != 0 ? rc : submitter_folder(dir, folder, sizeof folder, d);
    while (rc == 0 && (rc = heads_open(folder, false, &s->heads, d)) == ERR_DISK_FULL) {
        fs_wait_for_space(d);
        rc = 0;
    }
    if (rc != 0) {
        submitter_free(s);
        return rc;
    }
    s->known = heads_last(s->heads);
    submit_facts_begin(s->known);
    *out = s;
    return 0;
}

void submitter_free(struct submitter *s)
{
    if (s == NULL)
        return;
    loop_timer_cancel(s->timer);
    ipc_free(s->signer);
    ipc_free(s->own_agent);
    heads_close(s->heads);
    note_key_free(&s->key);
    buf_free(&s->text);
    buf_free(&s->note);
    buf_free(&s->frame);
    free(s);
}
