/* A directory of the test's own. */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include "unit.h"

#include <sys/stat.h>

static char directory[] = "/tmp/portshim-unit.XXXXXX";

static void remove_directory(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    if (system(command) != 0)
        printf("# %s is left\n", directory);
}

/* Makes it the working directory; it is removed when the test ends. */
static void enter_new_directory(void)
{
    check(mkdtemp(directory) != NULL && chmod(directory, 0755) == 0 && chdir(directory) == 0, "%s",
          directory);
    atexit(remove_directory);
}

#endif
