"""A server that is started with its socket, as inetd and systemd do it: it says its name and what it sees.

activated.py NAME: descriptor 0 is a connection or a UDP socket; or, by LISTEN_FDS, descriptor 3 is a listener. The
answer is the NAME and the socket's own port; at 9001 it is what a client of 9000, started here, is told.
"""
import os
import socket
import subprocess
import sys


def answer(own):
    port = own.getsockname()[1]
    if port != 9001:
        return f"{sys.argv[1]} {port}"
    client = ["socat", "-u", "-T", "10", f"TCP:{own.getsockname()[0]}:9000", "-"]
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
