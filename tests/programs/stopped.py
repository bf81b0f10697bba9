"""stopped.py FILE flock|fcntl: locks a file or directory and stops itself."""

import fcntl
import os
import signal
import sys

fd = os.open(sys.argv[1], os.O_RDWR if sys.argv[2] == "fcntl" else os.O_RDONLY)
{"flock": fcntl.flock, "fcntl": fcntl.lockf}[sys.argv[2]](fd, fcntl.LOCK_EX)
os.kill(os.getpid(), signal.SIGSTOP)
