/*
 * Asking the kernel which sockets have a port, by NETLINK_SOCK_DIAG (sock_diag(7)): IPv4 and IPv6, in the
 * caller's network namespace.
 */
#ifndef PORTMAP_HOST_SOCKDIAG_H
#define PORTMAP_HOST_SOCKDIAG_H

#include <stdbool.h>

struct sockdiag_port {
    unsigned tcp_listening; /* sockets in state LISTEN */
    unsigned tcp_time_wait; /* in state TIME_WAIT */
    unsigned tcp_other;     /* in any other state: bound only, connected, closing */
    unsigned udp;           /* bound UDP sockets */
};

/* Opens a descriptor (close-on-exec) for the questions below, or returns a negated errno. */
int sockdiag_open(void);

enum sockdiag_question {
    SOCKDIAG_SERVERS,    /* listening TCP and bound UDP sockets: what one can talk to; cheap */
    SOCKDIAG_EVERYTHING, /* TCP in every state: the kernel walks its whole connection table */
};

/* Asks about one local port (host byte order). Returns 0 or a negated errno. A TCP socket that is bound but
 * neither listening nor connected is invisible to the kernel's answer before Linux 6.8. */
int sockdiag_ask(int fd, unsigned port, enum sockdiag_question question, struct sockdiag_port *answer);

/* One socket: its port in host byte order, its protocol, and whether a TCP socket listens. */
struct sockdiag_socket {
    unsigned port;
    unsigned protocol; /* IPPROTO_TCP, IPPROTO_UDP */
    bool listens;
    unsigned long inode;
};

typedef void sockdiag_visit(const struct sockdiag_socket *socket, void *context);

/*
 * Calls visit for all sockets that listen, are bound UDP sockets or, from Linux 6.8 on, are bound TCP sockets
 * that neither listen nor are connected. For a caller that asks about many ports. Returns 0 or a negated
 * errno.
 */
int sockdiag_each(int fd, sockdiag_visit *visit, void *context);

/* The same for TCP sockets in every state, and UDP sockets: all that keep a port taken, but see above. For a
 * caller that would ask about ports one by one if this takes longer. Returns 0; -EOVERFLOW when there are
 * more than SOCKDIAG_MOST; or another negated errno. */
enum { SOCKDIAG_MOST = 8192 };
int sockdiag_every(int fd, sockdiag_visit *visit, void *context);

/* Whether a process has a socket with this port, which could not be bound: 1; 0 when all there is is left
 * over from connections, in TIME_WAIT and such states; or a negated errno. */
int sockdiag_is_held(unsigned port);

/* 1 when only connections in TIME_WAIT keep the port taken, 0 when not, or a negated errno. */
int sockdiag_only_time_wait(unsigned port);

#endif
