"""Servers outside of any run, on ports that are placeholders in some run: no client of that run may ever get here.

usage: stranger.py PORT...

Listens on each port, for TCP and UDP, on all addresses of the host and in the tests' multicast groups. Prints "ready",
answers everyone with "stranger", and prints a line for each visitor.
"""
import selectors
import socket
import struct
import sys

GROUPS = ('239.9.8.7', 'ff15::9:8:7')


def reuse(server):
    # Ignore connections in TIME_WAIT; a second listener is refused even so.
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def listener(port):
    server = socket.socket(socket.AF_INET6)
    reuse(server)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(('::', port))
    server.listen(64)
    return server


def receiver(port):
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(('::', port))
    try:
        any_interface = socket.inet_aton(GROUPS[0]) + socket.inet_aton('127.0.0.1')
        server.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, any_interface)
        loopback = struct.pack('@I', socket.if_nametoindex('lo'))
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, GROUPS[1]) + loopback)
    except OSError:
        pass  # on a host without multicast nobody can come by it
    return server


def answer(server):
    if server.type == socket.SOCK_STREAM:
        connection, visitor = server.accept()
        with connection:
            try:
                connection.sendall(b'stranger')
            except OSError:
                pass
    else:
        visitor = server.recvfrom(65536)[1]
        server.sendto(b'stranger', visitor)
    print('visited at', server.getsockname()[1], 'by', visitor, flush=True)


selector = selectors.DefaultSelector()
for word in sys.argv[1:]:
    for server in listener(int(word)), receiver(int(word)):
        selector.register(server, selectors.EVENT_READ)
print('ready', flush=True)
while True:
    for key, _ in selector.select():
        answer(key.fileobj)
