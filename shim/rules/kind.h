/*
 * Which sockets are translated: stream sockets of TCP and MPTCP, datagram sockets of UDP. Where an address of
 * another kind has a port it is something else: a raw socket's protocol, a ping socket's identifier, a port
 * of SCTP or UDP-Lite.
 *
 * The kernel tells a socket's kind, and is asked only where the port is one of ours. Most processes never
 * have a socket of another kind. In them it is asked only for a placeholder of one protocol: a process is
 * known to have others once it made one by socket(2), inherited one at exec, or received one in a message.
 * Under a filter nothing is asked, and every socket is taken for one that matches.
 */
#ifndef SHIM_RULES_KIND_H
#define SHIM_RULES_KIND_H

#include "rules/view.h"

#include <sys/socket.h>

/* Looks at the descriptors that this process, whose view it is, was started with. Called once, at attach. */
void kind_init(struct view *view);

/* Notes that the process has made a socket, by socket(2)'s arguments. */
void kind_note_made(struct view *view, int family, int type, int protocol);

/* The kind of a socket: PORTMAP_TCP, PORTMAP_UDP, or 0 when it is another or cannot be asked. Leaves errno
 * alone. */
unsigned kind_of(const struct view *view, int fd);

/*
 * Whether a socket is one that a placeholder of these protocols (PORTMAP_TCP, PORTMAP_UDP or both) is about.
 * Leaves errno alone. Async-signal-safe.
 */
bool kind_matches(const struct view *view, int fd, unsigned protocols);

/* Looks at the descriptors that came with a message, once it was received. Leaves errno alone. */
void kind_received(struct view *view, struct msghdr *message);

#endif
