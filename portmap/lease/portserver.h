/*
 * Asking a port server for ports, by portpicker's protocol: connect to its unix socket, send "PID\n", read
 * "PORT\n". The port belongs to that process until it dies. Any server will do: google/python_portpicker's
 * portserver.py, or `portshim serve`.
 */
#ifndef PORTMAP_LEASE_PORTSERVER_H
#define PORTMAP_LEASE_PORTSERVER_H

#include <stdint.h>
#include <sys/types.h>

enum { PORTSERVER_MILLISECONDS = 5000 }; /* how long a server may take to answer */

/*
 * Asks the server at `address` (see base/unix_address.h) for a port for process `pid`, and waits for up to
 * `milliseconds`. Returns the port, in 1..65535, which is not probed. PORTMAP_EREFUSED when the server gave
 * none: its reply is empty, 0, or not a port. PORTMAP_ENAMESPACE when the server is outside of this process's
 * pid namespace, where the same pid is another process. -ETIMEDOUT when the time is over: its backlog is
 * full, it does not read, or it does not answer. Else the negated errno of the call that failed:
 * -ECONNREFUSED when nobody serves the address, -ENOENT when there is no such socket.
 *
 * Keeps no descriptor, raises no SIGPIPE. Thread-safe.
 */
int portserver_ask(const char *address, pid_t pid, unsigned milliseconds);

/*
 * Asks for the port that `number` stands for in the server's pool (lease/key.h), which only `portshim serve`
 * understands: "PID NUMBER\n". 0 and *port; PORTMAP_EHELD and *port when it is taken; PORTMAP_EREFUSED when
 * the server does not understand, or refuses; or an error as above.
 */
int portserver_ask_number(const char *address, pid_t pid, uint32_t number, unsigned *port,
                          unsigned milliseconds);

/* Gives a port back to the server. Only `portshim serve` takes ports back: 0; PORTMAP_EREFUSED when the
 * server does not; or an error as above. */
int portserver_release(const char *address, unsigned port, unsigned milliseconds);

/* Sends one line to the server and reads its answer until it closes the connection: up to size - 1 bytes,
 * which are terminated. Returns their number, or an error as above. */
int portserver_talk(const char *address, const char *line, char *answer, unsigned size,
                    unsigned milliseconds);

#endif
