/*
 * Two copies of this library of which neither sees the other: an emulator's, and that of the program it
 * emulates, which calls libc in a world of its own and the kernel through the emulator. The program's copy
 * sees all its calls, the emulator's those that the emulator makes by libc's functions. So the program's copy
 * rewrites and tells the other, in a bind(2) that it makes for that alone. Copies that do see each other:
 * loaded.h.
 */
#ifndef SHIM_PROCESS_COPIES_H
#define SHIM_PROCESS_COPIES_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Tells a copy in an emulator to stand back. At attach: two stat(2), and only where the running program is
 * not the file that was executed, nor is that a script, a socket and its bind(2), which fails where nobody
 * listens to it.
 */
void copies_tell(void);

/* Whether an address given to bind(2) says this; then the caller's copy rewrites nothing from now on. */
bool copies_are_told(const struct sockaddr *address, socklen_t len);

#endif
