/*
 * Stands in for the command portshim where a test says so in PORTSHIM_COMPACT, started as `portshim trapped`.
 * Adds a line with its arguments to a file beside it, and executes the program without a trap.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLOSES = 1 << 30 };

extern char **environ;

static void tell(int argc, char **argv)
{
    char name[PATH_MAX + 8];
    ssize_t len = readlink("/proc/self/exe", name, PATH_MAX);
    if (len < 0)
        return;
    strcpy(name + len, ".told");
    FILE *file = fopen(name, "a");
    if (file == NULL)
        return;
    for (int i = 0; i < argc && i < 20; i++)
        fprintf(file, "%s%s", i > 0 ? " " : "", argv[i]);
    fputs(getenv("PORTSHIM_RUN") == NULL ? " without a run\n" : "\n", file);
    fclose(file);
}

int main(int argc, char **argv)
{
    tell(argc, argv);
    if (argc < 5 || strcmp(argv[1], "trapped") != 0)
        return 125;
    int dirfd = *argv[2] == '-' ? AT_FDCWD : atoi(argv[2]), flags = atoi(argv[3]);
    if ((flags & CLOSES) != 0)
        fcntl(dirfd, F_SETFD, FD_CLOEXEC);
    execveat(dirfd, argv[4], argv + 5, environ, flags & ~CLOSES);
    fprintf(stderr, "%s: %s\n", argv[4], strerror(errno));
    return errno == ENOENT ? 127 : 126;
}
