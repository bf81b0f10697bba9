/* A user of libportmap, which a test makes set-user-ID or the like: prints the pool, and a port that it picks. */
#include "portmap.h"

#include <stdio.h>
#include <sys/auxv.h>

int main(void)
{
    static unsigned short ports[65536];
    char problem[256] = "";
    int count = portmap_pool(ports, 65536, problem, sizeof problem);
    printf("secure %lu\npool %d %s\n", getauxval(AT_SECURE), count, problem);
    printf("port %d\n", portmap_pick(0));
    return 0;
}
