#!/usr/bin/python3
"""Judges whether a port has two holders, without ever looking at portshim's tables.

Each holder (a command in a run) connects to the observer's unix socket and announces the real port it was given; the
connection stays open as long as the holder lives, so the kernel tells when it is gone; a byte back says that the port
has been taken in. The observer counts the times
that a port is announced while another living holder has it, or while any socket of the host is bound to it: it binds the
port itself for a moment, without reuse options.

usage: observer.py SOCKET      prints a line per double holding as it happens, and a summary at SIGTERM
"""
import selectors
import signal
import socket
import sys


class Observer:
    def __init__(self, path):
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1024)
        self.holders = {}
        self.seen = self.doubles = 0

    def is_bound(self, port):
        with socket.socket(socket.AF_INET6) as probe:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            try:
                probe.bind(("::", port))
            except OSError:
                return True
        return False

    def report(self, how, port):
        self.doubles += 1
        print("double:", port, how, flush=True)

    def announce(self, connection):
        self.selector.unregister(connection)
        port = int(connection.recv(16) or 0)
        if port and port in self.holders.values():
            self.report("announced twice", port)
        elif port and self.is_bound(port):
            self.report("bound by a socket", port)
        self.seen += bool(port)
        self.holders[connection] = port
        self.selector.register(connection, selectors.EVENT_READ, self.leave)
        try:
            connection.sendall(b".")
        except OSError:
            pass  # killed meanwhile: its end of the connection says so as well

    def leave(self, connection):
        self.selector.unregister(connection)
        del self.holders[connection]
        connection.close()

    def accept(self, listener):
        connection, _ = listener.accept()
        self.selector.register(connection, selectors.EVENT_READ, self.announce)

    def serve(self):
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        print("ready", flush=True)
        while True:
            for key, _ in self.selector.select():
                key.data(key.fileobj)


def main():
    observer = Observer(sys.argv[1])

    def finish(*_):
        sys.exit(0)

    signal.signal(signal.SIGTERM, finish)
    try:
        observer.serve()
    finally:
        print("seen", observer.seen, "doubles", observer.doubles, flush=True)


if __name__ == "__main__":
    main()
