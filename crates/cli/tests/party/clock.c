/* Sets the clock of a process by some seconds, for tests: loaded before the C library (LD_PRELOAD).
 * Time that passes and is not dated stays as it is. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int (*original)(clockid_t, struct timespec *);
static long ahead;

__attribute__((constructor)) static void begin(void)
{
    const char *seconds = getenv("PARTY_CLOCK_AHEAD");
    ahead = seconds ? atol(seconds) : 0;
    original = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
}

int clock_gettime(clockid_t which, struct timespec *time)
{
    if (!original)
        begin();
    int result = original(which, time);
    if (result == 0 && which == CLOCK_REALTIME)
        time->tv_sec += ahead;
    return result;
}
