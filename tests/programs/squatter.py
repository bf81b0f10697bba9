"""Another program of the host, which holds random ports of a pool. A run that gets one of these has not asked the kernel
whether it is free.

usage: squatter.py PORT,PORT... COUNT

Binds COUNT sockets, TCP and UDP, IPv4 and IPv6, on one address or on all, without reuse options, prints "ready" and
keeps them until SIGTERM. Meanwhile it binds other ports all the time and closes them at once: none that the table in
PORTSHIM_HOME leases, as a server may be about to bind that.
"""
import os
import random
import socket
import struct
import sys
import time

ADDRESSES = (
    (socket.AF_INET, '127.0.0.1'),
    (socket.AF_INET, '0.0.0.0'),
    (socket.AF_INET6, '::1'),
    (socket.AF_INET6, '::'),
)


def take(port):
    """A socket on the port, or None when somebody has it."""
    family, address = random.choice(ADDRESSES)
    taken = socket.socket(family, random.choice((socket.SOCK_STREAM, socket.SOCK_DGRAM)))
    try:
        taken.bind((address, port))
        return taken
    except OSError:
        taken.close()
        return None


def is_leased(port):
    try:
        with open(os.environ['PORTSHIM_HOME'] + '/leases', 'rb') as table:
            table.seek(56 + 8 * 256 + 8 * port)  # as in leases.py
            return struct.unpack('=Q', table.read(8)) != (0,)
    except FileNotFoundError:
        return False


ports = [int(word) for word in sys.argv[1].split(',')]
kept = [take(port) for port in random.sample(ports, int(sys.argv[2]))]
print('ready', flush=True)
while True:
    port = random.choice(ports)
    taken = None if is_leased(port) else take(port)
    if taken:
        taken.close()
    time.sleep(0.02)  # the interval at which it disturbs others; no event to wait for
