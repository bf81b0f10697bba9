#include "process/borrow.h"

#include "base/kernel.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Who uses a block: a thread (gettid(2)), or one of these. */
enum { NOBODY = 0, CHANGING = -1 };

struct block {
    _Alignas(16) struct block *next;
    size_t size; /* bytes that follow this header */
    _Atomic pid_t user;
    /* pthread_self() of the user, which a child of vfork(2) shares with its parent. */
    pthread_t thread;
};

/* A list that grows at its head and never shrinks. */
static _Atomic(struct block *) blocks;

static pid_t own_number(void)
{
    return (pid_t)kernel_call(SYS_gettid);
}

/* Whether a thread is one of our parent, where a signal handler may have called vfork(2) inside borrow(). */
static bool is_of_parent(pid_t thread)
{
    return kernel_call(SYS_tgkill, getppid(), thread, 0) == 0;
}

/*
 * Whether the user of a block is gone and has not returned it. A user that has our pthread_self() but another
 * thread id is our parent by vfork(2), our child, or another child of our parent. The children have ended or
 * have become other programs, since this thread runs; the parent has not.
 */
static bool was_left(const struct block *block, pid_t user, pid_t self)
{
    return user != CHANGING && user != self && pthread_equal(block->thread, pthread_self()) &&
           !is_of_parent(user);
}

static bool take(struct block *block)
{
    pid_t self = own_number(), user = atomic_load(&block->user);
    if ((user != NOBODY && !was_left(block, user, self)) ||
        !atomic_compare_exchange_strong(&block->user, &user, CHANGING))
        return false;
    block->thread = pthread_self();
    atomic_store(&block->user, self);
    return true;
}

static struct block *add(size_t size)
{
    int saved = errno;
    size_t whole = sizeof(struct block) + size + size / 2;
    struct block *block = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = saved;
    if (block == MAP_FAILED)
        return NULL;
    block->size = whole - sizeof *block;
    block->thread = pthread_self();
    atomic_store(&block->user, own_number());
    block->next = atomic_load(&blocks);
    while (!atomic_compare_exchange_weak(&blocks, &block->next, block))
        ;
    return block;
}

void *borrow(size_t size)
{
    struct block *block = atomic_load(&blocks);
    while (block != NULL && (block->size < size || !take(block)))
        block = block->next;
    if (block == NULL)
        block = add(size);
    return block != NULL ? block + 1 : NULL;
}

void borrow_return(void *memory)
{
    if (memory != NULL)
        atomic_store(&((struct block *)memory)[-1].user, NOBODY);
}
