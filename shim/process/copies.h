/*
 * Two copies of this library in one process that cannot see each other: one in an emulator such as qemu-user,
 * one in the program that it emulates. That program calls its own libc, and the emulator passes its system
 * calls on to the kernel.
 *
 * The program's copy sees all calls of the program. The emulator's copy sees those that the emulator happens
 * to pass on by libc's functions. So only the program's copy rewrites; it tells the other one by a bind(2)
 * that it makes for this alone. Copies that can see each other: loaded_second_copy().
 */
#ifndef SHIM_PROCESS_COPIES_H
#define SHIM_PROCESS_COPIES_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>

/*
 * Tells a copy in an emulator to rewrite nothing, before the first call that this copy rewrites. `running` is
 * the status of /proc/self/exe. Makes a call of stat(2); only if the file that runs is not the one that was
 * executed, which is no script either, also a socket and the bind(2). Without a copy in an emulator, that
 * bind(2) just fails.
 */
void copies_tell(const struct stat *running);

/* Whether an address given to bind(2) is that message; if so, this copy rewrites nothing from now on. */
bool copies_are_told(const struct sockaddr *address, socklen_t len);

#endif
