"""stopped_job FILE COMMAND...: executes the command, an interactive shell, in a terminal of its own, and stops a job in it
by the terminal's key. Writes the job's pid to FILE when it has stopped, and ends with the shell's status."""
import os, pty, sys, time


def state(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0]


shell, terminal = pty.fork()
if shell == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
os.write(terminal, b"sleep 1000\n")
children = f"/proc/{shell}/task/{shell}/children"
job = ""
while not job or open(f"/proc/{job}/comm").read() != "sleep\n":
    job = open(children).read().strip()
    time.sleep(0.01)
while state(job) != "T":
    os.write(terminal, b"\x1a")  # Ctrl-Z; what is typed before the job has the terminal is bash's
    time.sleep(0.05)
with open(sys.argv[1] + ".new", "w") as out:
    print(job, file=out)
os.rename(sys.argv[1] + ".new", sys.argv[1])
while True:
    try:
        if not os.read(terminal, 4096):
            break
    except OSError:
        break
sys.exit(os.waitstatus_to_exitcode(os.waitpid(shell, 0)[1]) & 255)
