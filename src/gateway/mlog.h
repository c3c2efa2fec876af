/*
 * The log process: the only writer of the message log's journal. Records of all workers are
 * gathered, one sync serves all that wait; signature documents are stored without what they share
 * (record.h); what is signed is handed to the agent for time-stamping, oldest first. It refuses
 * records when stamping has failed for longer than allowed (logging.md 4, 5).
 */
#ifndef SILD_GATEWAY_MLOG_H
#define SILD_GATEWAY_MLOG_H

#include "gateway/stamping.h"
#include "journal/journal.h"
#include "net/loop.h"
#include "proc/group.h"
#include "submit/submit_conf.h"

#define MLOG_FOLDER "messagelog" /* below the gateway's folder */

/* mlog_run.c: the process, in the gateway's group. */
int mlog_run(struct group_self *self, const char *config_path);

/* The log itself, on whatever loop and disk. */
struct mlog;
/*
 * Opens or creates the journal in dir (o as for journal_open, NULL: the usual) and notes in it that
 * a log of this server (short id) begins; what the last one left without a time-stamp is queued for
 * one. Errors of journal_open and journal_sync.
 */
int mlog_new(struct loop *l, const char *dir, struct slice server, const struct journal_options *o,
             struct mlog **out, struct diag *d) MUST_USE;
/* NULL is harmless. */
void mlog_free(struct mlog *m);
/* The journal's heads go to the ledger that conf names, if it does (submit/submitter.h). dir: the
 * gateway's folder. Called once, before any line is up. */
int mlog_submit(struct mlog *m, const char *dir, const struct submit_conf *conf,
                struct diag *d) MUST_USE;
/* A line to "agent", "key", "worker" or "worker:<n>" is up (again). Takes the descriptor over. */
void mlog_connect(struct mlog *m, const char *name, int fd);
/* Stamps all that is logged at this moment, then calls done once. */
void mlog_stamp(struct mlog *m, stamping_done done, void *ctx, uint64_t id);
/* Syncs what waits now, not at the end of the turn, and answers for it. */
void mlog_settle(struct mlog *m);
/* The journal takes no more until it is opened anew (journal_is_broken). The log has stopped the
 * loop when that came to pass. */
bool mlog_is_broken(const struct mlog *m);

#endif
