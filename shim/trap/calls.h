/*
 * The calls about ports, made for a trapped program by its supervisor. What is not to be rewritten goes on in
 * the kernel as the program makes it (CONTINUE_CALL); only a rewritten call is made here, on a duplicate of
 * the program's socket, and returns to the program exactly what the kernel says. Where the kernel reads the
 * program's memory in a certain order or fails with EFAULT, so does this.
 *
 * All run in the supervisor's one thread and must not wait for anything: see ANSWERED_LATER in trap/call.h.
 */
#ifndef SHIM_TRAP_CALLS_H
#define SHIM_TRAP_CALLS_H

#include "rules/rules.h"
#include "trap/call.h"

struct answer trap_bind(const struct view *view, const struct call *call);
struct answer trap_listen(const struct view *view, const struct call *call);
struct answer trap_connect(const struct view *view, const struct call *call);
struct answer trap_getsockname(const struct view *view, const struct call *call);
struct answer trap_getpeername(const struct view *view, const struct call *call);
struct answer trap_sendto(const struct view *view, const struct call *call);
struct answer trap_sendmsg(const struct view *view, const struct call *call);
struct answer trap_sendmmsg(const struct view *view, const struct call *call);
struct answer trap_recvfrom(const struct view *view, const struct call *call);
struct answer trap_recvmsg(const struct view *view, const struct call *call);
struct answer trap_recvmmsg(const struct view *view, const struct call *call);

/* Before the first call: the cookie of the filter, by which addresses are told that need nothing. */
void trap_init(uint64_t of_filter);

/*
 * Reads an address of len bytes that the program hands to the kernel, and asks the rules. True when they
 * concern it: then *out is ready for rule_local() or rule_destination(). False: CONTINUE_CALL.
 */
bool trap_copy(const struct view *view, const struct call *call, uint64_t address, uint64_t len,
               struct outbound *out, enum rule_use use);

/* Whether the program's buffer at this address is our library's: it is marked (trap/question.h). */
bool trap_has_marked_room(const struct call *call, uint64_t address);

/* The socket of the call, when its ports are translated: a duplicate, to be closed. -1: CONTINUE_CALL; so for
 * one that is of another network namespace, or that cannot be had. The thread was still waiting afterwards.
 */
int trap_socket(const struct call *call, int fd);

#endif
