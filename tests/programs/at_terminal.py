"""Runs a command as a job of a shell in a new terminal, with standard output elsewhere.

at_terminal.py WHERE COMMAND...: WHERE is "foreground"; "background", of a terminal that stops jobs there when they
write (stty tostop); or "held", in the foreground of a terminal whose output was stopped by ^S. Prints, after what the
command prints, "ended N" or "stopped", and what came on the terminal.
"""
import os
import pty
import select
import signal
import sys
import termios

where, command = sys.argv[1], sys.argv[2:]
stdout = os.dup(1)
shell, terminal = pty.fork()
if shell == 0:
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    modes = termios.tcgetattr(0)
    modes[3] |= termios.TOSTOP
    termios.tcsetattr(0, termios.TCSANOW, modes)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        if where != "background":
            os.tcsetpgrp(0, os.getpid())
        if where == "held":
            termios.tcflow(0, termios.TCOOFF)
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.dup2(stdout, 1)
        os.execvp(command[0], command)
    _, status = os.waitpid(job, os.WUNTRACED)
    result = "stopped" if os.WIFSTOPPED(status) else f"ended {os.waitstatus_to_exitcode(status)}"
    os.write(stdout, result.encode() + b"\n")
    if os.WIFSTOPPED(status):
        os.kill(job, signal.SIGKILL)
    termios.tcflow(0, termios.TCOON)
    termios.tcdrain(0)
    os._exit(0)
shown = b""
while select.select([terminal], [], [], 60)[0]:
    try:
        got = os.read(terminal, 4096)
    except OSError: # the last one has closed it
        break
    shown += got
os.waitpid(shell, 0)
sys.stdout.buffer.write(shown.replace(b"\r\n", b"\n"))
