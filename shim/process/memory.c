#include "process/memory.h"

#include "base/kernel.h"
#include "process/apart.h"
#include "process/filter.h"
#include "process/loaded.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

enum {
    PAGE = 4096, /* the smallest of any Linux; a larger page is asked about more than once */
    /* MADV_POPULATE_..., since Linux 5.14; older headers do not have them */
    POPULATE_READ = 22,
    POPULATE_WRITE = 23,
};

/*
 * Everything between a frame of the main thread and the top of its stack is mapped. Linux keeps 128 MiB or
 * more below the top free of other mappings (mmap_base() in arch/x86/mm/mmap.c), so a frame that is as close
 * to the top as this cannot be on another thread's stack.
 */
#define MAIN_STACK_SPAN ((uintptr_t)64 << 20)

static uintptr_t stack_top;
static struct range {
    uintptr_t first, end;
} data; /* writable, of the main program */
static uintptr_t kernel_page;

/* The pages known to be good: the address of each, with READABLE and WRITABLE in its lower bits; 0: none. */
enum { READABLE = 1, WRITABLE = 2, SETS = 256, WAYS = 4 };
APART _Atomic uintptr_t memory_pages[SETS][WAYS];

/* Finds the main program's last writable segment: .data and .bss. Its beginning, which ld.so makes read-only
 * after relocation (RELRO), is left out. */
static struct range find_data(void)
{
    struct range found = {0};
    struct headers main;
    if (!loaded_headers(&main))
        return found;
    for (size_t i = 0; i < main.count; i++) {
        const ElfW(Phdr) *p = &main.first[i];
        uintptr_t start = main.base + p->p_vaddr;
        if (p->p_type == PT_LOAD && (p->p_flags & PF_W) != 0)
            found = (struct range){start, start + p->p_memsz};
    }
    for (size_t i = 0; i < main.count; i++) {
        const ElfW(Phdr) *p = &main.first[i];
        uintptr_t start = main.base + p->p_vaddr, end = start + p->p_memsz;
        if (p->p_type == PT_GNU_RELRO && found.first < end && start < found.end)
            found.first = end;
    }
    return found;
}

void memory_init(void)
{
    /* The kernel puts the name of the executed file at the top of a new stack (fs/exec.c). */
    stack_top = getauxval(AT_EXECFN);
    kernel_page = getauxval(AT_PAGESZ);
    data = find_data();
}

static bool is_in(const struct range *range, uintptr_t first, uintptr_t end)
{
    return first >= range->first && end <= range->end && end > first;
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

static _Atomic uintptr_t *set_of(uintptr_t page)
{
    return memory_pages[(uint32_t)(page / PAGE) * UINT32_C(0x9e3779b9) >> 24];
}

static uintptr_t look(_Atomic uintptr_t *entry)
{
    return atomic_load_explicit(entry, memory_order_relaxed);
}

static bool is_known(uintptr_t page, uintptr_t right)
{
    _Atomic uintptr_t *set = set_of(page);
    for (unsigned i = 0; i < WAYS; i++) {
        uintptr_t entry = look(&set[i]);
        if ((entry & ~(uintptr_t)(PAGE - 1)) == page && (entry & right) != 0)
            return true;
    }
    return false;
}

/* Another thread may change the same entry at once: then one of the two pages will be asked about again. */
static void know(uintptr_t page, uintptr_t right)
{
    static atomic_uint next_victim;
    _Atomic uintptr_t *set = set_of(page);
    unsigned way = WAYS;
    for (unsigned i = WAYS; i-- > 0;)
        if (look(&set[i]) == 0 || (look(&set[i]) & ~(uintptr_t)(PAGE - 1)) == page)
            way = i;
    if (way == WAYS)
        way = atomic_fetch_add(&next_victim, 1) % WAYS;
    uintptr_t entry = look(&set[way]);
    uintptr_t rights = (entry & ~(uintptr_t)(PAGE - 1)) == page ? entry & (PAGE - 1) : 0;
    atomic_compare_exchange_strong(&set[way], &entry, page | rights | right);
}

/* Whether the kernel knows that advice. Page 0 is not mapped: ENOMEM. An emulator may answer 0 to any advice
 * that it does not know. */
static bool populates(void)
{
    static _Atomic int known; /* 1: yes, -1: no */
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == 0) {
        answer = kernel_call(SYS_madvise, NULL, kernel_page, POPULATE_READ) == -ENOMEM ? 1 : -1;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer > 0;
}

/* madvise(2) tells whether a page can be read or written without touching a byte of it, so that valgrind,
 * which checks every byte, has nothing to report. */
static bool ask_madvise(uintptr_t page, uintptr_t right)
{
    return populates() && kernel_call(SYS_madvise, page & ~(kernel_page - 1), kernel_page,
                                      right == READABLE ? POPULATE_READ : POPULATE_WRITE) == 0;
}

/*
 * madvise(2) also fails on an older kernel and on unusual memory, so that futex(2) is asked next. It reads a
 * word, or adds 0 to it atomically, and fails with EFAULT when it cannot. It wakes nobody.
 */
static bool ask_futex(uintptr_t address, uintptr_t right)
{
    uint32_t own = 0;
    uintptr_t word = address & ~(uintptr_t)3;
    long answer = right == READABLE
                      ? kernel_call(SYS_futex, word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 0, 0, word, 0)
                      : kernel_call(SYS_futex, &own, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0, word,
                                    FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0));
    return answer >= 0 || (right == READABLE && answer == -EAGAIN);
}

static bool ask(uintptr_t address, uintptr_t right)
{
    uintptr_t page = address & ~(uintptr_t)(PAGE - 1);
    if (is_known(page, right) || filter_is_installed())
        return true;
    bool good = ask_madvise(page, right) || ask_futex(address, right);
    if (good)
        know(page, right);
    return good;
}

static bool is_good(const void *address, size_t len, uintptr_t right)
{
    uintptr_t first = (uintptr_t)address, last = first + len - 1;
    if (is_on_stack(first, last + 1) || is_in(&data, first, last + 1))
        return true;
    /* The first page is never mapped, which is known without asking. */
    if (first < PAGE || last < first || !ask(first, right))
        return false;
    for (uintptr_t page = (first | (PAGE - 1)) + 1; page != 0 && page <= last; page += PAGE)
        if (!ask(page, right))
            return false;
    return true;
}

bool memory_is_readable(const void *address, size_t len)
{
    return is_good(address, len, READABLE);
}

bool memory_is_writable(void *address, size_t len)
{
    return is_good(address, len, WRITABLE);
}

static unsigned good_count(const void *array, size_t size, unsigned count, uintptr_t right)
{
    unsigned good = 0;
    if (count > 0 && is_good(array, count * size, right))
        return count;
    while (good < count && is_good((const char *)array + good * size, size, right))
        good++;
    return good;
}

unsigned memory_readable_count(const void *array, size_t size, unsigned count)
{
    return good_count(array, size, count, READABLE);
}

unsigned memory_writable_count(void *array, size_t size, unsigned count)
{
    return good_count(array, size, count, WRITABLE);
}
