#include "calls/trapped.h"

#include "base/kernel.h"
#include "base/text.h"
#include "process/attach.h"
#include "process/borrow.h"
#include "process/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    FIRST_WORDS = 5,      /* before ARG0 */
    NUMBER_SIZE = 12,     /* of an int's digits, its sign and a terminator */
    WORDS_ON_STACK = 2048 /* a thread's stack may have 16 KiB */
};

/* Whether the path is looked up by way of the descriptor. */
static bool uses_dirfd(const struct trapped *program)
{
    return program->dirfd != AT_FDCWD && *program->path != '/';
}

static bool is_close_on_exec(int fd)
{
    long flags = kernel_call(SYS_fcntl, fd, F_GETFD);
    return flags >= 0 && (flags & FD_CLOEXEC) != 0;
}

bool trapped_will_fail(const struct trapped *program, int dirfd, const char *path)
{
    /* An interpreter cannot open a script by a descriptor that is closed: ENOENT. */
    if (program->is_script && uses_dirfd(program) && is_close_on_exec(program->dirfd))
        return true;
    long error = kernel_call(SYS_execveat, dirfd, path, program->argv, program->environment,
                             program->flags | AT_EXECVE_CHECK);
    if (error != -EINVAL && error != -ENOSYS && error != -EPERM)
        return error < 0;
    /* Such a check is not known here, or nobody may use that call. */
    return faccessat(dirfd, path, X_OK, AT_EACCESS | program->flags) < 0;
}

/* The number of arguments without the NULL at the end; SIZE_MAX when they cannot be read. */
static size_t count_arguments(char *const argv[])
{
    if (argv == NULL) /* Linux takes that for none */
        return 0;
    for (size_t count = 0;; count++) {
        char *const *at = argv + count;
        bool new_page = count == 0 || ((uintptr_t)at & 4095) < sizeof *at;
        if (new_page && !memory_is_readable(at, sizeof *at))
            return SIZE_MAX;
        if (*at == NULL)
            return count;
    }
}

static size_t words_size(const struct trapped *program, size_t count)
{
    return (FIRST_WORDS + count + 1) * sizeof(char *) + 2 * (size_t)NUMBER_SIZE +
           program->trap->command_length + 1;
}

/* execve(2) and the program's own array have pointers to char, but never write through them. */
static char *word(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

/* Writes the words into space[words_size()], and behind them the path of portshim, which is returned. */
static const char *write_words(const struct trapped *program, size_t count, bool closes, char **words)
{
    char *numbers = (char *)(words + FIRST_WORDS + count + 1);
    struct text dirfd = text_in(numbers, NUMBER_SIZE);
    struct text flags = text_in(numbers + NUMBER_SIZE, NUMBER_SIZE);
    struct text command = text_in(numbers + 2 * NUMBER_SIZE, program->trap->command_length + 1);
    if (uses_dirfd(program))
        text_uint(&dirfd, (unsigned)program->dirfd);
    else
        text_char(&dirfd, '-');
    text_uint(&flags, (unsigned)program->flags | (closes ? TRAPPED_CLOSES : 0));
    text_bytes(&command, program->trap->command, program->trap->command_length);
    *words++ = word("portshim");
    *words++ = word("trapped");
    *words++ = dirfd.at;
    *words++ = flags.at;
    *words++ = word(program->path);
    if (count > 0)
        memcpy(words, program->argv, count * sizeof *words);
    words[count] = NULL;
    return command.at;
}

/* Whether it has worked; an exec that has does not return. */
static bool launch(const struct trapped *program, const char *portshim, char *const words[])
{
    const struct start_spawn *spawn = program->spawn;
    const struct next *libc = next();
    if (spawn == NULL)
        return BEHIND(libc, execve)(portshim, words, program->environment) == 0;
    return BEHIND(libc, posix_spawn)(spawn->pid, portshim, spawn->actions, spawn->attributes, words,
                                     program->environment) == 0;
}

static bool launch_with_words(const struct trapped *program, bool closes)
{
    size_t count = count_arguments(program->argv);
    if (count == SIZE_MAX)
        return false;
    size_t size = words_size(program, count);
    void *borrowed = size > WORDS_ON_STACK ? borrow(size) : NULL;
    if (size > WORDS_ON_STACK && borrowed == NULL)
        return false;
    char **words = borrowed != NULL ? borrowed : __builtin_alloca(size);
    const char *portshim = write_words(program, count, closes, words);
    bool good = launch(program, portshim, words);
    borrow_return(borrowed);
    return good;
}

/* The descriptor is closed by the second exec, not by the first. */
static bool launch_by_descriptor(const struct trapped *program)
{
    bool closes = is_close_on_exec(program->dirfd);
    if (closes)
        kernel_call(SYS_fcntl, program->dirfd, F_SETFD, 0);
    bool good = launch_with_words(program, closes);
    if (closes)
        kernel_call(SYS_fcntl, program->dirfd, F_SETFD, FD_CLOEXEC);
    return good;
}

/* Whether the path may mean something else in portshim, as /proc/self/exe does. */
static bool is_of_process(const char *path)
{
    return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/dev/fd/", 8) == 0;
}

/* Opens the program at such a path, and tells portshim the descriptor. A script's interpreter needs the path,
 * and in a child of posix_spawn(3) the descriptor might not be there. */
static bool launch_opened(const struct trapped *program)
{
    struct trapped opened = *program;
    if (program->is_script || program->spawn != NULL)
        return false;
    opened.dirfd = (int)kernel_call(SYS_openat, AT_FDCWD, program->path, O_PATH | O_CLOEXEC);
    opened.path = "";
    opened.flags = AT_EMPTY_PATH;
    bool good = opened.dirfd >= 0 && launch_by_descriptor(&opened);
    kernel_close(opened.dirfd);
    return good;
}

bool trapped_start(const struct trapped *program)
{
    if (is_of_process(program->path))
        return launch_opened(program);
    return uses_dirfd(program) ? launch_by_descriptor(program) : launch_with_words(program, false);
}
