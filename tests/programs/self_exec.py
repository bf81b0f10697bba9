"""A server that executes itself again after each answer, with an empty environment.

self_exec.py inherit|rebind [GENERATION [DESCRIPTOR]]: answers at 9000 with its generation and its own port. The next
generation inherits the listener's descriptor, or binds the port itself.
"""
import os
import socket
import sys

way = sys.argv[1]
generation = int(sys.argv[2]) if len(sys.argv) > 2 else 0
descriptor = int(sys.argv[3]) if len(sys.argv) > 3 else None
if descriptor is not None:
    listener = socket.socket(fileno=descriptor)
else:
    listener = socket.create_server(("127.0.0.1", 9000))
connection, _ = listener.accept()
connection.sendall(f"{generation} {listener.getsockname()[1]}\n".encode())
connection.close()

following = [sys.executable, __file__, way, str(generation + 1)]
if way == "inherit":
    listener.set_inheritable(True)
    following.append(str(listener.fileno()))
os.execve(sys.executable, following, {})
