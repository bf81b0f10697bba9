"""A client that asks a port server for one port after the other, and measures how long that takes.

usage: honest.py ADDRESS COUNT

With each request it also asks a server of its own, which does nothing but answer, in the same way: that shows the delays
that the host causes. While it waits, a thread of it looks at the clock all the time: as long as that cannot run, the host
stands still, and that time does not count. Prints the milliseconds of the slowest and the median request, those of the other server, and how
many requests were not answered by a port.
"""
import os
import socket
import sys
import threading
import time


class Pulse(threading.Thread):
    """Knows when the host stood still for longer than LEAST seconds."""
    LEAST = 0.1

    def __init__(self):
        super().__init__(daemon=True)
        self.last, self.stalls = time.monotonic(), []  # of stalls: when each ended, and its length
        self.start()

    def run(self):
        while True:
            now = time.monotonic()
            if now - self.last > self.LEAST:
                self.stalls.append((now, now - self.last))
            self.last = now
            time.sleep(0.005)

    def stalled(self, begin, end):
        """How long the host stood still between these two moments."""
        unseen = end - self.last  # this thread may not have run yet after the last one
        known = sum(min(length, ended - begin) for ended, length in self.stalls if begin < ended <= end)
        return known + (unseen if unseen > self.LEAST else 0)


def serve(listener):
    while True:
        client = listener.accept()[0]
        with client:
            client.recv(64)
            client.sendall(b'1\n')


def ask(address):
    """The answer, and the milliseconds that it took."""
    begin = time.monotonic()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        client.sendall(b'%d\n' % os.getpid())
        answer = client.recv(64)
    end = time.monotonic()
    return answer, (end - begin - pulse.stalled(begin, end)) * 1000


def summary(times):
    times.sort()
    return f'{times[-1]:.1f} {times[len(times) // 2]:.1f}'


address = sys.argv[1].replace('@', '\0', 1)
own = socket.socket(socket.AF_UNIX)
own.bind('')
own.listen(64)
server = os.fork()
if not server:
    serve(own)
pulse = Pulse()
times, own_times, failed = [], [], 0
try:
    for _ in range(int(sys.argv[2])):
        answer, taken = ask(address)
        failed += not answer.strip().isdigit()
        times.append(taken)
        own_times.append(ask(own.getsockname())[1])
        time.sleep(0.01)  # the interval of its requests; no event to wait for
finally:
    os.kill(server, 15)
    os.waitpid(server, 0)
print(summary(times), summary(own_times), failed)
