"""Another program of the host that takes ports of a pool by chance: which nobody else could foresee, so a run that is
given one of them did not ask the kernel.

usage: squatter.py PORT,PORT... COUNT

COUNT sockets, TCP and UDP, IPv4 and IPv6, on one address and on all, without any reuse option, stay bound until
SIGTERM; "ready" is printed once they are. From then on others are bound all the time, and let go of at once: a server
whose port is leased but not yet bound may meet one of those only by a chance of one in many thousand.
"""
import random
import socket
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


ports = [int(word) for word in sys.argv[1].split(',')]
kept = [take(port) for port in random.sample(ports, int(sys.argv[2]))]
print('ready', flush=True)
while True:
    taken = take(random.choice(ports))
    if taken:
        taken.close()
    time.sleep(0.02)  # how often it disturbs: nothing waits for it, and nothing is to be waited for
