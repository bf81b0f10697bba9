"""A server that goes to the background, as daemons do: whoever started it is gone when it serves.

usage: daemon.py [chroot DIRECTORY] PORT...

Listens at the ports of 127.0.0.1, prints its pid, and detaches; after `chroot` it first makes the directory its root.
Answers each client with its uid. SIGUSR1 closes its listening sockets, SIGUSR2 opens them
again. Runs until SIGTERM.
"""
import os
import selectors
import signal
import socket
import sys

'x'.encode('idna')  # Python loads this codec at first use, and could not after chroot
arguments = sys.argv[1:]
root = arguments[1] if arguments[0] == 'chroot' else None
ports = [int(word) for word in arguments[2 if root else 0:]]
selector = selectors.DefaultSelector()
servers = []


def listen(*_):
    for port in ports:
        server = socket.create_server(('127.0.0.1', port))
        server.setblocking(False)
        selector.register(server, selectors.EVENT_READ)
        servers.append(server)


def close(*_):
    while servers:
        selector.unregister(servers[-1])
        servers.pop().close()


def answer(server):
    try:
        connection = server.accept()[0]
        connection.settimeout(60)
        connection.sendall(str(os.getuid()).encode())
        connection.recv(1)  # the client closes first: then its port, not ours, is in TIME_WAIT
        connection.close()
    except OSError:
        pass  # the client has gone


def detach():
    """Returns in the child, with the descriptor that tells the parent that it serves."""
    from_child, to_parent = os.pipe()
    pid = os.fork()
    if pid:
        os.close(to_parent)
        served = os.read(from_child, 1)
        if served:
            print(pid, flush=True)
        os._exit(0 if served else 1)
    os.setsid()
    os.chdir('/')
    return to_parent


to_parent = detach()
if root:
    os.chroot(root)
    os.chdir('/')
signal.signal(signal.SIGUSR1, close)
signal.signal(signal.SIGUSR2, listen)
listen()
os.write(to_parent, b'1')
kept = {selector.fileno()} | {server.fileno() for server in servers}
for descriptor in range(256):
    if descriptor not in kept:
        try:
            os.close(descriptor)
        except OSError:
            pass
while True:
    for key, _ in selector.select(1):
        answer(key.fileobj)
