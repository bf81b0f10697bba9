"""A server that gets its socket from inetd or systemd and answers with its name and what it sees.

activated.py NAME: descriptor 0 is a connection or a UDP socket; or, with LISTEN_FDS, descriptor 3 is a listener. The
answer is NAME and the socket's own port. At 9001, the answer is what a client that it starts gets from 9000.
"""
import os
import socket
import subprocess
import sys


def answer(own):
    port = own.getsockname()[1]
    if port != 9001:
        return f"{sys.argv[1]} {port}"
    client = ["socat", "-u", "-T", "60", f"TCP:{own.getsockname()[0]}:9000", "-"]
    told = subprocess.run(client, stdout=subprocess.PIPE, check=True).stdout
    return "at 9000: " + told.decode().strip()


own = socket.socket(fileno=3 if os.environ.get("LISTEN_PID") == str(os.getpid()) else 0)
if own.type == socket.SOCK_DGRAM:
    _, client = own.recvfrom(100)
    own.sendto(f"{answer(own)}\n".encode(), client)
else:
    if own.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        own, _ = own.accept()
    own.sendall(f"{answer(own)}\n".encode())
