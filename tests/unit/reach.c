/* Whether the library will reach a program: program/reach.h. The kernel is asked whether that is true. */
#include "directory.h"

#include "program/reach.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

enum { DYNAMIC_COPY = 42, SOMEBODY = 65534 };

/* A copy of this program, when a test starts it, says what the kernel has made of it. */
__attribute__((constructor)) static void say_how_it_was_started(void)
{
    if (getenv("UNIT_COPY") != NULL)
        _exit(DYNAMIC_COPY + (getauxval(AT_SECURE) != 0));
}

static char place_buffer[PATH_MAX];

static void write_script(const char *name, const char *interpreter)
{
    FILE *out = fopen(name, "w");
    check(out != NULL, "%s", name);
    fprintf(out, "#!%s\n", interpreter);
    fclose(out);
    check(chmod(name, 0755) == 0, "%s", name);
}

static void copy_this_program(const char *name)
{
    struct stat st;
    int self = open("/proc/self/exe", O_RDONLY), copy = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    check(fstat(self, &st) == 0 && sendfile(copy, self, NULL, (size_t)st.st_size) == st.st_size, "%s", name);
    check(fchmod(copy, 0755) == 0, "%s", name);
    close(self);
    close(copy);
}

/* Starts it where the caller is: its status, or 0 when the kernel does not start it. */
static int started(const char *path)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        setenv("UNIT_COPY", "1", 1);
        execl(path, path, NULL);
        _exit(0);
    }
    check(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "%s", path);
    return WEXITSTATUS(status);
}

TEST("a chain of scripts is followed as far as the kernel follows it, relative interpreters from the place")
{
    enter_new_directory();
    copy_this_program("program");
    check(mkdir("sub", 0755) == 0, "sub");
    int top = open(".", O_DIRECTORY), sub = open("sub", O_DIRECTORY);
    for (unsigned round = 0; round < 60; round++) {
        unsigned scripts = below(9);
        char path[64], next[64];
        snprintf(path, sizeof path, "%s/program", below(2) == 0 ? directory : "..");
        for (unsigned i = 0; i < scripts; i++) {
            snprintf(next, sizeof next, "%s/script%u", directory, i);
            write_script(next, path);
            snprintf(path, sizeof path, "%s/script%u", below(2) == 0 ? directory : "..", i);
        }
        check(fchdir(sub) == 0, "sub");
        bool starts = started(path) == DYNAMIC_COPY;
        equal(starts, scripts <= SCRIPT_DEPTH);
        struct place here = {.dirfd = AT_FDCWD}, there = {.dirfd = top, .path = place_buffer, .length = 4};
        struct reach reach;
        strcpy(place_buffer, "sub/");
        bool is_here = below(2) == 0;
        check(is_here || chdir("/") == 0, "/");
        reach_judge(&reach, is_here ? AT_FDCWD : sub, path, 0,
                    &(struct reach_asker){.place = is_here ? &here : &there});
        equal(reach.kind, starts ? PROGRAM_DYNAMIC : PROGRAM_UNKNOWN);
        if (starts)
            equal_text(strrchr(reach.path, '/'), "/program");
    }
}

TEST("where the place cannot be told, a relative interpreter cannot be, and an absolute one can")
{
    enter_new_directory();
    char absolute[PATH_MAX];
    struct place hidden = {.dirfd = AT_FDCWD, .is_hidden = true};
    struct reach reach;
    copy_this_program("program");
    write_script("script", "./program");
    check(geteuid() != 0 || (chown("script", SOMEBODY, SOMEBODY) == 0 && chmod("script", 06755) == 0),
          "script");
    reach_judge(&reach, AT_FDCWD, "script", 0, &(struct reach_asker){.place = &hidden});
    equal(reach.kind, PROGRAM_UNKNOWN);
    equal(reach.is_privileged, false);
    check(reach.path == NULL, "%s", reach.path);
    snprintf(absolute, sizeof absolute, "%s/program", directory);
    write_script("script", absolute);
    reach_judge(&reach, AT_FDCWD, "script", 0, &(struct reach_asker){.place = &hidden});
    equal(reach.kind, PROGRAM_DYNAMIC);
    equal_text(reach.path, absolute);
}

TEST("what is not there, is no regular file or cannot be opened is unknown, and a pipe is not waited for")
{
    enter_new_directory();
    struct reach reach;
    check(mkdir("directory", 0755) == 0 && mkfifo("pipe", 0755) == 0, "%s", strerror(errno));
    write_script("script", "pipe");
    static const char *const names[] = {"none", "directory", "pipe", "script", "/dev/null", "script/none"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        reach_judge_here(&reach, names[i]);
        equal(reach.kind, PROGRAM_UNKNOWN);
        equal(reach.is_privileged, false);
    }
}

TEST("an open file is judged by its descriptor, also one that is open with O_PATH")
{
    enter_new_directory();
    copy_this_program("program");
    struct place here = {.dirfd = AT_FDCWD};
    static const int flags[] = {O_RDONLY, O_PATH};
    for (unsigned i = 0; i < 2; i++) {
        struct reach reach;
        int fd = open("program", flags[i]);
        reach_judge(&reach, fd, "", AT_EMPTY_PATH, &(struct reach_asker){.place = &here});
        equal(reach.kind, PROGRAM_DYNAMIC);
    }
    int fd = open(".", O_PATH);
    struct reach reach;
    reach_judge(&reach, fd, "program", 0, &(struct reach_asker){.place = &here});
    equal(reach.kind, PROGRAM_DYNAMIC);
    check(symlink("program", "link") == 0, "link");
    reach_judge(&reach, fd, "link", AT_SYMLINK_NOFOLLOW, &(struct reach_asker){.place = &here});
    equal(reach.kind, PROGRAM_UNKNOWN);
}

static bool knows_a_file(const void *memory, struct reach *reach)
{
    const struct stat *file = memory;
    if (reach->file.st_ino != file->st_ino || reach->file.st_dev != file->st_dev)
        return false;
    reach->kind = PROGRAM_GO;
    return true;
}

TEST("what the asker knows is not read")
{
    enter_new_directory();
    struct stat file;
    struct reach reach;
    struct place here = {.dirfd = AT_FDCWD};
    copy_this_program("program");
    write_script("script", "./program");
    write_script("other", "./script");
    struct reach_asker asker = {.place = &here, .knows = knows_a_file, .memory = &file};
    check(stat("program", &file) == 0, "program");
    reach_judge(&reach, AT_FDCWD, "other", 0, &asker);
    equal(reach.kind, PROGRAM_GO);
    check(stat("script", &file) == 0, "script");
    reach_judge(&reach, AT_FDCWD, "other", 0, &asker);
    equal(reach.kind, PROGRAM_GO);
    equal_text(reach.path, "./script");
}

/* A file capability that is in force at once, as setcap(8) writes it; false where there are none. */
static bool give_capability(const char *name)
{
    const uint32_t capability[] = {0x02000001, 1 << 10, 0, 0, 0}; /* little-endian, CAP_NET_BIND_SERVICE */
    return setxattr(name, "security.capability", capability, sizeof capability, 0) == 0;
}

/* Whether, for this user, what is said of a program is what the kernel does when it is started. */
static bool is_true(const char *path, uid_t user, bool no_new_privs)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct reach reach;
        if (geteuid() != user && (setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0))
            _exit(1);
        if (no_new_privs)
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        reach_judge_here(&reach, path);
        int how = started(path);
        _exit(how != 0 &&
              (reach.kind != PROGRAM_DYNAMIC || reach.is_privileged != (how == DYNAMIC_COPY + 1)));
    }
    return waitpid(pid, &status, 0) == pid && status == 0;
}

TEST("a program is privileged when the kernel makes its start a secure one")
{
    static const mode_t modes[] = {0755, 04755, 02755, 02745, 06755};
    struct statvfs system;
    enter_new_directory();
    check(statvfs(".", &system) == 0, "%s", directory);
    if ((system.f_flag & ST_NOSUID) != 0)
        return; /* nothing is privileged here */
    bool is_root = geteuid() == 0;
    for (unsigned round = 0; round < 200; round++) {
        uid_t owner = is_root && below(2) == 0 ? SOMEBODY : geteuid();
        gid_t group = is_root && below(2) == 0 ? SOMEBODY : getegid();
        mode_t mode = modes[below(5)];
        unlink("program");
        copy_this_program("program");
        write_script("script", "./program");
        check(chown("program", owner, group) == 0 && chmod("program", mode) == 0, "program");
        check(chmod("script", 06755) == 0, "script");
        bool capable = is_root && below(4) == 0 && give_capability("program"), no_new_privs = below(3) == 0;
        uid_t user = is_root && below(2) == 0 ? SOMEBODY : geteuid();
        check(is_true(below(2) == 0 ? "./program" : "./script", user, no_new_privs),
              "for user %u%s: owner %u, group %u, mode %o%s", (unsigned)user,
              no_new_privs ? " without new privileges" : "", (unsigned)owner, (unsigned)group, (unsigned)mode,
              capable ? ", a capability" : "");
    }
}
