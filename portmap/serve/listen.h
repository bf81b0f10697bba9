/*
 * The socket that `portshim serve` listens on.
 */
#ifndef PORTMAP_SERVE_LISTEN_H
#define PORTMAP_SERVE_LISTEN_H

#include <stdbool.h>

struct serve_listener {
    int fd;                           /* non-blocking, close-on-exec */
    const char *path;                 /* of the socket file to remove at the end, or NULL */
    unsigned long long device, inode; /* of that file */
};

/*
 * Binds the address (base/unix_address.h) and listens. Every user may connect: SO_PEERCRED decides who may
 * lease for whom, not the file's mode. Replaces a dead server's socket file. Returns 0, -EADDRINUSE when a
 * living server has the address, PORTMAP_EFOREIGN when a file other than a socket is there, or a negated
 * errno.
 */
int serve_listen(struct serve_listener *listener, const char *address);

/*
 * Takes the socket that systemd passes (LISTEN_PID and LISTEN_FDS=1, see sd_listen_fds(3)). Returns 1 when it
 * is passed, 0 when nothing is, PORTMAP_EFOREIGN when it is not one listening unix stream socket.
 */
int serve_listen_inherited(struct serve_listener *listener);

/* To be called by the forked daemon: clients see the last caller of listen(2) as their server. */
int serve_listen_again(const struct serve_listener *listener);

/* Closes the socket and removes its file, unless another server has replaced that. */
void serve_listen_end(struct serve_listener *listener);

#endif
