/* A network of the test's own. */
#ifndef UNIT_NETWORK_H
#define UNIT_NETWORK_H

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where none can be had, ends the test and says so. */
static inline void enter_own_network(void)
{
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        printf("# skipped: no network of its own: %s\n", strerror(errno));
        exit(0);
    }
}

#endif
