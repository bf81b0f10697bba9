#!/usr/bin/python3
"""Checks that no port has two holders, without ever looking at portshim's tables.

Each holder connects to the observer's unix socket and announces the real ports that it was given, a line each. A line
with a minus sign before the port withdraws it. The observer answers each line with a byte. A holder has what it has
announced as long as it lives; the kernel tells when it has ended. The observer counts how often a port is announced
while a living holder has it, or while a socket of the host stays bound to it. To find out, it binds the port itself for
a moment, without reuse options.

With the word "connections", a holder lives as long as its connection, which ends before the kernel tells that the
process has died: ports may change hands within a millisecond. Holders may then have bound the ports they announce.

usage: observer.py SOCKET [connections]   prints a line per double holding as it happens, one per 100 announcements,
                                         and a summary at SIGTERM
"""
import os
import select
import selectors
import signal
import socket
import struct
import sys
import time

STAYS_BOUND = 60  # seconds; a probe is over much sooner, unless the machine stops in the middle of it


class Holder:
    def __init__(self, connection):
        self.connection = connection
        self.line = b""
        self.ports = set()

    def lives(self):
        try:
            return len(self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)) == 1
        except BlockingIOError:
            return True
        except OSError:
            return False

    def lines(self):
        """The lines that the holder has sent since the last time; None at the end."""
        try:
            received = self.connection.recv(4096)
        except ConnectionResetError:
            received = b""
        *lines, self.line = (self.line + received).split(b"\n")
        return lines if received else None

    def answer(self):
        try:
            self.connection.sendall(b".")
        except OSError:
            pass  # killed meanwhile, which the end of its connection tells, too

    def close(self):
        self.connection.close()


class HolderProcess(Holder):
    def __init__(self, connection):
        super().__init__(connection)
        pid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        try:
            self.process = os.pidfd_open(pid)
        except ProcessLookupError:
            self.process = None

    def lives(self):
        return self.process is not None and not select.select([self.process], [], [], 0)[0]

    def close(self):
        super().close()
        if self.process is not None:
            os.close(self.process)


class Observer:
    def __init__(self, path, kind):
        self.kind = kind
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1024)
        self.holders = {}  # port: who announced it last
        self.seen = self.doubles = 0

    def is_bound(self, port):
        with socket.socket(socket.AF_INET6) as probe:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            try:
                probe.bind(("::", port))
            except OSError:
                return True
        return False

    def stays_bound(self, port, holder):
        deadline = time.monotonic() + STAYS_BOUND
        while self.is_bound(port) and holder.lives():
            if time.monotonic() > deadline:
                return True
        return False

    def report(self, how, port):
        self.doubles += 1
        print("double:", port, how, flush=True)

    def announce(self, holder, port):
        self.seen += 1
        if self.seen % 100 == 0:
            print(self.seen, "so far", flush=True)
        other = self.holders.get(port)
        other_lives = other is not None and other.lives()
        if not holder.lives():
            return  # killed before its turn: the port's next holder may have been heard first
        if other_lives:
            self.report("announced twice", port)
        elif self.kind is HolderProcess and self.stays_bound(port, holder):
            self.report("bound by a socket", port)
        self.holders[port] = holder
        holder.ports.add(port)

    def withdraw(self, holder, port):
        holder.ports.discard(port)
        if self.holders.get(port) is holder:
            del self.holders[port]

    def listen_to(self, holder):
        lines = holder.lines()
        if lines is None:
            self.leave(holder)
            return
        for line in lines:
            port = int(line)
            if port > 0:
                self.announce(holder, port)
            else:
                self.withdraw(holder, -port)
            holder.answer()

    def leave(self, holder):
        self.selector.unregister(holder.connection)
        for port in list(holder.ports):
            self.withdraw(holder, port)
        holder.close()

    def accept(self, _):
        holder = self.kind(self.listener.accept()[0])
        self.selector.register(holder.connection, selectors.EVENT_READ, (self.listen_to, holder))

    def serve(self):
        self.selector.register(self.listener, selectors.EVENT_READ, (self.accept, None))
        print("ready", flush=True)
        while True:
            for key, _ in self.selector.select():
                handle, holder = key.data
                handle(holder)


def main():
    observer = Observer(sys.argv[1], Holder if sys.argv[2:] == ["connections"] else HolderProcess)

    def finish(*_):
        sys.exit(0)

    signal.signal(signal.SIGTERM, finish)
    try:
        observer.serve()
    finally:
        print("seen", observer.seen, "doubles", observer.doubles, flush=True)


if __name__ == "__main__":
    main()
