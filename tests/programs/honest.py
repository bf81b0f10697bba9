"""A client that asks a port server for one port after the other, and measures how long that takes.

usage: honest.py ADDRESS COUNT

With each request it also asks a server of its own, which does nothing but answer, in the same way: that shows the delays
that the host causes. Prints the milliseconds of the slowest and the median request, those of the other server, and how
many requests were not answered by a port.
"""
import os
import socket
import sys
import time


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
    return answer, (time.monotonic() - begin) * 1000


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
