# A terminal.

# in_terminal COLUMNS COMMAND...: runs it in a terminal of that width, prints what it writes, returns its status.
in_terminal() {
    # shellcheck disable=SC2016 # it is Python
    /usr/bin/python3 -c '
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data.replace(b"\r\n", b"\n"))
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))' "$@"
}

# widest FILE: prints the columns of its longest line.
widest() {
    LC_ALL=C.UTF-8 wc -L <"$1"
}
