#include "trap/parts.h"

#include "base/kernel.h"
#include "error.h"
#include "run/supervisors.h"
#include "trap/filter.h"
#include "trap/mask.h"
#include "trap/threads.h"
#include "trap/views.h"

#include <errno.h>

static const char off[] = "--trap=off runs it with the ports that it names";

bool part_refuse(struct problem *problem, const struct trap_wish *wish, const char *why, const char *remedy)
{
    problem_of(problem, wish->program, why, remedy);
    return false;
}

bool part_refuse_process(struct problem *problem, const struct trap_wish *wish, int error)
{
    if (error == -EAGAIN)
        return part_refuse(problem, wish, "no process for its supervisor: the user has as many as allowed",
                           "end some of them, or raise ulimit -u");
    return part_refuse(problem, wish, portmap_strerror(error), "close some descriptors, or free some memory");
}

bool part_refuse_killed(struct problem *problem, const struct trap_wish *wish)
{
    return part_refuse(problem, wish, "its supervisor was killed", "start it again");
}

bool part_refuse_filter(struct problem *problem, const struct trap_wish *wish, int error)
{
    if (error == -EBUSY)
        return part_refuse(problem, wish, "another program supervises its system calls (seccomp) already",
                           off);
    if (error == -EINVAL)
        return part_refuse(problem, wish, "the trap needs Linux 5.19: before it, signals would break calls",
                           off);
    if (error == -EPERM || error == -EACCES || error == -ENOSYS)
        return part_refuse(problem, wish, "seccomp filters are refused, as by a container's profile", off);
    return part_refuse(problem, wish, portmap_strerror(error), off);
}

enum part part_of_program(const struct start *start, struct problem *problem)
{
    struct word word;
    const struct filter_wish wish = {.datagrams = start->wish->datagrams, .cookie = start->cookie};
    if (word_receive(start->talk[0], &word) != WORD_READY) {
        if (word.kind == WORD_REFUSED)
            *problem = word.problem;
        else
            part_refuse_killed(problem, start->wish);
        return PART_REFUSED;
    }
    int listener = filter_install(&wish);
    if (listener < 0) {
        part_refuse_filter(problem, start->wish, listener);
        word = (struct word){.kind = WORD_REFUSED, .problem = *problem};
        word_send(start->talk[0], &word);
        return PART_REFUSED;
    }
    word = (struct word){.kind = WORD_LISTENER, .number = listener};
    bool served = word_send(start->talk[0], &word) && word_receive(start->talk[0], &word) == WORD_SERVED;
    kernel_close(listener);
    return served ? PART_DONE : PART_LOST;
}

enum part part_of_supervisor(const struct start *start, struct supervision *supervision, int *listener,
                             struct word *word)
{
    *supervision =
        (struct supervision){.first = start->program, .cookie = start->cookie, .strict = start->wish->strict};
    word->kind = supervisor_prepare(supervision, &word->problem) ? WORD_READY : WORD_REFUSED;
    if (!word_send(start->talk[1], word))
        return PART_LOST;
    if (word->kind == WORD_REFUSED || word_receive(start->talk[1], word) == WORD_REFUSED)
        return PART_REFUSED;
    *listener = word->kind == WORD_LISTENER ? threads_descriptor(start->program, word->number) : -1;
    return *listener >= 0 ? PART_DONE : PART_LOST;
}

void part_serve(const struct supervision *supervision, int listener)
{
    mask_set(MASK_ALL); /* musl lets signals of its own in when a thread is made */
    supervisors_enter(views_own()->map[0]);
    supervisor_run(supervision, listener);
    supervisors_leave();
}
