/*
 * What the library has to say when a process joins its run: one line on stderr.
 */
#ifndef SHIM_PROCESS_DIE_H
#define SHIM_PROCESS_DIE_H

/* What is wrong, why, and what helps. A variable may have 128 KiB: what of it is longer than a path is cut.
 */
void warn(const char *what, const char *why, const char *remedy);

/* The same, and exit status 125: nothing runs unprotected unsaid. */
_Noreturn void die(const char *what, const char *why, const char *remedy);

#endif
