#include "command/trapping.h"

#include "base/environment.h"
#include "base/kernel.h"
#include "base/text.h"
#include "command/command.h"
#include "error.h"
#include "run/compact.h"
#include "trap/features.h"
#include "trap/question.h"
#include "trap/start.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

extern char **environ;

static char trapped_text[COMPACT_SIZE];

static const char *compact_text(void)
{
    const char *text = environment_get_nonempty(environ, COMPACT_VARIABLE);
    return text != NULL ? text : "";
}

/* Puts a text of the run into the environment that says that there is a trap. False when it does not fit. */
static bool tell_of_trap(const char *text)
{
    struct text copy = text_in(trapped_text, sizeof trapped_text);
    text_str(&copy, text);
    return !copy.cut && compact_set_trapped(trapped_text, sizeof trapped_text) &&
           setenv(COMPACT_VARIABLE, trapped_text, 1) == 0;
}

static void (*at_end)(int status);

void trapping_at_end(void (*call)(int status))
{
    at_end = call;
}

static bool start(const struct map *map, const char *program, struct problem *problem)
{
    struct compact compact;
    bool discovers = map != NULL && map->head->discover;
    const struct trap_wish wish = {.program = program,
                                   .datagrams = discovers || compact_has_datagrams(trapped_text),
                                   .strict = compact_read_head(trapped_text, &compact) && compact.strict,
                                   .ended = at_end};
    return trap_start(&wish, problem);
}

/* Whoever has refused says in what it has failed. What the kernel lacks for a trap is found out by trying. */
static void find_reason(struct trapping_refusal *refusal)
{
    struct trap_features features;
    refusal->reason = trap_features_try(&features) == 0 ? trap_features_lack(&features) : UNTRAPPED_UNSAID;
    if (refusal->reason == UNTRAPPED_UNSAID)
        refusal->reason = UNTRAPPED_OTHER;
}

bool trapping_start(const struct map *map, const char *program, struct trapping_refusal *refusal)
{
    char *before = strdup(compact_text());
    bool is_told = before != NULL && tell_of_trap(before);
    bool started = is_told && start(map, program, &refusal->problem);
    if (!is_told) {
        problem_of(&refusal->problem, "the environment", portmap_strerror(-ENOMEM), "free some memory");
        refusal->reason = UNTRAPPED_PROCESSES;
    } else if (!started) {
        setenv(COMPACT_VARIABLE, before, 1);
        find_reason(refusal);
    }
    free(before);
    return started;
}

void trapping_fail(const char *program, const struct trapping_refusal *refusal)
{
    const struct obstacle *obstacle = untrapped_obstacle(refusal->reason);
    char remedy[256];
    if (refusal->reason == UNTRAPPED_OTHER || obstacle == NULL)
        command_fail_of(&refusal->problem);
    snprintf(remedy, sizeof remedy, "%s%s", obstacle->remedy_in_full,
             refusal->reason == UNTRAPPED_OFF ? "" : ", or use --trap=off");
    command_fail(obstacle->why_in_full, remedy, "%s", program);
}

void trapping_describe(const char *program, const struct trapping_refusal *refusal, struct problem *warning)
{
    const struct obstacle *obstacle = untrapped_obstacle(refusal->reason);
    bool is_other = refusal->reason == UNTRAPPED_OTHER || obstacle == NULL;
    struct text what =
        problem_of(warning, "the ports of ", is_other ? refusal->problem.why : obstacle->why_in_full,
                   is_other ? refusal->problem.remedy : obstacle->remedy_in_full);
    text_str(&what, program);
    text_str(&what, " stay as they are");
}

static bool is_administrator(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    return kernel_call(SYS_capget, &header, sets) == 0 &&
           (sets[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN)) != 0;
}

bool trapping_takes_privileges(void)
{
    return !is_administrator() && !kernel_has_no_new_privs();
}

bool trapping_is_below(void)
{
    struct compact compact;
    return compact_read_head(compact_text(), &compact) && compact.trap.is_on;
}

static void ask(enum trap_ask what)
{
    struct trap_question question;
    if (trapping_is_below())
        trap_ask(&question, what);
}

void trapping_exempt(void)
{
    ask(TRAP_EXEMPT);
}

void trapping_announce_run(void)
{
    ask(TRAP_RUN);
}
