/*
 * The numbers of the trapped system calls, by the machine whose calls a program makes: this command's own,
 * and i386 beside x86-64. From the kernel's arch/x86/entry/syscalls/syscall_{32,64}.tbl and
 * include/uapi/asm-generic/unistd.h; those of socketcall(2) from include/uapi/linux/net.h.
 */
#ifndef SHIM_TRAP_NUMBERS_H
#define SHIM_TRAP_NUMBERS_H

#include "trap/call.h"

#include <linux/audit.h>
#include <sys/syscall.h>

/* A call by its number; `socketcall` is its number there, which only i386 has. */
struct number {
    enum call_name name;
    int direct, socketcall;
};

enum { CALL_NAMES = CALL_RECVMMSG, IO_URING_SETUP = 425 /* on every machine but alpha */ };

#if defined(__x86_64__) || defined(__i386__)
#define NUMBERS_ARCH_NARROW AUDIT_ARCH_I386
enum { NUMBER_SOCKETCALL = 102, NUMBER_RECVMMSG_TIME64 = 417 };

static const struct number numbers_narrow[CALL_NAMES] = {
    {CALL_BIND, 361, 2},        {CALL_LISTEN, 363, 4},   {CALL_CONNECT, 362, 3},   {CALL_GETSOCKNAME, 367, 6},
    {CALL_GETPEERNAME, 368, 7}, {CALL_SENDTO, 369, 11},  {CALL_SENDMSG, 370, 16},  {CALL_SENDMMSG, 345, 20},
    {CALL_RECVFROM, 371, 12},   {CALL_RECVMSG, 372, 17}, {CALL_RECVMMSG, 337, 19},
};
#endif

#if defined(__x86_64__) || defined(__aarch64__)
#if defined(__x86_64__)
#define NUMBERS_ARCH AUDIT_ARCH_X86_64
#else
#define NUMBERS_ARCH AUDIT_ARCH_AARCH64
#endif

static const struct number numbers[CALL_NAMES] = {
    {CALL_BIND, SYS_bind, 0},
    {CALL_LISTEN, SYS_listen, 0},
    {CALL_CONNECT, SYS_connect, 0},
    {CALL_GETSOCKNAME, SYS_getsockname, 0},
    {CALL_GETPEERNAME, SYS_getpeername, 0},
    {CALL_SENDTO, SYS_sendto, 0},
    {CALL_SENDMSG, SYS_sendmsg, 0},
    {CALL_SENDMMSG, SYS_sendmmsg, 0},
    {CALL_RECVFROM, SYS_recvfrom, 0},
    {CALL_RECVMSG, SYS_recvmsg, 0},
    {CALL_RECVMMSG, SYS_recvmmsg, 0},
};
#endif

#endif
