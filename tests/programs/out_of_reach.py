"""Binds more ports than were leased beforehand, in a place from which none can be leased.

usage: out_of_reach.py chroot DIRECTORY | user | descriptors | nothing   FIRST COUNT

Binds COUNT placeholders from FIRST on, for TCP and UDP, IPv4 and IPv6. Then checks the name of each socket, and that it
can be reached by that name. Prints what was refused, then "ready", and runs until SIGTERM.
"""
import os
import resource
import signal
import socket
import sys

first, count = int(sys.argv[-2]), int(sys.argv[-1])
numbers = range(first, first + count)
kinds = [(family, kind) for family in (socket.AF_INET, socket.AF_INET6) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
loopback = {socket.AF_INET: '127.0.0.1', socket.AF_INET6: '::1'}
servers = {(number, *kind): socket.socket(*kind) for number in numbers for kind in kinds}
clients = {key: socket.socket(*key[1:]) for key in servers}
'x'.encode('idna')  # Python loads this codec at first use, and could not later

where = sys.argv[1]
if where == 'chroot':
    os.chroot(sys.argv[2])
    os.chdir('/')
elif where == 'user':
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
elif where == 'descriptors':
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
for (number, family, kind), server in servers.items():
    try:
        server.bind((loopback[family], number))
        if kind == socket.SOCK_STREAM:
            server.listen(5)
        if server.getsockname()[1] != number:
            print(number, 'is called', server.getsockname()[1])
    except OSError as error:
        print(number, family.name, kind.name, error.strerror)
        del clients[number, family, kind]
# Only now: a client's own port may be the one that the kernel then chooses for another protocol or family.
for (number, family, kind), client in clients.items():
    try:
        client.connect((loopback[family], number))
        if client.getpeername()[1] != number:
            print(number, 'is a peer called', client.getpeername()[1])
    except OSError as error:
        print(number, family.name, kind.name, 'cannot be reached:', error.strerror)
print('ready', flush=True)
signal.pause()
