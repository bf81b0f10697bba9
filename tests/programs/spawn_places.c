/*
 * spawn_places HOW PROGRAM: starts a program by posix_spawn(3) with an action that changes to the directory
 * "there", in the way that HOW says. PROGRAM is relative to that directory or, with -p after HOW, a name that is
 * looked for in PATH. Prints what posix_spawn() returns, or the program's status.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static posix_spawn_file_actions_t actions;
static int error;

static void move_to(const char *directory)
{
    error = error != 0 ? error : posix_spawn_file_actions_addchdir_np(&actions, directory);
}

static void move_to_fd(int fd)
{
    error = error != 0 ? error : posix_spawn_file_actions_addfchdir_np(&actions, fd);
}

static void open_in_child(int fd, const char *path)
{
    error = error != 0 ? error : posix_spawn_file_actions_addopen(&actions, fd, path, O_RDONLY | O_DIRECTORY, 0);
}

static void duplicate(int from, int to)
{
    error = error != 0 ? error : posix_spawn_file_actions_adddup2(&actions, from, to);
}

static int add(const char *how)
{
    char absolute[4096];
    if (getcwd(absolute, sizeof absolute - 6) == NULL)
        return 97;
    strcat(absolute, "/there");
    if (strcmp(how, "path") == 0)
        move_to("there");
    else if (strcmp(how, "absolute") == 0)
        move_to(absolute);
    else if (strcmp(how, "steps") == 0) {
        move_to("there/below");
        duplicate(1, 40);
        move_to("..");
    } else if (strcmp(how, "back") == 0) {
        move_to("/");
        move_to("/usr/bin");
        move_to(absolute);
    } else if (strcmp(how, "fd") == 0)
        move_to_fd(open("there", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    else if (strcmp(how, "below-fd") == 0) {
        move_to_fd(open(".", O_PATH | O_DIRECTORY));
        move_to("there");
    } else if (strcmp(how, "opened") == 0) {
        move_to("there");
        open_in_child(50, "below/..");
        move_to("/");
        duplicate(50, 51);
        open_in_child(50, "/");
        move_to_fd(51);
    } else if (strcmp(how, "missing") == 0) {
        move_to("nowhere");
    } else if (strcmp(how, "closed") == 0) {
        move_to_fd(60);
    }
    return error;
}

int main(int argc, char **argv)
{
    int search = argc == 4 && strcmp(argv[2], "-p") == 0, status;
    char *const arguments[] = {(char *)(uintptr_t) "program", NULL};
    pid_t pid = -1;
    if (argc < 3 || posix_spawn_file_actions_init(&actions) != 0 || add(argv[1]) != 0)
        return 98;
    error = search ? posix_spawnp(&pid, argv[3], &actions, NULL, arguments, environ)
                   : posix_spawn(&pid, argv[2], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        printf("%s\n", strerrorname_np(error));
    else if (waitpid(pid, &status, 0) == pid)
        printf("%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return 0;
}
