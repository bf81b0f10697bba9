/*
 * Wrappers for functions of libc that look at who called them: dlopen(3) takes RUNPATH, $ORIGIN and the
 * namespace from the object that its return address lies in, dlsym(3) what comes next. A wrapper that calls
 * them would be that object, so ours jumps: registers and stack are the caller's, and only the compiler's own
 * call, which it makes into a jump or not as it likes, would not do.
 *
 * JUMP(name) defines the function `name`. It calls name_way(), which is given the arguments where they lie,
 * may change them, and returns the function to go on in. Only where JUMP_IS_BUILT is defined.
 */
#ifndef SHIM_PROCESS_JUMP_H
#define SHIM_PROCESS_JUMP_H

#include <stdint.h>

/* The first three arguments, of any type that is passed in a general register. A compiler that optimizes the
 * library as a whole (-flto) does not see that the assembly uses it. */
#define JUMP_WAY(name) __attribute__((visibility("hidden"), used)) void *name##_way(uintptr_t arguments[3])

#if defined __x86_64__ && defined __LP64__
#define JUMP_IS_BUILT 1
#define JUMP_BODY(name)            \
    "endbr64\n"                    \
    "subq $24, %rsp\n"             \
    ".cfi_adjust_cfa_offset 24\n"  \
    "movq %rdi, (%rsp)\n"          \
    "movq %rsi, 8(%rsp)\n"         \
    "movq %rdx, 16(%rsp)\n"        \
    "movq %rsp, %rdi\n"            \
    "call " #name "_way\n"         \
    "movq (%rsp), %rdi\n"          \
    "movq 8(%rsp), %rsi\n"         \
    "movq 16(%rsp), %rdx\n"        \
    "addq $24, %rsp\n"             \
    ".cfi_adjust_cfa_offset -24\n" \
    "jmp *%rax\n"
#elif defined __i386__
#define JUMP_IS_BUILT 1
/* The arguments lie on the stack, where they are the called function's to change. */
#define JUMP_BODY(name)            \
    "endbr32\n"                    \
    "leal 4(%esp), %eax\n"         \
    "subl $12, %esp\n"             \
    ".cfi_adjust_cfa_offset 12\n"  \
    "movl %eax, (%esp)\n"          \
    "call " #name "_way\n"         \
    "addl $12, %esp\n"             \
    ".cfi_adjust_cfa_offset -12\n" \
    "jmp *%eax\n"
#elif defined __aarch64__ && defined __LP64__
#define JUMP_IS_BUILT 1
/* hint 34 is "bti c": here an indirect call may land, and a jump by x16. */
#define JUMP_BODY(name)           \
    "hint #34\n"                  \
    "stp x29, x30, [sp, #-48]!\n" \
    ".cfi_def_cfa_offset 48\n"    \
    ".cfi_offset x29, -48\n"      \
    ".cfi_offset x30, -40\n"      \
    "mov x29, sp\n"               \
    "stp x0, x1, [sp, #16]\n"     \
    "str x2, [sp, #32]\n"         \
    "add x0, sp, #16\n"           \
    "bl " #name "_way\n"          \
    "mov x16, x0\n"               \
    "ldp x0, x1, [sp, #16]\n"     \
    "ldr x2, [sp, #32]\n"         \
    "ldp x29, x30, [sp], #48\n"   \
    ".cfi_restore x29\n"          \
    ".cfi_restore x30\n"          \
    ".cfi_def_cfa_offset 0\n"     \
    "br x16\n"
#endif

#define JUMP_HEAD(name)            \
    ".pushsection .text\n"         \
    ".globl " #name "\n"           \
    ".hidden " #name "_way\n"      \
    ".type " #name ", %function\n" \
    ".p2align 4\n" #name ":\n"     \
    ".cfi_startproc\n"

#define JUMP_TAIL(name)              \
    ".cfi_endproc\n"                 \
    ".size " #name ", .-" #name "\n" \
    ".popsection\n"

#define JUMP(name) __asm__(JUMP_HEAD(name) JUMP_BODY(name) JUMP_TAIL(name))

#endif
