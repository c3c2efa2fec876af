/*
 * Who gets a connection when more want one than can be served. An address is known when the caller
 * named it (servers of the global configuration) or when something good came from it (a registered
 * client's request, a registered server's certificate); known addresses are not limited here.
 * Strangers share what the limits leave them: connections at once, and a token for each connection
 * and each thing refused. An IPv6 network of 64 bits counts as one address. Time is the caller's
 * monotonic clock, in milliseconds. Reads no clock, does no I/O.
 */
#ifndef SILD_NET_ADMISSION_H
#define SILD_NET_ADMISSION_H

#include "base/attr.h"
#include "net/net.h"

struct admission_limits {
    unsigned strangers;           /* connections of all strangers at once */
    unsigned each;                /* of one strange address */
    unsigned rate, burst;         /* tokens a second of one strange address, and at most */
    unsigned all_rate, all_burst; /* the same of all of them together */
    int64_t known_ms;             /* how long an address stays known after the last good thing */
};

enum admission_answer {
    ADMISSION_YES,
    ADMISSION_NO,
    ADMISSION_FULL, /* no: all places of strangers are taken; another one may be sent away first */
};

/* A connection's place; of one that was not let in, all zero. */
struct admission_pass {
    struct admission_entry *entry;
    bool stranger;
};

struct admission;
/* The limits are copied. NULL without memory. */
struct admission *admission_new(const struct admission_limits *l);
void admission_free(struct admission *a);
/* The addresses that are known by name, in place of those named before; ports do not count.
 * ERR_NOMEM: those of before stay. */
int admission_name(struct admission *a, const struct net_addr *addrs, size_t n) MUST_USE;

enum admission_answer admission_enter(struct admission *a, const struct net_addr *from,
                                      int64_t now_ms, struct admission_pass *pass);
void admission_leave(struct admission *a, struct admission_pass *pass);
/* What came over the connection is from somebody who belongs here. */
void admission_good(struct admission *a, struct admission_pass *pass, int64_t now_ms);
/* What came was refused. True: strangers are over their limits, and the connection had better end.
 */
bool admission_bad(struct admission *a, struct admission_pass *pass, int64_t now_ms);
/* Connections that were not let in so far. */
uint64_t admission_shed(const struct admission *a);

#endif
