/*
 * What this process finds out about itself before its first socket, and not when it starts: most programs
 * never open one.
 */
#ifndef SHIM_PROCESS_SETTLE_H
#define SHIM_PROCESS_SETTLE_H

/*
 * The `settle` of this process's view (rules/view.h). Looks which descriptors the process has from others, as
 * some may be sockets of other kinds (rules/kind.h); notes the host's addresses (rules/local.h) and which
 * program this is; tells a copy of the library in an emulator (process/copies.h); and asks for a supervisor.
 *
 * Called before the first socket(2) of a family with ports, before the program installs a seccomp filter, and
 * when a rule asks for one of these things in a process that did neither, such as one that inherited its
 * sockets. What cannot be found out any more, because the program has changed its root directory or its user,
 * is taken for the worst: sockets of other kinds may be there, and the kernel is asked about each.
 *
 * Does nothing when that is done, or when nothing is rewritten. Leaves errno alone. Async-signal-safe;
 * threads that call it at once each do it.
 */
void settle(void);

#endif
