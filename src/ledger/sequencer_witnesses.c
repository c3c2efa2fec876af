/* Cosignatures: what is taken from witnesses, and what a witness that knows more may do. */
#include "base/cursor.h"
#include "base/err.h"
#include "ledger/ledger_store.h"
#include "ledger/sequencer_int.h"
#include "proc/report.h"
#include "tlog/witness.h"

#include <stdlib.h>

#define CLOCK_APART_S 60 /* a cosignature's time from ours, at most */
#define ASK_AGAIN_MS 10000

void sequencer_ask(struct sequencer *s)
{
    struct buf b;
    int64_t now = loop_mono_ms(s->loop);
    /* Witnesses that signed with a clock unlike ours are asked again, too: one of the clocks may
     * have been set right. */
    if (s->agent == NULL || (s->asked && now - s->asked_ms < ASK_AGAIN_MS))
        return;
    s->asked_ms = now;
    buf_init(&b, LEDGER_CHECKPOINT_MAX + 8);
    wr_var(&b, ledger_rounds_note(s->rounds));
    s->asked = ipc_send(s->agent, LEDGER_FRAME_ASK, 0, ledger_rounds_size(s->rounds), buf_view(&b),
                        -1, false) == 0;
    buf_free(&b);
}

void sequencer_collect(struct sequencer *s)
{
    buf_reset(&s->lines);
    s->witnesses = 0;
    s->asked = false;
}

bool sequencer_enough(const struct sequencer *s)
{
    return !s->lists.policy->needs_witnesses || policy_satisfied(s->lists.policy, s->witnesses);
}

static void send_proof(struct sequencer *s, const struct ipc_frame *f)
{
    struct merkle_hash proof[MERKLE_DEPTH];
    struct diag d = {0};
    struct buf b;
    size_t n;
    struct rd r = rd_of(f->body);
    uint64_t older = rd_u64(&r);
    if (!rd_done(&r) || ledger_rounds_phase(s->rounds) == LEDGER_SPREAD ||
        f->id != ledger_rounds_size(s->rounds) ||
        ledger_rounds_proof(s->rounds, older, proof, &n, &d) != 0)
        return; /* of another round already: the agent has been told of the new one */
    buf_init(&b, 8 + sizeof proof);
    wr_u64(&b, older);
    ledger_frames_put_hashes(&b, proof, n);
    if (ipc_send(s->agent, LEDGER_FRAME_PROOF_DONE, 0, f->id, buf_view(&b), -1, false) != 0)
        report(REPORT_ERROR, "witnesses", "a proof could not be sent to the agent");
    buf_free(&b);
}

/* A late cosignature makes the published checkpoint better; a failure takes nothing away. */
static void publish_again(struct sequencer *s)
{
    struct diag d = {0};
    if (ledger_rounds_phase(s->rounds) == LEDGER_IDLE && s->confirmed &&
        ledger_rounds_publish(s->rounds, buf_view(&s->lines), &d) != 0)
        report_diag(REPORT_WARN, "checkpoint", NULL, &d);
}

static void take_line(struct sequencer *s, const struct ipc_frame *f)
{
    struct rd r = rd_of(f->body);
    struct diag d = {0};
    uint64_t time_s = 0;
    unsigned i = rd_u8(&r);
    struct slice line = rd_bytes(&r, rd_left(&r));
    int64_t now_s = loop_wall_ms(s->loop) / 1000;
    if (r.bad || i >= s->lists.policy->n_witnesses || (s->witnesses >> i & 1) != 0 ||
        f->id != ledger_rounds_size(s->rounds))
        return;
    size_t before = s->lines.n;
    int rc = witness_answer_take(line, ledger_rounds_text(s->rounds),
                                 &s->lists.policy->witness[i].key, &s->lines, &time_s, &d);
    if (rc == 0 &&
        ((int64_t)time_s > now_s + CLOCK_APART_S || (int64_t)time_s < now_s - CLOCK_APART_S)) {
        s->lines.n = before;
        rc = diag_set(
            &d, ERR_CERT_VALIDITY_TIME, "witness %.*s signed with a time %lld s from our clock",
            SLICE_ARG(s->lists.policy->witness[i].name), (long long)((int64_t)time_s - now_s));
    }
    tally_add(rc == 0 ? LEDGER_FACTS_COSIGNATURES : LEDGER_FACTS_COSIGNATURES_BAD, 1);
    if (rc != 0) {
        report_diag(REPORT_WARN, "cosignature", NULL, &d);
        return;
    }
    s->witnesses |= 1u << i;
    if (ledger_rounds_phase(s->rounds) == LEDGER_IDLE && s->confirmed)
        publish_again(s);
    else if (sequencer_enough(s))
        sequencer_again_in(s, 0);
}

/* A witness that shows our own signature under a tree that we do not have: our data are old, or
 * there is a second writer. One that only says so is believed nothing. */
static void take_ahead(struct sequencer *s, const struct ipc_frame *f)
{
    struct rd r = rd_of(f->body);
    struct diag d = {0};
    struct checkpoint cp;
    struct note_seen seen;
    const struct note_key *keys[1] = {&s->key};
    unsigned i = rd_u8(&r);
    unsigned long long claims = rd_u64(&r);
    struct slice shown = rd_var(&r, NOTE_MAX);
    struct note *n = malloc(sizeof *n);
    if (n == NULL || !rd_done(&r) || i >= s->lists.policy->n_witnesses) {
        free(n);
        return;
    }
    struct slice name = s->lists.policy->witness[i].name;
    uint64_t size = ledger_rounds_size(s->rounds);
    if (shown.n > 0 && note_parse(shown, n, NULL) == 0 && note_open(n, keys, 1, &seen, NULL) == 0 &&
        checkpoint_parse(n->text, &cp, NULL) == 0 && slice_eq(cp.origin, note_key_name(&s->key)) &&
        cp.size > size) {
        s->person = true;
        diag_set(
            &d, ERR_EXISTS,
            "witness %.*s shows a checkpoint of size %llu that this ledger has signed, and "
            "here the tree ends at %llu: the ledger's folder and lock are old copies, or there "
            "is a twin. Put the newest back, or stop the twin",
            SLICE_ARG(name), (unsigned long long)cp.size, (unsigned long long)size);
        sequencer_stop(s, LEDGER_STOP_PERSON, &d);
        if (ledger_rounds_replace(s->rounds, "evidence/ahead", shown, &d) != 0)
            report_diag(REPORT_ERROR, "evidence", NULL, &d);
    } else {
        tally_add(LEDGER_FACTS_AHEAD, 1);
        report(REPORT_WARN, "witness-ahead",
               "witness %.*s says that it knows a tree of size %llu and does not show it: it is "
               "not counted",
               SLICE_ARG(name), claims);
    }
    free(n);
}

void sequencer_agent_frame(struct sequencer *s, const struct ipc_frame *f)
{
    if (f->type == LEDGER_FRAME_PROOF)
        send_proof(s, f);
    else if (f->type == LEDGER_FRAME_LINE)
        take_line(s, f);
    else if (f->type == LEDGER_FRAME_AHEAD)
        take_ahead(s, f);
}
