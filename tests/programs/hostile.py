"""A client that attacks a port server until SIGTERM.

usage: hostile.py KIND ADDRESS

silent      two thousand connections that say nothing, and come again when they are closed
drip        a hundred connections that send a byte a second
megabyte    a request of a megabyte, again and again
half        requests without a newline, closed for sending, whose answers nobody reads
storm       connections that are closed as soon as they are there
others      ports for process 1, for a process of another user (its parent), and for rubbish
flood       ports for itself, as fast as it can, hundreds of requests before it reads the first answer
rights      a hundred descriptors beside each piece of a request

Prints "ready" when it has begun. Ignores all errors, as a server may well refuse it.
"""
import os
import selectors
import socket
import sys
import time

MEGABYTE = b'1' * 1000000


def connect(address, blocking=True):
    """A connection, or None."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5 if blocking else 0)
    try:
        client.connect(address)
        return client
    except OSError:
        client.close()
        return None


def attempt(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        pass


def crowd(address, count, interval, say):
    """That many connections at once, each of which says something every so often; those that end come again."""
    selector = selectors.DefaultSelector()
    due = time.monotonic()
    while True:
        for _ in range(count - len(selector.get_map())):
            client = connect(address, blocking=False)
            if client is None:
                break
            selector.register(client, selectors.EVENT_READ)
        for key, _ in selector.select(max(0, due - time.monotonic())):
            selector.unregister(key.fileobj)
            key.fileobj.close()
        if time.monotonic() >= due:
            for key in list(selector.get_map().values()):
                attempt(say, key.fileobj)
            due += interval


def alone(say):
    """Makes one connection after the other."""
    def turn(address):
        client = connect(address)
        if client:
            with client:
                attempt(say, client)
    return turn


def say_and_read(client, words):
    client.sendall(words)
    client.recv(64)


def half(client):
    client.sendall(b'%d' % os.getpid())
    client.shutdown(socket.SHUT_WR)


def rights(client):
    descriptors = [client.fileno()] * 100
    for piece in b'12', b'x' * 30, b'\n':
        socket.send_fds(client, [piece], descriptors)
    client.recv(64)


def others(address):
    for words in b'1\n', b'%d\n' % os.getppid(), b'0\n', b'-7\n', b'\xff\0\n', b'\n', b'4194305\n':
        alone(lambda client, words=words: say_and_read(client, words))(address)


def flood(address):
    clients = [client for client in (connect(address, blocking=False) for _ in range(500)) if client]
    for client in clients:
        attempt(client.sendall, b'%d\n' % os.getpid())
    for client in clients:
        client.settimeout(5)
        attempt(client.recv, 64)
        client.close()


def nothing(_):
    pass


TURNS = {
    'megabyte': alone(lambda client: client.sendall(MEGABYTE)),
    'half': alone(half),
    'storm': alone(nothing),
    'others': others,
    'flood': flood,
    'rights': alone(rights),
}

kind, address = sys.argv[1], sys.argv[2].replace('@', '\0', 1)
print('ready', flush=True)
if kind == 'silent':
    crowd(address, 2000, 3600, nothing)
elif kind == 'drip':
    crowd(address, 100, 1, lambda client: client.send(b'7'))
while True:
    TURNS[kind](address)
