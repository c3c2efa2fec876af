/* What sild doctor looks for, what it found, and which failure explains which. */
#include "base/attr.h"
#include "cli/doctor_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NEXT_MAX 8192

const struct doctor_entry doctor_find_table[DOCTOR_LINKS] = {
    [DOCTOR_FILE] = {"file", "the gateway's configuration file and the files it names can be read",
                     "correct the line that it names", ""},
    [DOCTOR_KEY] = {"key", "each stored key is the one of its certificate",
                    "put key and certificate in place", "file/@"},
    [DOCTOR_PROCESS] = {"process", "the role answers on its control socket, its children are up",
                        "start it; its log says why it ended", "file/@ key/@"},
    [DOCTOR_CLOCK] = {"clock", "each clock against those of the others and of the time-stamps",
                      "set the clock and keep it by NTP", "process/@"},
    [DOCTOR_AUTHORITY] = {"authority",
                          "the global configuration can be fetched, and is signed anew",
                          "start the authority, or its signing",
                          "process/authority clock/authority"},
    [DOCTOR_ANCHOR] = {"anchor", "the anchor's certificate verifies what the authority serves",
                       "fetch the anchor from the authority again", "authority/authority"},
    [DOCTOR_CONFIGURATION] = {"configuration",
                              "the gateway keeps the newest configuration, and it holds still",
                              "let the gateway fetch it",
                              "process/@ clock/@ anchor/@ authority/authority process/authority"},
    [DOCTOR_CERTIFICATE] = {"certificate",
                            "in force, not revoked, by an approved CA, registered for this server",
                            "have a new one issued; register it",
                            "key/@/% configuration/@ clock/@"},
    [DOCTOR_OCSP] =
        {"ocsp", "the responder answers, by who may sign, and the gateway has an answer",
         "start the responder; let the gateway fetch",
         "key/@/% certificate/@/% process/trust clock/trust clock/@ process/@ configuration/@"},
    [DOCTOR_TSA] = {"tsa", "each time-stamp authority answers, and its stamp verifies",
                    "start it, or name another one", "process/trust clock/trust configuration/@"},
    [DOCTOR_STAMPS] = {"stamps", "messages are stamped in time", "mend the time-stamp authority",
                       "tsa/@ process/trust process/@ clock/@ configuration/@"},
    [DOCTOR_LOG] = {"log", "the message log can be written, has room, and its tree verifies",
                    "make room; keep what is damaged", ""},
    [DOCTOR_READY] = {"ready",
                      "what the role says of itself is wrong with it; the gateway answers clients",
                      "do what it says; look into its log",
                      "process/@ clock/@ anchor/@ authority/authority configuration/@ "
                      "certificate/@ ocsp/@ key/@ tsa/@ stamps/@ log/@ process/trust"},
    [DOCTOR_PEER] =
        {"peer", "the other gateway answers, and its certificate is registered and good",
         "ask its operator",
         "file/% process/% clock/% certificate/% ocsp/% ready/% configuration/% process/@"},
    [DOCTOR_REGISTRY] = {"registry", "the provider's information system can be reached", "start it",
                         "process/%"},
    [DOCTOR_ACCESS] = {"access", "the client may use the service, and by which rule",
                       "register, or give the right", "configuration/@ configuration/%"},
    [DOCTOR_LEDGER] = {"ledger", "the ledger takes the heads of each role's journal",
                       "start it; register the journal; find out which copy of a journal is whole",
                       "process/@ process/ledger"},
};

struct doctor_finding *doctor_find_add(struct doctor *d, enum doctor_link link, const char *subject,
                                       enum doctor_state state, const char *fmt, ...)
{
    size_t i = d->n_found < DOCTOR_FINDINGS_MAX ? d->n_found++ : DOCTOR_FINDINGS_MAX - 1;
    struct doctor_finding *f = &d->found[i];
    va_list ap;
    buf_free(&f->next);
    *f = (struct doctor_finding){.link = link, .state = state};
    buf_init(&f->next, NEXT_MAX);
    snprintf(f->subject, sizeof f->subject, "%s", subject);
    va_start(ap, fmt);
    vsnprintf(f->text, sizeof f->text, fmt, ap);
    va_end(ap);
    return f;
}

void doctor_find_since(struct doctor_finding *f, int64_t ms)
{
    f->since_ms = ms;
}

void doctor_find_next(struct doctor_finding *f, const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    buf_printf(&f->next, "%s\n", line);
}

void doctor_find_free(struct doctor *d)
{
    for (size_t i = 0; i < d->n_found; i++)
        buf_free(&d->found[i].next);
}

int64_t doctor_find_now(const struct doctor *d)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + d->clock_ms;
}

int64_t doctor_find_mtime(const char *path)
{
    struct stat st;
    return stat(path, &st) != 0 ? 0
                                : (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

/* --- causes --- */

/* "process/@" for the subject "social/state": "process/social". */
static void expand(struct slice need, const char *subject, struct buf *out)
{
    struct slice rest = slice_str(subject), first, second = SLICE_NONE;
    slice_next(&rest, '/', &first);
    if (rest.p != NULL)
        second = rest;
    buf_reset(out);
    for (size_t i = 0; i < need.n; i++) {
        if (need.p[i] == '@')
            buf_slice(out, first);
        else if (need.p[i] == '%')
            buf_slice(out, second);
        else
            buf_byte(out, need.p[i]);
    }
}

/* Is the finding of this link and subject, or of a part of that subject? */
static bool is_of(const struct doctor_finding *f, struct slice want)
{
    struct slice rest = want, subject = slice_str(f->subject);
    return slice_skip(&rest, slice_str(doctor_find_table[f->link].name)) &&
           slice_skip(&rest, SLICE_LIT("/")) && rest.n > 0 &&
           slice_eq(slice_sub(subject, 0, rest.n), rest) &&
           (subject.n == rest.n || subject.p[rest.n] == '/');
}

static const struct doctor_finding *cause_of(struct doctor *d, const struct doctor_finding *f)
{
    struct slice needs = slice_str(doctor_find_table[f->link].needs), need;
    const struct doctor_finding *cause = NULL;
    struct buf want;
    buf_init(&want, 512);
    while (cause == NULL && slice_next(&needs, ' ', &need)) {
        expand(need, f->subject, &want);
        for (size_t i = 0; cause == NULL && i < d->n_found; i++)
            if (d->found[i].state == DOCTOR_FAIL && &d->found[i] != f &&
                d->found[i].link < f->link && is_of(&d->found[i], buf_view(&want)))
                cause = &d->found[i];
    }
    buf_free(&want);
    return cause;
}

const struct doctor_finding *doctor_find_culprit(struct doctor *d)
{
    const struct doctor_finding *culprit = NULL;
    for (size_t i = 0; i < d->n_found; i++) {
        struct doctor_finding *f = &d->found[i];
        if (f->state == DOCTOR_OK)
            continue;
        f->caused = cause_of(d, f);
        if (f->state == DOCTOR_FAIL && f->caused == NULL &&
            (culprit == NULL || f->link < culprit->link))
            culprit = f;
    }
    return culprit;
}
