"""A server that gives up files, privileges and descriptors before it binds.

late_bind.py ROOT ADDRESS: root changes its root to ROOT and becomes nobody. With no descriptor left it binds 9000 for
TCP and UDP on all addresses, and asks itself at ADDRESS as a client. Then it answers at 9000 with what it saw.
"""
import os
import resource
import socket
import sys

root, address = sys.argv[1:]
seen = []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
listener, client, datagrams, sender = (
    socket.socket(type=kind) for kind in [socket.SOCK_STREAM] * 2 + [socket.SOCK_DGRAM] * 2
)
if os.geteuid() == 0:
    os.chroot(root)
    os.chdir("/")
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
fillers = []
try:
    while True:
        fillers.append(os.dup(0))
except OSError as error:
    seen.append(error.strerror)

datagrams.bind(("0.0.0.0", 9000))
listener.bind(("0.0.0.0", 9000))
listener.listen()
sender.sendto(b"over UDP", (address, 9000))
seen.append(datagrams.recv(100).decode())
client.connect((address, 9000))
seen.append("to %d" % client.getpeername()[1])
for filler in fillers:
    os.close(filler)
listener.accept()[0].close()
seen.append("from %d" % listener.getsockname()[1])
seen.append("uid %d" % os.getuid())
while True:
    listener.accept()[0].sendall(", ".join(seen).encode())
