"""time_namespace.py SECONDS NANOSECONDS COMMAND...: runs the command in a time namespace of its own, where the boot seems
to be so much longer ago than in the initial one. Ends as the command does; with status 77 where that is not allowed. The
command gets SIGTERM when this program ends before it."""

import ctypes
import os
import signal
import sys

CLONE_NEWTIME = 0x80
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(CLONE_NEWTIME) != 0:
    print("unshare(CLONE_NEWTIME):", os.strerror(ctypes.get_errno()), file=sys.stderr)
    sys.exit(77)
with open("/proc/self/timens_offsets", "w") as offsets:
    offsets.write(f"boottime {sys.argv[1]} {sys.argv[2]}\n")
child = os.fork()  # a process enters the namespace that its parent has unshared
if child == 0:
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.execvp(sys.argv[3], sys.argv[3:])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
