"""Servers that answer with a name, and clients that print who answered.

usage: peer.py serve NAME [ADDRESS/]PORT...   TCP and UDP; prints "ready" when all listen, and "PORT: error" for
                                              those that could not be bound
       peer.py ask [ADDRESS/]PORT...          prints the answer or the error, for TCP and for UDP, a line each
       peer.py retry [ADDRESS/]PORT           asks over TCP until there is an answer; prints "refused" the first time

The default address is 127.0.0.1. Only `retry` asks twice, so that no stranger's answer is missed.
"""
import selectors
import socket
import sys
import time

PATIENCE = 60


def sockets(word, kind):
    """A socket of that kind, and the address that a word names."""
    address, _, port = word.rpartition('/')
    family, _, _, _, name = socket.getaddrinfo(address or '127.0.0.1', int(port), type=kind)[0]
    created = socket.socket(family, kind)
    created.settimeout(PATIENCE)
    return created, name


def bound(word, kind):
    server, name = sockets(word, kind)
    if kind == socket.SOCK_STREAM:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(name)
    if kind == socket.SOCK_STREAM:
        server.listen(64)
    return server


def answer(server, name):
    if server.type == socket.SOCK_STREAM:
        connection, client = server.accept()
        with connection:
            connection.sendall(name)
    else:
        _, client = server.recvfrom(64)
        server.sendto(name, client)
    print('asked by', client[0], client[1], flush=True)


def serve(name, words):
    selector = selectors.DefaultSelector()
    for word in words:
        try:
            for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
                selector.register(bound(word, kind), selectors.EVENT_READ)
        except OSError as error:
            print(word + ':', error.strerror)
    print('ready', flush=True)
    while True:
        for key, _ in selector.select():
            answer(key.fileobj, name.encode())


def ask(word, kind):
    client, name = sockets(word, kind)
    with client:
        client.connect(name)
        if client.getpeername()[1] != name[1]:
            return 'at another port'
        if kind == socket.SOCK_DGRAM:
            client.send(b'?')
        return client.recv(64).decode()


def outcome(word, kind):
    try:
        return ask(word, kind)
    except OSError as error:
        return error.strerror or str(error)


def retry(word):
    said = False
    while True:
        try:
            return ask(word, socket.SOCK_STREAM)
        except ConnectionRefusedError:
            if not said:
                print('refused', flush=True)
            said = True
            time.sleep(0.01)  # as a retrying client does: no event tells that its server is there


if sys.argv[1] == 'serve':
    serve(sys.argv[2], sys.argv[3:])
elif sys.argv[1] == 'retry':
    print(retry(sys.argv[2]), flush=True)
else:
    for word in sys.argv[2:]:
        print(outcome(word, socket.SOCK_STREAM))
        print(outcome(word, socket.SOCK_DGRAM))
