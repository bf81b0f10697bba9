/*
 * Wrappers for functions of libc that look at their return address to learn which object calls them:
 * dlopen(3) takes RUNPATH, $ORIGIN and the namespace from that object, dlsym(3) what RTLD_NEXT means. If our
 * wrapper called them, the object would be this library. So it jumps to them, with the registers and the
 * stack as its caller left them. That takes assembly: in C, a compiler makes a jump of a last call only when
 * it likes to.
 *
 * JUMP(name) defines the function `name`. It calls name_way(), which gets the arguments in memory, may change
 * them, and returns the function to jump to. Only where JUMP_IS_BUILT is defined.
 */
#ifndef SHIM_PROCESS_JUMP_H
#define SHIM_PROCESS_JUMP_H

#include <stdint.h>

/* Begins the definition of name_way(). It gets the first three arguments, of any type that is passed in a
 * general register. `used`: with -flto the compiler does not see that the assembly calls it. */
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
/* The arguments lie on the stack, where the called function may change them. */
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
/* hint 34 is "bti c": an indirect call may land here, or a jump by x16, which is why we jump by x16, too. */
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
