/*
 * forks_on: forks, and its parent ends, again and again: a process that has another pid whenever somebody looks.
 * Ignores SIGTERM. Ends by itself after ten seconds.
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
    time_t end = time(NULL) + 10;
    signal(SIGTERM, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    while (time(NULL) < end)
        if (fork() > 0)
            _exit(0);
    return 0;
}
