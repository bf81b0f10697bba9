/*
 * What the library says when a process joins its run: one line on stderr.
 */
#ifndef SHIM_PROCESS_DIE_H
#define SHIM_PROCESS_DIE_H

/* Warns: what is wrong, why, and what helps. A `what` that is longer than a path ends in "...". */
void warn(const char *what, const char *why, const char *remedy);

/* Says the same as an error and exits with status 125, so that nothing runs unprotected unnoticed. */
_Noreturn void die(const char *what, const char *why, const char *remedy);

#endif
