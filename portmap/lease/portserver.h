/*
 * Asking a port server for ports, by portpicker's protocol: connect to its unix socket, send "PID\n", read
 * "PORT\n". The port is that process's until it dies. Any server will do: google/python_portpicker's
 * portserver.py, or `portshim serve`.
 */
#ifndef PORTMAP_LEASE_PORTSERVER_H
#define PORTMAP_LEASE_PORTSERVER_H

#include <stdint.h>
#include <sys/types.h>

enum { PORTSERVER_MILLISECONDS = 5000 }; /* what a server may take to answer, all in all */

/*
 * Asks the server at `address` (see address.h) for a port for process `pid`, and waits for at most that long.
 * Returns the port, in 1..65535, not looked at further; PORTMAP_EREFUSED when the server gave none: an empty
 * reply, 0, or anything that is no port; PORTMAP_ENAMESPACE when the server is outside of this process's pid
 * namespace, where the number of the process means another one; -ETIMEDOUT when the time was over, be it
 * that its backlog is full, that it does not read or does not answer; or the negated errno of the call that
 * failed: -ECONNREFUSED when nobody serves the address, -ENOENT when there is no such socket.
 *
 * Keeps no descriptor, raises no SIGPIPE. Thread-safe.
 */
int portserver_ask(const char *address, pid_t pid, unsigned milliseconds);

/*
 * Gives a port back, which only `portshim serve` knows how to take: 0, PORTMAP_EREFUSED when the server does
 * not, or an error as above.
 */
int portserver_release(const char *address, unsigned port, unsigned milliseconds);

/*
 * Sends one line to the server and reads what it answers until it closes the connection, at most size - 1
 * bytes, terminated. Returns their number, or an error as above.
 */
int portserver_talk(const char *address, const char *line, char *answer, unsigned size,
                    unsigned milliseconds);

#endif
