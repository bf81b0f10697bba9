/*
 * The descriptors that this process was started with.
 */
#ifndef SHIM_PROCESS_INHERITED_H
#define SHIM_PROCESS_INHERITED_H

#include "rules/view.h"

/* Tells the rules of each of them, as some may be sockets of other kinds (rules/kind.h). Called once, at
 * attach. */
void inherited_look(struct view *view);

#endif
