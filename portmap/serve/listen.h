/*
 * The socket that `portshim serve` listens on.
 */
#ifndef PORTMAP_SERVE_LISTEN_H
#define PORTMAP_SERVE_LISTEN_H

#include <stdbool.h>

struct serve_listener {
    int fd;           /* non-blocking, close-on-exec */
    const char *path; /* of the socket file that is ours to remove, or NULL */
    unsigned long long device, inode;
};

/*
 * Binds the address (address.h) and listens, for every user: who may lease for whom is decided by
 * SO_PEERCRED, not by the file's mode. A socket file that nobody serves any more is replaced. 0, -EADDRINUSE
 * when a living server has the address, PORTMAP_EFOREIGN when something else than a socket is there, or a
 * negated errno.
 */
int serve_listen(struct serve_listener *listener, const char *address);

/*
 * The socket that systemd passes (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS=1). 1 when there is one, 0 when
 * none is passed, PORTMAP_EFOREIGN when it is anything but one listening unix stream socket.
 */
int serve_listen_inherited(struct serve_listener *listener);

/* Clients see the process that called listen(2) last as their server: to be called by the daemon itself. */
int serve_listen_again(const struct serve_listener *listener);

/* Closes the socket and removes its file, unless another server has put its own there. */
void serve_listen_end(struct serve_listener *listener);

#endif
