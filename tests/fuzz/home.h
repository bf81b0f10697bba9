/* A home of the target's own, in a network of its own where the system allows one. */
#ifndef FUZZ_HOME_H
#define FUZZ_HOME_H

#include "fuzz.h"

#include "lease/home.h"

#include <sched.h>

static char fuzz_directory[] = "/tmp/portshim-fuzz.XXXXXX";
static pid_t fuzz_maker;

__attribute__((unused)) static void fuzz_remove_home(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", fuzz_directory);
    if (getpid() == fuzz_maker && system(command) != 0)
        fprintf(stderr, "%s is left\n", fuzz_directory);
}

/* Opens it; it is removed when the process exits. */
__attribute__((unused)) static void fuzz_open_home(struct home *home)
{
    static char variable[64];
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        fprintf(stderr, "no network of its own: the host's ports are probed\n");
    must(mkdtemp(fuzz_directory) != NULL);
    fuzz_maker = getpid();
    atexit(fuzz_remove_home);
    snprintf(variable, sizeof variable, "PORTSHIM_HOME=%s/home", fuzz_directory);
    must(home_open(home, (char *[]){variable, NULL}) == 0);
}

#endif
