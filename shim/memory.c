#include "memory.h"

#include "next.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    /* the smallest page of any Linux: a larger one is asked about more than once */ NO_SUCH_HOW = -1
};

/*
 * Between a frame of the main thread and the top of its stack everything is mapped. Linux keeps at least 128
 * MiB (mmap_base(), arch/x86/mm/mmap.c) below the top free of other mappings, so that a frame this close to
 * the top cannot be in another thread's stack.
 */
#define MAIN_STACK_SPAN ((uintptr_t)64 << 20)

static uintptr_t stack_top;

void memory_init(void)
{
    /* The name of the executed file is the last thing the kernel puts on a new stack (fs/exec.c). */
    stack_top = getauxval(AT_EXECFN);
}

static bool is_on_stack(uintptr_t first, uintptr_t end)
{
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    if (first < frame || end < first)
        return false;
    if (end <= (frame | (PAGE - 1)) + 1)
        return true;
    return frame < stack_top && stack_top - frame < MAIN_STACK_SPAN && end <= stack_top;
}

static bool ask_kernel(uintptr_t address)
{
    int saved = errno;
    /* The kernel reads a whole set of 8 bytes: aligned, they lie in one page with the byte in question. */
    long answer = next_functions.syscall(SYS_rt_sigprocmask, NO_SUCH_HOW, address & ~(uintptr_t)7, NULL,
                                         (size_t)(_NSIG / 8));
    bool readable = answer < 0 && errno == EINVAL;
    errno = saved;
    return readable;
}

bool memory_is_readable(const void *address, size_t len)
{
    uintptr_t first = (uintptr_t)address, last = first + len - 1;
    if (is_on_stack(first, last + 1))
        return true;
    /* NULL means "no set" to the kernel, which then reads nothing; the first page is nobody's. */
    if (first < PAGE || last < first || !ask_kernel(first))
        return false;
    for (uintptr_t page = (first | (PAGE - 1)) + 1; page != 0 && page <= last; page += PAGE)
        if (!ask_kernel(page))
            return false;
    return true;
}
