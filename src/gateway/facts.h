/*
 * What a gateway's processes count of themselves (base/tally.h): the words of each, the functions
 * that write them, and, in facts_judge.c, what follows from them: the parts that /healthz, the
 * metrics and the control socket tell of. A word belongs to one child; the same number may mean
 * another thing in another child's page.
 */
#ifndef SILD_GATEWAY_FACTS_H
#define SILD_GATEWAY_FACTS_H

#include "base/err.h"
#include "base/tally.h"
#include "gateway/serverconf.h"
#include "proc/health.h"
#include "xroad/globalconf.h"

enum facts_side {
    FACTS_CONSUMER,
    FACTS_PROVIDER,
    FACTS_SIDES,
};

#define FACTS_BOUNDS 12 /* of the histogram of an exchange's time */

/* A worker's. "Each side" stands for FACTS_SIDES words. */
enum facts_worker {
    FACTS_IN_FLIGHT = TALLY_OWN,              /* each side */
    FACTS_OK = FACTS_IN_FLIGHT + FACTS_SIDES, /* each side */
    FACTS_ABORTED = FACTS_OK + FACTS_SIDES,   /* each side: the asker was gone before the end */
    FACTS_MS = FACTS_ABORTED + FACTS_SIDES,   /* each side: all exchanges' time together */
    FACTS_LATENCY = FACTS_MS + FACTS_SIDES,   /* each side: FACTS_BOUNDS + 1 words */
    FACTS_FAULT = FACTS_LATENCY + FACTS_SIDES * (FACTS_BOUNDS + 1), /* each side: by code */
    FACTS_PEER_FAULT = FACTS_FAULT + FACTS_SIDES * ERR_COUNT, /* by code: of a provider's server */
    FACTS_SNAPSHOT = FACTS_PEER_FAULT + ERR_COUNT, /* when the last was taken, ms; 0: none yet */
    FACTS_FAR,                                     /* reach.h: other servers */
    FACTS_NEAR = FACTS_FAR + 2,                    /* reach.h: own information systems */
    FACTS_WORKER_END = FACTS_NEAR + 2,
};

/* One of the agent's keys. */
enum facts_key {
    FACTS_KEY_FLAGS,
    FACTS_KEY_SINCE, /* when the flags changed */
    FACTS_KEY_NOT_BEFORE,
    FACTS_KEY_NOT_AFTER,
    FACTS_KEY_OCSP,       /* thisUpdate of its response */
    FACTS_KEY_OCSP_UNTIL, /* how long that holds; kept when there is no new one; 0: never had one */
    FACTS_KEY_FAILING,    /* since when none could be fetched; 0: it works */
    FACTS_KEY_WORDS,
};
enum facts_key_flag {
    FACTS_KEY_THERE = 1, /* the configuration has it */
    FACTS_KEY_SIGNS = 2, /* else it authenticates */
    FACTS_KEY_CERTIFIED = 4,
    FACTS_KEY_APPROVED = 8,    /* its CA is in the global configuration */
    FACTS_KEY_REGISTERED = 16, /* at this server; signing keys are registered nowhere: always set */
    FACTS_KEY_REVOKED = 32,
};

enum facts_agent {
    FACTS_CONF_LOADED = TALLY_OWN, /* there is one, valid or not */
    FACTS_CONF_EXPIRES,
    FACTS_CONF_FETCHED, /* the last round that went well */
    FACTS_CONF_FAILING, /* since when none did; 0: it works */
    FACTS_CONF_ROUNDS,
    FACTS_CONF_FAILURES,
    FACTS_UNREGISTERED,       /* clients that the global configuration does not have here */
    FACTS_UNREGISTERED_SINCE, /* ms */
    FACTS_KEY,                /* SERVERCONF_KEYS_MAX times FACTS_KEY_WORDS */
    FACTS_AGENT_END = FACTS_KEY + SERVERCONF_KEYS_MAX * FACTS_KEY_WORDS,
};

enum facts_log {
    FACTS_LOG_FAILING = TALLY_OWN, /* since when nothing can be written; 0: it works */
    FACTS_DISK_FREE,               /* bytes */
    FACTS_DISK_SIZE,
    FACTS_DISK_LEAST,  /* bytes; with less free, no new message is taken */
    FACTS_DISK_LOW,    /* since when there is less; 0: there is enough */
    FACTS_LOG_REFUSED, /* records that were not taken */
    FACTS_STAMPS,      /* time-stamps taken */
    FACTS_STAMP_FAILURES,
    FACTS_STAMP_QUEUE,   /* records without one */
    FACTS_STAMP_OLDEST,  /* when the oldest of these was made; 0: none */
    FACTS_STAMP_LAST,    /* when the last was taken, as far as this group knows */
    FACTS_STAMP_FAILING, /* since when none was; 0: it works */
    FACTS_STAMP_LIMIT,   /* ms of failing after which exchange stops; 0: never */
    FACTS_STAMP_NONE,    /* 1: no authority is configured */
};

/* Texts: why it fails. */
enum facts_text {
    FACTS_TEXT_CONF = 0, /* agent */
    FACTS_TEXT_KEYS = 1, /* agent: names of the keys, a line each */
    FACTS_TEXT_OCSP = 2,
    FACTS_TEXT_CLIENTS = 3, /* names of unregistered clients */
    FACTS_TEXT_LOG = 0,     /* log */
    FACTS_TEXT_STAMP = 1,
    FACTS_TEXT_FAR = 0, /* worker */
    FACTS_TEXT_NEAR = 1,
};

_Static_assert(FACTS_WORKER_END <= TALLY_WORDS && FACTS_AGENT_END <= TALLY_WORDS,
               "the words fit the page");

/* --- a worker --- */

void facts_worker_begin(void); /* gauges begin anew */
void facts_began(enum facts_side side);
/* The exchange is over after ms; it went well or not (then facts_fault was called, or it was
 * aborted). */
void facts_ended(enum facts_side side, int64_t ms, bool well, bool aborted);
void facts_fault(bool provider, int code); /* a fault of our own */
void facts_peer_fault(const char *code);   /* a fault code of a provider's server, with prefixes */

/* --- the agent --- */

void facts_conf_round(bool well, int64_t now_ms, const struct diag *why);
void facts_conf_loaded(const struct globalconf *g);
/* A key with its certificate (NULL: none), its OCSP response (empty: none) and what failed (code 0:
 * nothing); g NULL: there is no configuration yet. */
void facts_key(size_t i, const struct serverconf *c, const struct cert *cert, struct slice ocsp,
               const struct globalconf *g, int64_t now_ms, const struct diag *why);
/* Which keys there are; what was known of others is forgotten. */
void facts_keys(const struct serverconf *c);
void facts_clients(const struct serverconf *c, const struct globalconf *g, int64_t now_ms);

/* --- the log --- */

void facts_log(bool well, int64_t now_ms, const struct diag *why);
/* How full its file system is, and whether `least` bytes are free; the free ones. UINT64_MAX:
 * nobody knows. */
uint64_t facts_disk(const char *dir, uint64_t least, int64_t now_ms);

/* --- what follows --- */

extern const struct health_spec facts_health;

#endif
