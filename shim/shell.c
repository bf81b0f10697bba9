/*
 * system(3), popen(3) and wordexp(3): libc starts the shell by itself, with `environ` as it is.
 *
 * Only where that has lost the run, which takes a program that empties its environment, is it replaced for
 * the time of the call. Another thread may read it meanwhile, or set a variable, upon which libc copies the
 * array, and a thread may be cancelled in the call: so the replacement is never on a stack and never freed,
 * but kept for the next call.
 */
#include "attach.h"
#include "carry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <wordexp.h>

extern char **environ;

/* Memory for one environment. */
struct block {
    size_t size;
    char **entries;
};

/* An environment in place of the program's own. */
struct replaced {
    char **own;
    struct block *block; /* NULL when nothing was replaced */
};

/* The last block that was given back; a second thread in here maps one of its own. */
static _Atomic(struct block *) spare;

static struct block *get_block(size_t size)
{
    struct block *block = atomic_exchange(&spare, NULL);
    if (block != NULL && block->size >= size)
        return block;
    size_t whole = sizeof *block + size + size / 2;
    block = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return NULL;
    block->size = whole - sizeof *block;
    return block;
}

static struct replaced replace(void)
{
    struct carry found = carry_look(environ);
    struct replaced replaced = {.own = environ};
    bool lost = found.preload == NULL || !found.has_run;
    size_t size = lost ? carry_size(&found) : 0;
    if (size == 0 || (replaced.block = get_block(size)) == NULL)
        return replaced;
    carry_write(replaced.block + 1, &found);
    replaced.block->entries = (char **)(replaced.block + 1);
    environ = replaced.block->entries;
    return replaced;
}

static void restore(void *argument)
{
    struct replaced *replaced = argument;
    if (replaced->block == NULL || environ != replaced->block->entries)
        return;
    environ = replaced->own;
    atomic_store(&spare, replaced->block);
}

int system(const char *command)
{
    const struct next *libc = next();
    struct replaced replaced = replace();
    int status;
    pthread_cleanup_push(restore, &replaced);
    status = libc->system(command);
    pthread_cleanup_pop(1);
    return status;
}

FILE *popen(const char *command, const char *mode)
{
    const struct next *libc = next();
    struct replaced replaced = replace();
    FILE *stream;
    pthread_cleanup_push(restore, &replaced);
    stream = libc->popen(command, mode);
    pthread_cleanup_pop(1);
    return stream;
}

int wordexp(const char *restrict words, wordexp_t *restrict expanded, int flags)
{
    const struct next *libc = next();
    struct replaced replaced = replace();
    int error;
    pthread_cleanup_push(restore, &replaced);
    error = libc->wordexp(words, expanded, flags);
    pthread_cleanup_pop(1);
    return error;
}
