"""Judges whether a port has two holders, where ports change hands within a millisecond.

Each holder connects to the observer's unix socket and says its port, a line, and goes on when it is answered with a
byte; the connection ends with the holder, before the kernel tells anybody that it has died. A port that is announced
while the connection of another of its holders is open has two.

usage: mixed_observer.py SOCKET      prints a line per double holding as it happens, and a summary at SIGTERM
"""
import selectors
import signal
import socket
import sys


def has_left(connection):
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


class Observer:
    def __init__(self, path):
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1024)
        self.holders = {}
        self.seen = self.doubles = 0

    def announce(self, connection, data):
        port = int(data)
        other = self.holders.get(port)
        if other and not has_left(other):
            self.doubles += 1
            print('double:', port, flush=True)
        self.holders[port] = connection
        self.seen += 1
        try:
            connection.sendall(b'.')
        except OSError:
            pass  # killed meanwhile: its end of the connection says so as well

    def read(self, connection):
        try:
            data = connection.recv(16)
        except OSError:
            data = b''
        if data.strip():
            self.announce(connection, data)
            return
        self.selector.unregister(connection)
        connection.close()
        for port in [port for port, holder in self.holders.items() if holder is connection]:
            del self.holders[port]

    def accept(self, listener):
        connection, _ = listener.accept()
        self.selector.register(connection, selectors.EVENT_READ, self.read)

    def serve(self):
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        print('ready', flush=True)
        while True:
            for key, _ in self.selector.select():
                key.data(key.fileobj)


observer = Observer(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
try:
    observer.serve()
finally:
    print('seen', observer.seen, 'doubles', observer.doubles, flush=True)
