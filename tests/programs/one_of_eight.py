#!/usr/bin/python3
"""one_of_eight.py N [COUNT]: serves its number on port 8080 until COUNT (8) of them do so at the same time, each of
which has a file in the directory `serving`. Ends with 1 when they are not all there within 20 seconds."""
import os
import socket
import sys
import time

number, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8
server = socket.create_server(("127.0.0.1", 8080))
client = socket.create_connection(("127.0.0.1", 8080))
server.accept()[0].sendall(number.encode())
assert client.recv(100) == number.encode()
os.makedirs("serving", exist_ok=True)
open(os.path.join("serving", number), "w").close()
deadline = time.monotonic() + 20
while len(os.listdir("serving")) < count:
    if time.monotonic() > deadline:
        sys.exit(1)
    time.sleep(0.02)  # others make the files: there is no event
