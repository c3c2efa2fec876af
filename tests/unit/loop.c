#include "net/loop.h"
#include "test.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static char log_text[256];
static struct loop *loop;

static void note(void *ctx)
{
    strncat(log_text, ctx, sizeof log_text - strlen(log_text) - 1);
}

static void stop(void *ctx)
{
    (void)ctx;
    loop_stop(loop);
}

static void begin(void)
{
    log_text[0] = 0;
    loop = loop_new();
    CHECK(loop != NULL);
}

TEST(timers_fire_in_order_of_time_and_not_when_cancelled)
{
    begin();
    CHECK(loop_timer_start(loop, 30, note, "c") != NULL);
    CHECK(loop_timer_start(loop, 10, note, "a") != NULL);
    struct loop_timer *t = loop_timer_start(loop, 15, note, "x");
    CHECK(loop_timer_start(loop, 20, note, "b") != NULL);
    CHECK(loop_timer_start(loop, 40, stop, NULL) != NULL);
    loop_timer_cancel(t);
    loop_timer_cancel(NULL);
    int64_t before = loop_mono_ms(loop);
    loop_run(loop);
    CHECK_STR(log_text, "abc");
    CHECK(loop_mono_ms(loop) - before >= 39);
    loop_free(loop);
}

static void defer_again(void *ctx)
{
    note("1");
    loop_defer(loop, note, ctx);
}

static void in_timer(void *ctx)
{
    (void)ctx;
    loop_defer(loop, defer_again, "2");
    loop_defer(loop, stop, NULL);
    note("0");
}

TEST(deferred_calls_run_at_the_end_of_the_turn)
{
    begin();
    CHECK(loop_timer_start(loop, 0, in_timer, NULL) != NULL);
    loop_run(loop);
    CHECK_STR(log_text, "012");
    loop_free(loop);
}

static int rounds;

static void defer_forever(void *ctx)
{
    rounds++;
    loop_defer(loop, defer_forever, ctx);
}

TEST(calls_that_defer_themselves_do_not_starve_timers)
{
    begin();
    rounds = 0;
    loop_defer(loop, defer_forever, NULL);
    CHECK(loop_timer_start(loop, 5, stop, NULL) != NULL);
    loop_run(loop);
    CHECK(rounds > 10);
    loop_free(loop);
}

static int pair[2];
static struct loop_fd *watched;

static void readable(void *ctx, bool r, bool w)
{
    (void)ctx, (void)w;
    char c;
    if (r && recv(pair[0], &c, 1, MSG_DONTWAIT) == 1) {
        note(c == 'q' ? "q" : "?");
        loop_fd_free(watched);
        loop_stop(loop);
    }
}

static void send_q(void *ctx)
{
    (void)ctx;
    CHECK_INT(send(pair[1], "q", 1, 0), 1);
}

TEST(a_descriptor_tells_when_it_is_readable_and_may_be_freed_in_its_callback)
{
    begin();
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    watched = loop_fd_new(loop, pair[0], readable, NULL);
    CHECK(watched != NULL);
    loop_fd_want(watched, true, false);
    CHECK(loop_timer_start(loop, 5, send_q, NULL) != NULL);
    loop_run(loop);
    CHECK_STR(log_text, "q");
    loop_free(loop);
    close(pair[0]);
    close(pair[1]);
}

static void kill_self(void *ctx)
{
    (void)ctx;
    kill(getpid(), SIGUSR1);
}

static void got_signal(void *ctx)
{
    note(ctx);
    if (strlen(log_text) == 2)
        loop_stop(loop);
    else
        kill_self(NULL);
}

TEST(a_signal_is_told_each_time)
{
    begin();
    CHECK_INT(loop_signal(loop, SIGUSR1, got_signal, "s"), 0);
    CHECK(loop_timer_start(loop, 1, kill_self, NULL) != NULL);
    loop_run(loop);
    CHECK_STR(log_text, "ss");
    loop_free(loop);
}

static void owned_freed(struct loop_owned *o)
{
    (void)o;
    note("f");
}

TEST(what_is_still_owned_is_freed_with_the_loop)
{
    begin();
    struct loop_owned a = {0}, b = {0}, c = {0};
    loop_own(loop, &a, owned_freed);
    loop_own(loop, &b, owned_freed);
    loop_own(loop, &c, owned_freed);
    loop_disown(&b);
    loop_disown(&b);
    loop_free(loop);
    CHECK_STR(log_text, "ff");
}

static void note_end(void *ctx)
{
    note(ctx);
}

static void stop_then_defer(void *ctx)
{
    loop_stop(ctx);
    loop_defer(ctx, note_end, "e");
}

/* Whoever asked for the end of a turn may be gone when the loop is freed. */
TEST(the_turn_that_stops_the_loop_ends_before_run_returns)
{
    begin();
    CHECK(loop_timer_start(loop, 1, stop_then_defer, loop) != NULL);
    loop_run(loop);
    CHECK_STR(log_text, "e");
    loop_free(loop);
    CHECK_STR(log_text, "e");
}
