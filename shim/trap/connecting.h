/*
 * Blocking connects of trapped programs. The supervisor answers many programs in one thread and must not wait
 * for a server; so threads of its own make these.
 */
#ifndef SHIM_TRAP_CONNECTING_H
#define SHIM_TRAP_CONNECTING_H

#include "rules/address.h"
#include "trap/call.h"

/*
 * Connects a blocking stream socket, a duplicate of the program's, and closes the duplicate. What is not
 * connected within a few milliseconds is answered with CONTINUE_CALL: a call of connect(2) on a socket that
 * is connecting does not look at its address but waits for the connection, and so takes signals and time
 * limits as the program expects.
 *
 * ANSWERED_LATER, or the answer when too many calls wait, or this process may not have threads: then the
 * caller has waited these few milliseconds.
 */
struct answer connecting_start(const struct call *call, int fd, const union address *to, socklen_t len);

#endif
