#include "memory.h"

#include "next.h"

#include <errno.h>
#include <linux/futex.h>
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

static bool ask_to_read(uintptr_t address)
{
    int saved = errno;
    /* The kernel reads a whole set of 8 bytes: aligned, they lie in one page with the byte in question. */
    long answer = next_functions.syscall(SYS_rt_sigprocmask, NO_SUCH_HOW, address & ~(uintptr_t)7, NULL,
                                         (size_t)(_NSIG / 8));
    bool readable = answer < 0 && errno == EINVAL;
    errno = saved;
    return readable;
}

static bool ask_to_write(uintptr_t address)
{
    uint32_t nobody_waits = 0;
    int saved = errno;
    long answer =
        next_functions.syscall(SYS_futex, &nobody_waits, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0,
                               address & ~(uintptr_t)3, FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0));
    errno = saved;
    return answer >= 0;
}

static bool ask_pages(const void *address, size_t len, bool (*ask)(uintptr_t))
{
    uintptr_t first = (uintptr_t)address, last = first + len - 1;
    if (is_on_stack(first, last + 1))
        return true;
    /* NULL means "nothing to read" to the kernel; the first page is nobody's. */
    if (first < PAGE || last < first || !ask(first))
        return false;
    for (uintptr_t page = (first | (PAGE - 1)) + 1; page != 0 && page <= last; page += PAGE)
        if (!ask(page))
            return false;
    return true;
}

bool memory_is_readable(const void *address, size_t len)
{
    return ask_pages(address, len, ask_to_read);
}

bool memory_is_writable(void *address, size_t len)
{
    return ask_pages(address, len, ask_to_write);
}
