/* Who is let in, where a server has limits for strangers (net/admission.h). */
#include "net/http_link.h"

#include <sys/socket.h>
#include <unistd.h>

#define REST_AFTER                                                                                 \
    16              /* turned away, about in a row: then more of them wait in the kernel's queue, */
#define REST_MS 20  /* for so long */
#define LOOK_MAX 64 /* strangers looked at for one to be sent away */

/* --- the queue of strangers --- */

static void enqueue(struct http_link *k)
{
    struct http_server *s = k->server;
    k->earlier = s->newest;
    k->later = NULL;
    if (s->newest != NULL)
        s->newest->later = k;
    else
        s->oldest = k;
    s->newest = k;
}

static void unqueue(struct http_link *k)
{
    struct http_server *s = k->server;
    if (k->earlier == NULL && s->oldest != k)
        return; /* not in it */
    if (k->earlier != NULL)
        k->earlier->later = k->later;
    else
        s->oldest = k->later;
    if (k->later != NULL)
        k->later->earlier = k->earlier;
    else
        s->newest = k->earlier;
    k->earlier = k->later = NULL;
}

/* The stranger that has been here longest without a request in work. */
static bool send_one_away(struct http_server *s)
{
    struct http_link *k = s->oldest;
    for (int i = 0; i < LOOK_MAX && k != NULL; i++, k = k->later) {
        if (k->closing || (k->x != NULL && k->x->phase != HTTP_PHASE_HEAD))
            continue;
        http_door_out(k);
        k->closing = true;
        conn_abort(k->conn);
        return true;
    }
    return false;
}

/* --- coming --- */

/* A reset: the least work for both, and nothing is left of it. */
static void turn_away(struct http_server *s, int fd)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    if (++s->turned_away < REST_AFTER)
        return;
    s->turned_away = 0;
    listener_rest(s->listener, REST_MS);
}

bool http_door_open(struct http_server *s, int fd, struct admission_pass *pass)
{
    struct net_addr from = {.len = sizeof from.sa};
    int64_t now_ms = loop_mono_ms(s->loop);
    *pass = (struct admission_pass){NULL, false};
    if (s->admission == NULL)
        return true;
    if (getpeername(fd, (struct sockaddr *)&from.sa, &from.len) < 0) {
        close(fd); /* gone already */
        return false;
    }
    enum admission_answer answer = admission_enter(s->admission, &from, now_ms, pass);
    if (answer == ADMISSION_FULL && send_one_away(s))
        answer = admission_enter(s->admission, &from, now_ms, pass);
    if (answer != ADMISSION_YES) {
        turn_away(s, fd);
        return false;
    }
    if (s->turned_away > 0)
        s->turned_away--;
    return true;
}

void http_door_shut(struct http_server *s, struct admission_pass *pass)
{
    if (s->admission != NULL)
        admission_leave(s->admission, pass);
}

void http_door_in(struct http_link *k, const struct admission_pass *pass)
{
    k->pass = *pass;
    if (pass->stranger)
        enqueue(k);
}

/* --- going, and what is known of who is there --- */

void http_door_out(struct http_link *k)
{
    if (k->server->admission == NULL)
        return;
    unqueue(k);
    admission_leave(k->server->admission, &k->pass);
}

void http_door_good(struct http_link *k)
{
    if (k->server->admission == NULL)
        return;
    unqueue(k);
    admission_good(k->server->admission, &k->pass, loop_mono_ms(k->server->loop));
}

bool http_door_bad(struct http_link *k)
{
    struct http_server *s = k->server;
    return s->admission != NULL && admission_bad(s->admission, &k->pass, loop_mono_ms(s->loop));
}
