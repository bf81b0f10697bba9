#include "run/voice.h"

#include "base/kernel.h"
#include "base/problem.h"
#include "base/text.h"
#include "run/sighting.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <termios.h>

#ifndef RWF_NOWAIT /* since Linux 4.13 */
#define RWF_NOWAIT 8
#endif

enum kind { KIND_NONE, KIND_TERMINAL, KIND_PIPE, KIND_FILE };

enum { LINE_SIZE = 1024 };

_Static_assert(LINE_SIZE <= PIPE_BUF, "a write to a pipe is not divided");

/* Devices of this major number are no terminals themselves but name one, which depends on who asks: /dev/tty,
 * /dev/console, /dev/ptmx (TTYAUX_MAJOR, include/uapi/linux/major.h). */
enum { NAMES_OF_TERMINALS = 5 };

/* A device may be a terminal or not. */
static enum kind kind_of(const struct kernel_file *file)
{
    if (S_ISFIFO(file->mode))
        return KIND_PIPE;
    if (S_ISREG(file->mode))
        return file->born != 0 ? KIND_FILE : KIND_NONE;
    return S_ISCHR(file->mode) && major(file->special) != NAMES_OF_TERMINALS ? KIND_TERMINAL : KIND_NONE;
}

/* How the terminal's lines are read; false when it is no terminal. */
static bool read_modes(int fd, struct termios *modes)
{
    return kernel_call(SYS_ioctl, fd, TCGETS, modes) == 0;
}

uint32_t voice_filters(void)
{
    static const char name[] = "\nSeccomp_filters:\t";
    char text[3072]; /* the field comes after a list of groups */
    uint64_t filters = 0;
    int fd = kernel_open(AT_FDCWD, "/proc/self/status");
    long size = fd >= 0 ? kernel_call(SYS_read, fd, text, sizeof text - 1) : 0;
    kernel_close(fd);
    text[size > 0 ? size : 0] = '\0';
    const char *at = strstr(text, name);
    if (at != NULL) {
        at += sizeof name - 1;
        text_take_uint(&at, text + size, UINT32_MAX, &filters);
    }
    return (uint32_t)filters;
}

/* Whether no filter is in force. To ask so costs a tenth of reading /proc, but a filter that a program has
 * installed may kill for it: only for `portshim run` itself. */
static bool is_unfiltered(void)
{
    return kernel_call(SYS_prctl, PR_GET_SECCOMP, 0L, 0L, 0L, 0L) == 0;
}

void voice_take(struct map_head *head)
{
    struct kernel_file file;
    struct termios modes;
    if (kernel_identify(SPEAKER_SELF.fd, &file) < 0)
        return;
    enum kind kind = kind_of(&file);
    if (kind == KIND_TERMINAL && !read_modes(SPEAKER_SELF.fd, &modes))
        return;
    head->stderr_file = (struct map_stderr){.device = file.device,
                                            .inode = file.inode,
                                            .born = file.born,
                                            .kind = (uint32_t)kind,
                                            .filters = is_unfiltered() ? 0 : voice_filters()};
}

/* Whether the descriptor is of the file. `device` is that of a device file. */
static bool is_file(int fd, const struct map_stderr *wanted, dev_t *device)
{
    struct kernel_file file;
    if (kernel_identify(fd, &file) < 0)
        return false;
    *device = (dev_t)file.special;
    return kind_of(&file) == wanted->kind && file.device == wanted->device && file.inode == wanted->inode &&
           file.born == wanted->born;
}

/* Whether another process's terminal is this device, and the process in its foreground (proc(5), stat). */
static bool is_other_in_front(pid_t process, dev_t device)
{
    enum { PARENT, GROUP, SESSION, TERMINAL, FOREGROUND, FIELDS };
    char path[32], line[512];
    uint64_t fields[FIELDS] = {0};
    struct text t = text_in(path, sizeof path);
    text_str(&t, "/proc/");
    text_uint(&t, (uint64_t)process);
    text_str(&t, "/stat");
    int len = text_read_once(path, line, sizeof line);
    const char *at = len > 0 ? strrchr(line, ')') : NULL; /* a name may have any characters */
    if (at == NULL || strlen(at) < strlen(") S "))
        return false;
    at += strlen(") S");
    for (unsigned i = 0; i < FIELDS; i++)
        if (*at++ != ' ' || !text_take_uint(&at, line + len, UINT32_MAX, &fields[i]))
            return false; /* no terminal is -1 there */
    return fields[TERMINAL] == (uint32_t)device && fields[GROUP] > 0 && fields[GROUP] == fields[FOREGROUND];
}

static bool is_in_front(struct speaker speaker, dev_t device)
{
    pid_t front = 0;
    if (speaker.process != 0)
        return is_other_in_front(speaker.process, device);
    return kernel_call(SYS_ioctl, speaker.fd, TIOCGPGRP, &front) == 0 && front > 0 &&
           front == kernel_call(SYS_getpgid, 0L);
}

static bool may_disturb(struct speaker speaker, dev_t device)
{
    struct termios modes;
    return read_modes(speaker.fd, &modes) && (modes.c_lflag & ICANON) != 0 && is_in_front(speaker, device);
}

/* Whether a write would not wait, and there is somebody to read it. */
static bool is_writable(int fd)
{
    struct pollfd event = {.fd = fd, .events = POLLOUT};
    const uint64_t at_once[2] = {0}; /* a struct timespec of whatever width the call has */
#ifdef SYS_ppoll
    long ready = kernel_call(SYS_ppoll, &event, 1L, at_once, NULL, 0L);
#else
    long ready = kernel_call(SYS_ppoll_time64, &event, 1L, at_once, NULL, 0L);
#endif
    return ready == 1 && event.revents == POLLOUT;
}

bool voice_may(const struct map *map, const _Atomic uint64_t *word, struct speaker speaker)
{
    const struct map_stderr *wanted = &map->head->stderr_file;
    dev_t device;
    return word != NULL && wanted->kind != KIND_NONE && !sighting_read(word).is_told &&
           is_file(speaker.fd, wanted, &device) &&
           (wanted->kind != KIND_TERMINAL || may_disturb(speaker, device)) && is_writable(speaker.fd);
}

/* A set of signals below 32, as the kernel has it. */
struct signals {
    unsigned long words[8 / sizeof(unsigned long)];
};

static unsigned long bit_of(int number)
{
    return 1UL << (number - 1);
}

/* Takes a signal of this thread that its write(2) has raised. */
static void take_signal(int number)
{
    const struct signals only = {.words = {bit_of(number)}};
    const uint64_t at_once[2] = {0};
#ifdef SYS_rt_sigtimedwait
    kernel_call(SYS_rt_sigtimedwait, &only, NULL, at_once, sizeof only);
#else
    kernel_call(SYS_rt_sigtimedwait_time64, &only, NULL, at_once, sizeof only);
#endif
}

/* Opens the file once more for a write that does not wait: the program's own descriptor must not be changed.
 * A terminal of another user can be opened as /dev/tty: it is the process's own, see is_in_front(). */
static int open_again(struct speaker speaker, const struct map_stderr *file)
{
    const int how = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    struct kernel_file opened;
    char path[32];
    dev_t device;
    struct text t = text_in(path, sizeof path);
    text_str(&t, "/proc/self/fd/");
    text_uint(&t, (unsigned)speaker.fd);
    int fd = (int)kernel_call(SYS_openat, AT_FDCWD, path, how);
    if (fd >= 0 && is_file(fd, file, &device))
        return fd;
    kernel_close(fd);
    if (file->kind != KIND_TERMINAL || speaker.process != 0)
        return -1;
    fd = (int)kernel_call(SYS_openat, AT_FDCWD, "/dev/tty", how);
    if (fd >= 0 && kernel_identify(fd, &opened) == 0 && S_ISCHR(opened.mode) &&
        opened.special == makedev(NAMES_OF_TERMINALS, 0))
        return fd;
    kernel_close(fd);
    return -1;
}

/* One write that does not wait: how many bytes, or a negated errno. */
static long write_at_once(struct speaker speaker, const struct map_stderr *file, const char *line,
                          size_t length)
{
    const struct iovec whole = {(void *)(uintptr_t)line, length};
    long flags = file->kind == KIND_FILE ? O_NONBLOCK : kernel_call(SYS_fcntl, speaker.fd, F_GETFL);
    if (flags < 0 || (flags & O_NONBLOCK) != 0)
        return flags < 0 ? flags : kernel_call(SYS_writev, speaker.fd, &whole, 1L);
    long result = kernel_call(SYS_pwritev2, speaker.fd, &whole, 1L, -1L, -1L, (long)RWF_NOWAIT);
    if (result != -EOPNOTSUPP && result != -ENOSYS && result != -EPERM)
        return result;
    int again = open_again(speaker, file);
    if (again < 0)
        return -EAGAIN;
    result = kernel_call(SYS_writev, again, &whole, 1L);
    kernel_close(again);
    return result;
}

/* The same without a signal. SIGTTOU, were the process moved to the background meanwhile, is not sent while
 * it is blocked. */
static long write_quietly(struct speaker speaker, const struct map_stderr *file, const char *line,
                          size_t length)
{
    const struct signals blocked = {.words = {bit_of(SIGPIPE) | bit_of(SIGXFSZ) | bit_of(SIGTTOU)}};
    struct signals before, pending;
    long result = -EAGAIN;
    if (kernel_call(SYS_rt_sigprocmask, SIG_BLOCK, &blocked, &before, sizeof before) < 0)
        return result;
    /* A pending one and ours would be one: it could not be told whose is taken. */
    if (kernel_call(SYS_rt_sigpending, &pending, sizeof pending) == 0 &&
        (pending.words[0] & (bit_of(SIGPIPE) | bit_of(SIGXFSZ))) == 0)
        result = write_at_once(speaker, file, line, length);
    if (result == -EPIPE || result == -EFBIG)
        take_signal(result == -EPIPE ? SIGPIPE : SIGXFSZ);
    kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    return result;
}

bool voice_say(const struct map *map, _Atomic uint64_t *word, struct speaker speaker, const char *kind,
               const char *what, const char *why, const char *remedy)
{
    char line[LINE_SIZE];
    if (!sighting_claim(word))
        return false;
    size_t length = problem_line(line, sizeof line, kind, what, why, remedy);
    bool is_told = write_quietly(speaker, &map->head->stderr_file, line, length) > 0;
    if (!is_told)
        sighting_disclaim(word);
    return is_told;
}

static bool tell_of_port(const struct map *map, _Atomic uint64_t *word, struct speaker speaker)
{
    const struct sighting s = sighting_read(word);
    char what[96], remedy[32];
    struct text of_what = text_in(what, sizeof what), of_remedy = text_in(remedy, sizeof remedy);
    text_str(&of_what, "port ");
    text_uint(&of_what, s.port);
    text_str(&of_what, ", wanted by ");
    text_str(&of_what, sighting_program_name(map, s.program).text);
    text_str(&of_remedy, "add -p ");
    text_uint(&of_remedy, s.port);
    return voice_say(map, word, speaker, "warning: ", what, "in use, and not listed", remedy);
}

static bool tell_of_program(const struct map *map, _Atomic uint64_t *word, struct speaker speaker)
{
    const struct map_program program = sighting_of_program(map, sighting_read(word));
    const char *before = "the ports of ", *after = " stay as they are";
    char what[96], why[160];
    bool in_part, strict = map->head->strict;
    struct text of_what = text_in(what, sizeof what), of_why = text_in(why, sizeof why);
    const char *remedy = sighting_explain(&program, &of_why, &in_part);
    if (strict)
        before = in_part ? "a call of " : "",
        after = in_part ? " about ports was refused" : " was not started";
    else if (in_part)
        before = "some ports of ";
    text_str(&of_what, before);
    text_str(&of_what, program.name);
    text_str(&of_what, after);
    return voice_say(map, word, speaker, strict ? "" : "warning: ", what, why, remedy);
}

bool voice_tell(const struct map *map, _Atomic uint64_t *word, struct speaker speaker)
{
    if (!voice_may(map, word, speaker))
        return false;
    return sighting_read(word).kind == SIGHTING_EXEC ? tell_of_program(map, word, speaker)
                                                     : tell_of_port(map, word, speaker);
}

void voice_count_told(const struct map *map, _Atomic uint64_t *word, struct speaker speaker)
{
    const struct map_stderr *wanted = &map->head->stderr_file;
    dev_t device;
    if (word != NULL && wanted->kind != KIND_NONE && is_file(speaker.fd, wanted, &device))
        sighting_claim(word);
}
