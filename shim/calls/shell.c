/*
 * system(3), popen(3) and wordexp(3): libc itself starts the shell, with `environ` as it is.
 *
 * If the program has emptied `environ` and so lost the run, `environ` is replaced during the call. The
 * replacement is borrowed memory, which is never freed and kept for the next call, not memory on the stack:
 * another thread may read it, or make libc copy it by setting a variable, and this thread may be cancelled.
 */
#include "process/attach.h"
#include "process/borrow.h"
#include "process/carry.h"

#include <pthread.h>
#include <stdio.h>
#include <wordexp.h>

#if !__GLIBC_PREREQ(2, 34)
/* pthread_cleanup_push() calls these functions of libpthread. A program without threads has not loaded that
 * and must not load it for our sake; nothing is cancelled there. */
#pragma weak __pthread_register_cancel
#pragma weak __pthread_unregister_cancel
#define __pthread_register_cancel(buffer) \
    (__pthread_register_cancel != NULL ? __pthread_register_cancel(buffer) : (void)0)
#define __pthread_unregister_cancel(buffer) \
    (__pthread_unregister_cancel != NULL ? __pthread_unregister_cancel(buffer) : (void)0)
#endif

extern char **environ;

/* The program's environment, and what has taken its place. */
struct replaced {
    char **own, **instead; /* `instead` is NULL when nothing was replaced */
};

static struct replaced replace(void)
{
    struct carry found = carry_look(environ);
    struct replaced replaced = {.own = environ};
    view_note_exec(&own_view);
    bool lost = found.preload == NULL || !found.has_run;
    size_t size = lost ? carry_size(&found) : 0;
    void *memory = size > 0 ? borrow(size) : NULL;
    if (memory == NULL)
        return replaced;
    carry_write(memory, &found);
    environ = replaced.instead = memory;
    return replaced;
}

static void restore(void *argument)
{
    struct replaced *replaced = argument;
    if (replaced->instead == NULL || environ != replaced->instead)
        return;
    environ = replaced->own;
    borrow_return(replaced->instead);
}

int system(const char *command)
{
    const struct next *libc = next();
    struct replaced replaced = replace();
    int status;
    pthread_cleanup_push(restore, &replaced);
    status = BEHIND(libc, system)(command);
    pthread_cleanup_pop(1);
    return status;
}

FILE *popen(const char *command, const char *mode)
{
    const struct next *libc = next();
    struct replaced replaced = replace();
    FILE *stream;
    pthread_cleanup_push(restore, &replaced);
    stream = BEHIND(libc, popen)(command, mode);
    pthread_cleanup_pop(1);
    return stream;
}

int wordexp(const char *restrict words, wordexp_t *restrict expanded, int flags)
{
    const struct next *libc = next();
    struct replaced replaced = replace();
    int error;
    pthread_cleanup_push(restore, &replaced);
    error = BEHIND(libc, wordexp)(words, expanded, flags);
    pthread_cleanup_pop(1);
    return error;
}
