/*
 * Which sockets are translated: those of TCP, MPTCP and UDP. In an address of another kind of socket, the
 * field of the port means something else: a raw socket's protocol, a ping socket's identifier, a port of SCTP
 * or UDP-Lite.
 *
 * The kernel tells a socket's kind (getsockopt(2)). It is asked only when a port means something in the run,
 * and then only if the placeholder is for one protocol or the process is `mixed`: it may have sockets of
 * another kind, because it made one with socket(2), inherited one at exec or received one in a message. Most
 * processes never do. Once the program has installed a seccomp filter (process/filter.h), nothing is asked
 * and every socket matches.
 */
#ifndef SHIM_RULES_KIND_H
#define SHIM_RULES_KIND_H

#include "rules/view.h"

#include <sys/socket.h>

/* Whether addresses of a family may have ports; those of local families (AF_UNIX, AF_NETLINK, AF_PACKET) have
 * none. */
bool kind_has_ports(int family);

/* Notes that the process has made a socket; the arguments are those of socket(2). */
void kind_note_made(struct view *view, int family, int type, int protocol);

/* Notes a descriptor, of a socket or of something else, that the process got from another one. Leaves errno
 * alone. */
void kind_note_got(struct view *view, int fd);

/* PORTMAP_TCP, PORTMAP_UDP, or 0 when the socket is of another kind or the kernel cannot be asked. Leaves
 * errno alone. */
unsigned kind_of(const struct view *view, int fd);

/* Whether a placeholder for these protocols (PORTMAP_TCP, PORTMAP_UDP or both) applies to the socket. Leaves
 * errno alone. Async-signal-safe. */
bool kind_matches(const struct view *view, int fd, unsigned protocols);

/* Notes the descriptors that came with a received message (SCM_RIGHTS). Leaves errno alone. */
void kind_received(struct view *view, struct msghdr *message);

#endif
