/*
 * A signal to a process group reaches both C and P (trap/stand_in.h), which must not hand it on then; and the
 * kernel does not tell for whom it was sent. A child of P, which is in its process group and does nothing but
 * get signals, knows: what it did not get was for P alone.
 */
#ifndef SHIM_TRAP_WITNESS_H
#define SHIM_TRAP_WITNESS_H

#include <stdbool.h>
#include <sys/signalfd.h>

/* Makes the witness, with all signals blocked. It ends with this process. When that fails, all signals are
 * taken as being for this process alone. */
void witness_begin(void);

/* Ends it, before this process ends, and waits for that. It has what this process had open and mapped, such
 * as the map of a run, which would live until the witness has ended. */
void witness_end(void);

/* Whether a signal, which this process has just got, was sent to the whole group. To be asked for those of
 * the terminal as well: true for a SIGCONT after which the group got one that stops it. */
bool witness_saw(const struct signalfd_siginfo *came);

#endif
