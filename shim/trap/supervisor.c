#include "trap/supervisor.h"

#include "base/kernel.h"
#include "run/sighting.h"
#include "trap/call.h"
#include "trap/calls.h"
#include "trap/images.h"
#include "trap/question.h"
#include "trap/remote.h"
#include "trap/threads.h"
#include "trap/views.h"
#include "trap/waiting.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* since Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

static bool is_refused(struct problem *problem, const char *call, const char *why)
{
    problem_of(problem, call, why, "allow it (a container: CAP_SYS_PTRACE), or --trap=off");
    return false;
}

static bool can_look_into(const struct supervision *supervision, struct problem *problem)
{
    static uint64_t known = UINT64_C(0x706f72747368696d);
    uint64_t read = 0;
    /* This process was forked from that one: the same bytes are at the same place. */
    const struct call call = {.thread = supervision->first};
    int error = remote_read(&call, (uintptr_t)&known, &read, sizeof read);
    if (error != 0 || read != known)
        return is_refused(problem, "process_vm_readv", "refused: the program's memory cannot be read");
    if (remote_write(&call, (uintptr_t)&known, &read, sizeof read) != 0)
        return is_refused(problem, "process_vm_writev", "refused: the program's memory cannot be written");
    if (threads_find(supervision->first) == NULL)
        return is_refused(problem, "pidfd_open", "refused, as by a container's profile");
    int fd = threads_descriptor(supervision->first, STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    if (fd < 0 && fd != -EBADF)
        return is_refused(problem, "pidfd_getfd",
                          fd == -ENOSYS ? "not in this kernel, or refused by a container's profile"
                                        : "refused, as by a container's profile");
    return true;
}

bool supervisor_prepare(const struct supervision *supervision, struct problem *problem)
{
    return can_look_into(supervision, problem) && views_join(problem);
}

static bool is_question(const struct call *call)
{
    return call->name == CALL_BIND && (int)call->arguments[0] == -1 &&
           call->arguments[2] == sizeof(struct trap_question);
}

/* Answers a question of the process (trap/question.h), and anything else as the kernel does: EBADF. */
static struct answer reply(const struct supervision *supervision, const struct call *call)
{
    struct trap_question question;
    if (remote_read(call, call->arguments[1], &question, sizeof question) != 0 ||
        memcmp(question.magic, TRAP_MAGIC, sizeof TRAP_MAGIC) != 0)
        return CONTINUE_CALL;
    if (question.ask != TRAP_HELLO)
        images_look_for_runs(); /* the command portshim makes runs */
    struct image *image = image_of(call);
    if (image != NULL && question.ask == TRAP_HELLO)
        image->has_library = true;
    if (image != NULL && question.ask == TRAP_EXEMPT)
        image->is_exempt = true;
    const struct map *map = image_view(call)->map[0];
    question.answer = 1;
    question.run_id = map != NULL ? map->head->run_id : 0;
    question.cookie = supervision->cookie;
    return answer_value(remote_write(call, call->arguments[1], &question, sizeof question));
}

static bool names_a_port(enum call_name name)
{
    return name == CALL_BIND || name == CALL_CONNECT || (name >= CALL_SENDTO && name <= CALL_SENDMMSG);
}

/* Notes that a call passes that may have named a placeholder. */
static void note_escape(const struct call *call, enum untrapped reason)
{
    const struct view *view = image_view(call);
    image_tell_program(call);
    remote_trouble();
    for (unsigned i = 0; view->map[i] != NULL; i++) {
        unsigned program =
            sighting_program(view->map[i], view->program.device, view->program.inode, view->program.name);
        _Atomic uint64_t *word = sighting_note(
            view->map[i], (struct sighting){.kind = SIGHTING_EXEC, .reason = reason, .program = program});
        if (i == 0 && word != NULL)
            view->tell(view, view->map[i], word);
    }
}

static struct answer serve(const struct supervision *supervision, const struct call *call)
{
    static struct answer (*const calls[])(const struct view *, const struct call *) = {
        [CALL_BIND] = trap_bind,
        [CALL_LISTEN] = trap_listen,
        [CALL_CONNECT] = trap_connect,
        [CALL_GETSOCKNAME] = trap_getsockname,
        [CALL_GETPEERNAME] = trap_getpeername,
        [CALL_SENDTO] = trap_sendto,
        [CALL_SENDMSG] = trap_sendmsg,
        [CALL_SENDMMSG] = trap_sendmmsg,
        [CALL_RECVFROM] = trap_recvfrom,
        [CALL_RECVMSG] = trap_recvmsg,
        [CALL_RECVMMSG] = trap_recvmmsg,
    };
    if (is_question(call))
        return reply(supervision, call);
    bool known =
        !call->lacks_arguments && call->name < sizeof calls / sizeof *calls && calls[call->name] != NULL;
    struct answer answer = known ? calls[call->name](image_view(call), call) : CONTINUE_CALL;
    enum untrapped trouble = remote_trouble();
    bool escapes = trouble != UNTRAPPED_UNSAID && answer.how == ANSWER_CONTINUE && names_a_port(call->name) &&
                   remote_waits(call);
    if (escapes)
        note_escape(call, trouble);
    return escapes && supervision->strict ? answer_value(-EPERM) : answer;
}

/* The kernel's structures may be longer than the ones we know. */
static union {
    struct seccomp_notif received;
    char room[512];
} notification;

static void serve_next(const struct supervision *supervision, int listener)
{
    struct call call;
    memset(&notification, 0, sizeof notification);
    if (kernel_call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0)
        return;       /* the thread was killed, or a signal came first */
    remote_trouble(); /* with an earlier call, which needed nothing, is none with this one */
    call_decode(&call, &notification.received);
    struct answer answer = serve(supervision, &call);
    if (answer.how != ANSWER_LATER)
        remote_answer(&call, answer);
}

/* A program of the run may cut off a file that is mapped here. The command has a handler for that, without
 * which, or while the signal is blocked, the kernel ends the process (command_outlive_cut_files()). */
static void take_bus_errors(void)
{
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGBUS);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
}

static void forget_ended_runs(void)
{
    for (const struct view *view; (view = views_ended()) != NULL;)
        images_forget(view);
}

void supervisor_run(const struct supervision *supervision, int listener)
{
    enum { CALLS, WAITING, RUNS, COUNT };
    struct pollfd events[COUNT] = {
        {.fd = listener, .events = POLLIN}, {.fd = -1, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    take_bus_errors();
    remote_init(listener);
    trap_init(supervision->cookie);
    kernel_call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    while ((events[CALLS].revents & (POLLIN | POLLHUP | POLLERR)) != POLLHUP) {
        events[WAITING].fd = waiting_descriptor();
        events[RUNS].fd = views_descriptor();
        int ready = poll(events, COUNT, waiting_timeout());
        if (ready < 0 && errno != EINTR)
            return;
        if (ready < 0)
            continue;
        /* First, so that a port is free for who has seen the end of the process that waited there. */
        if (events[WAITING].revents != 0 || waiting_timeout() == 0)
            waiting_work();
        if (events[RUNS].revents != 0)
            forget_ended_runs();
        if (events[CALLS].revents & POLLIN)
            serve_next(supervision, listener);
        else if (events[CALLS].revents & (POLLERR | POLLNVAL))
            return;
    }
}
