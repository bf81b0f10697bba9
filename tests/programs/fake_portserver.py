#!/usr/bin/python3
"""A port server that misbehaves in one way.

usage: fake_portserver.py ADDRESS say TEXT...     answers each request with the next text, the last one for ever; text
                                                 is escaped as in Python, and "|" in it is a pause between two pieces
       fake_portserver.py ADDRESS after FILE TEXT...
                                                 the same, but gives the first answer only once FILE exists
       fake_portserver.py ADDRESS slow SECONDS PORT,PORT... [FILE]
                                                 gives each of the ports once, SECONDS after it was asked; with FILE, all but
                                                 the first only once that exists; clients need not wait for each other
       fake_portserver.py ADDRESS flood          answers with a megabyte
       fake_portserver.py ADDRESS close          closes before it has read anything
       fake_portserver.py ADDRESS silent         reads and never answers
       fake_portserver.py ADDRESS drip           answers a byte every now and then, and never a whole line
       fake_portserver.py ADDRESS full           never accepts, and its backlog is full

ADDRESS is a path, or begins with "@". Prints "ready" once clients can connect, and then each request.
"""
import os
import signal
import socket
import sys
import threading
import time

address, mode, *texts = sys.argv[1:]
file = texts.pop(0) if mode == "after" else None
name = "\0" + address[1:] if address.startswith("@") else address
listener = socket.socket(socket.AF_UNIX)
listener.bind(name)
listener.listen(0 if mode == "full" else 64)
kept = []


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.02)  # a program or a shell makes the file: no event


def give(connection, port, is_first):
    if not is_first and len(texts) > 2:
        wait_for(texts[2])
    time.sleep(float(texts[0]))  # the client has to wait so long
    with connection:
        connection.sendall(b"%d\n" % port if port else b"")


def serve_slowly():
    ports = [int(word) for word in texts[1].split(",")]
    is_first = True
    while True:
        connection, _ = listener.accept()
        request = connection.recv(100).decode().strip()
        print(request, flush=True)
        port = 0 if request.startswith("release") or not ports else ports.pop(0)
        threading.Thread(target=give, args=(connection, port, is_first), daemon=True).start()
        is_first = False


def answer(connection):
    if mode == "after":
        wait_for(file)
    if mode in ("say", "after"):
        text = texts.pop(0) if len(texts) > 1 else texts[0]
        for number, piece in enumerate(text.encode().decode("unicode_escape").split("|")):
            if number:
                time.sleep(0.2)  # so that the client reads each piece separately
            connection.sendall(piece.encode("latin-1"))
    elif mode == "flood":
        connection.sendall(b"1" * 1000000)
    elif mode == "drip":
        while True:
            connection.sendall(b" ")
            time.sleep(0.5)  # a client that restarts its timeout at each byte would wait for ever


if mode == "full":
    while len(kept) < 3:
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        try:
            client.connect(name)
        except BlockingIOError:
            break
        kept.append(client)
print("ready", flush=True)
while mode == "full":
    signal.pause()
if mode == "slow":
    serve_slowly()
while True:
    connection, _ = listener.accept()
    try:
        if mode != "close":
            print(connection.recv(100).decode().strip(), flush=True)
            answer(connection)
    except OSError:
        pass  # the client has closed the connection
    if mode == "silent":
        kept.append(connection)
    else:
        connection.close()
