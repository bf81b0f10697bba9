/*
 * Telling on the run's own stderr what is noted of a trapped program: see run/voice.h.
 */
#ifndef SHIM_TRAP_TELL_H
#define SHIM_TRAP_TELL_H

#include "rules/view.h"

/* The `tell` of a view (rules/view.h): on the stderr of the process that the view was last asked for
 * (image_view()), if that is the run's. This process's own is another file. */
bool trap_tell(const struct view *view, const struct map *map, _Atomic uint64_t *word);

#endif
