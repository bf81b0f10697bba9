"""Runs a command in a new terminal, and acts as its user.

terminal.py STEP... -- COMMAND...: a STEP is "expect=TEXT", which waits until the command's output has TEXT (after what
earlier steps have waited for), "send=TEXT" with \\x03 and the like, "resize", or "hangup". Prints the command's
output at the end. The status is the command's, or 99 when a TEXT did not come within 60 seconds.
"""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

end = sys.argv.index("--")
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[end + 1], sys.argv[end + 1:])

output = b""


def read(seconds):
    global output
    if not select.select([terminal], [], [], seconds)[0]:
        return True
    try:
        got = os.read(terminal, 65536)
    except OSError:
        got = b""
    output += got
    return got != b""


def fail(why):
    sys.stdout.buffer.write(output)
    print("\n" + why, flush=True)
    os.kill(pid, 9)
    sys.exit(99)


seen = 0
for step in sys.argv[1:end]:
    word, _, text = step.partition("=")
    text = text.encode().decode("unicode_escape").encode("latin-1")
    if word == "send":
        os.write(terminal, text)
    elif word == "resize":
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    elif word == "hangup":
        os.close(terminal)
        terminal = None
    else:
        deadline = time.monotonic() + 60
        while (found := output.find(text, seen)) < 0:
            if time.monotonic() > deadline or not read(1) and output.find(text, seen) < 0:
                fail("never came: " + step)
        seen = found + len(text)
while terminal is not None and read(60):
    pass
sys.stdout.buffer.write(output)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
