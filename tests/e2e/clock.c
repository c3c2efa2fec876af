/*
 * Preloaded: the wall clock of a process, moved by a file that TEST_CLOCK names, for all processes
 * that share it at once. The file is a struct setting; the clock that cannot be set is as it is.
 * It is mapped before a process narrows itself, and read without a call.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* wall = real + ahead + (real - since) * (rate - 1), in nanoseconds */
struct slot {
    int64_t ahead, since, rate;
};
struct setting {
    _Atomic uint64_t current; /* which of the two holds */
    struct slot slot[2];
};

static const struct setting *setting;

__attribute__((constructor)) static void map_setting(void)
{
    const char *path = getenv("TEST_CLOCK");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    void *p = mmap(NULL, sizeof *setting, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    setting = p == MAP_FAILED ? NULL : p;
}

static int64_t wall(void)
{
    struct timespec t;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
    int64_t real = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    if (setting == NULL)
        return real;
    const struct slot *s = &setting->slot[atomic_load(&setting->current) & 1];
    return real + s->ahead + (real - s->since) * (s->rate - 1);
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)
        return (int)syscall(SYS_clock_gettime, id, out);
    int64_t now = wall();
    out->tv_sec = now / 1000000000;
    out->tv_nsec = now % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    int64_t now = wall();
    (void)zone;
    out->tv_sec = now / 1000000000;
    out->tv_usec = now % 1000000000 / 1000;
    return 0;
}

time_t time(time_t *out)
{
    time_t now = wall() / 1000000000;
    if (out != NULL)
        *out = now;
    return now;
}
