"""Binds a port, says "ready", then the name of each signal that it gets, until stdin or a signal's default ends it.

signals.py PORT [SIGNAL...]: those signals are handled, and said once for each time. After the last one named
"exit=STATUS" it ends with that status.
"""
import os
import signal
import socket
import sys

status = None
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))


def say(number, _frame):
    try:
        os.write(1, (signal.Signals(number).name + "\n").encode())
    except OSError:
        pass  # the terminal is gone
    if status is not None:
        os._exit(status)


for word in sys.argv[2:]:
    if word.startswith("exit="):
        status = int(word[5:])
    else:
        signal.signal(getattr(signal, "SIG" + word), say)
os.write(1, b"ready\n")
while True:
    signal.pause()
