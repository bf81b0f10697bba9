#include "process/refill.h"

#include "process/carry.h"
#include "process/loaded.h"
#include "rules/late.h"
#include "run/late.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

extern char **environ;

enum {
    STACK = 256 * 1024, /* bytes, five times what leasing takes: a signal handler may run on it too */
    /* Kept free around it: valgrind takes a move of the stack pointer by less than 2 000 000 bytes for a
       call. */
    GAP = 2 * 1024 * 1024,
};

/* Memory for one refill: its arguments, its result and its stack. */
struct filling {
    ucontext_t caller, own;
    const struct view *view;
    struct map *map;
    unsigned placeholder;
    uint32_t *entry; /* NULL: only the alias is missing */
    int result;      /* as of run_assign_late() */
    _Alignas(16) char stack[STACK];
};

static int lease_and_fill(const struct filling *filling)
{
    const char *run_path = strchr(carry_run_variable(), '=') + 1;
    int result = run_lease_late(run_path, filling->map, environ, filling->placeholder, filling->entry);
    if (result >= 0)
        late_alias(filling->view, filling->map, filling->placeholder);
    return result;
}

/* makecontext(3) passes only ints: here, the halves of a pointer. */
static void fill_here(unsigned high, unsigned low)
{
    struct filling *filling = (void *)(uintptr_t)((uint64_t)high << 32 | low);
    filling->result = lease_and_fill(filling);
}

static void filling_free(struct filling *filling)
{
    munmap((char *)filling - GAP, sizeof *filling + 2 * GAP);
}

static struct filling *filling_new(void)
{
    char *space = mmap(NULL, sizeof(struct filling) + 2 * GAP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (space == MAP_FAILED)
        return NULL;
    struct filling *filling = (void *)(space + GAP);
    if (mprotect(filling, sizeof *filling, PROT_READ | PROT_WRITE) == 0)
        return filling;
    filling_free(filling);
    return NULL;
}

/* libc's own makecontext(3) and swapcontext(3): a sanitizer's would warn on stderr. */
struct contexts {
    void (*make)(ucontext_t *, void (*)(void), int, ...);
    int (*swap)(ucontext_t *, const ucontext_t *);
};

static bool find_contexts(struct contexts *libc)
{
    *(void **)&libc->make = loaded_function(loaded_libc(), "makecontext");
    *(void **)&libc->swap = loaded_function(loaded_libc(), "swapcontext");
    return libc->make != NULL && libc->swap != NULL;
}

/* A thread's stack may have 16 KiB. */
static int fill_on_own_stack(const struct view *view, struct map *map, unsigned placeholder, uint32_t *entry)
{
    struct contexts libc;
    struct filling *filling = find_contexts(&libc) ? filling_new() : NULL;
    if (filling == NULL)
        return -ENOMEM;
    filling->view = view;
    filling->map = map;
    filling->placeholder = placeholder;
    filling->entry = entry;
    getcontext(&filling->own);
    filling->own.uc_stack = (stack_t){.ss_sp = filling->stack, .ss_size = sizeof filling->stack};
    filling->own.uc_link = &filling->caller;
    uint64_t argument = (uintptr_t)filling;
    libc.make(&filling->own, (void (*)(void))fill_here, 2, (unsigned)(argument >> 32), (unsigned)argument);
    libc.swap(&filling->caller, &filling->own);
    int result = filling->result;
    filling_free(filling);
    return result;
}

enum refill refill(const struct view *view, struct map *map, unsigned placeholder, uint32_t *entry)
{
    int saved = errno, cancel;
    /* bind(2) is no cancellation point, but open(2) is: a thread cancelled in here would leave files open. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    enum refill answer =
        late_refilled(fill_on_own_stack(view, map, placeholder, entry), run_server(map, environ).required);
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
    return answer;
}
