/* Waiting until a thread sleeps in a call, so that what then disturbs the call is sure to find it there. */
#ifndef TESTS_ASLEEP_H
#define TESTS_ASLEEP_H

#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { ASLEEP_PATIENCE_MS = 50000, ASLEEP_LOOKS = 10 };

static inline long asleep_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The thread's state as /proc/PID/stat has it, '?' if that cannot be read. */
static inline char asleep_state(pid_t thread)
{
    char path[64], state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)thread);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%*d %*s %c", &state) != 1)
            state = '?';
        fclose(file);
    }
    return state;
}

/*
 * Waits until a thread of this program sleeps: it has made its call. Of a trapped one that is not enough:
 * until its supervisor has received the call, any signal ends that, and if its handler has SA_RESTART the
 * kernel makes the call again, also one with a time limit. The supervisor receives calls in their order, so
 * it has received that one when it has answered one more.
 */
static inline void until_asleep(pid_t thread)
{
    int seen = 0;
    long began = asleep_milliseconds();
    while (seen < ASLEEP_LOOKS && asleep_milliseconds() < began + ASLEEP_PATIENCE_MS) {
        char state = asleep_state(thread);
        seen = state == 'S' || state == 'D' ? seen + 1 : 0;
        usleep(5000);
    }
    bind(-1, NULL, 0);
}

#endif
