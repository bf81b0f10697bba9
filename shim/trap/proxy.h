/*
 * The proxy's shape: P -> S -> C. C executes the program, S supervises it, and P, whose pid the caller knows,
 * does what C does: it stops, goes on and ends with it, and hands on the signals that it gets.
 */
#ifndef SHIM_TRAP_PROXY_H
#define SHIM_TRAP_PROXY_H

#include "trap/parts.h"

/* As trap_start(), with all signals blocked, which the caller takes back. start->talk is closed at the end.
 */
bool proxy_start(struct start *start, struct problem *problem);

#endif
