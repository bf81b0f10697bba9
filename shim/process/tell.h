/*
 * Telling on the run's own stderr what this process has noted of it: see run/voice.h.
 */
#ifndef SHIM_PROCESS_TELL_H
#define SHIM_PROCESS_TELL_H

#include "rules/view.h"

/* The `tell` of this process's view (rules/view.h). Says nothing once the program, or one that has executed
 * it in the run, has installed a seccomp filter (process/filter.h), which may forbid what that takes. */
bool tell(const struct view *view, const struct map *map, _Atomic uint64_t *word);

#endif
