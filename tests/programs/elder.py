"""elder.py HOME ID PORT: makes a run of portshim 0.1 in a home, which leases the port, and is its only process: it holds
the shared lock of the run's map until it ends. Prints "ready"."""

import fcntl
import mmap
import os
import signal
import struct
import sys

SIZE, OWNERS_AT = 643288, 56 + 8 * 256
home, run_id, port = sys.argv[1], int(sys.argv[2], 16), int(sys.argv[3])

directory = f"{home}/runs/{run_id:014x}"
os.mkdir(directory, 0o700)
map_fd = os.open(directory + "/map", os.O_RDWR | os.O_CREAT, 0o600)
# magic, version, size, run, start time and pid of a starter that has ended, pid and net namespace, user
head = struct.pack("=8sIIQQiIII", b"psmap\n\x1a\0", 2, SIZE, run_id, 1, 2**22 - 1, os.stat("/proc/self/ns/pid").st_ino,
                   os.stat("/proc/self/ns/net").st_ino, os.geteuid())
os.posix_fallocate(map_fd, 0, SIZE)
os.pwrite(map_fd, head, 0)
fcntl.flock(map_fd, fcntl.LOCK_SH)
mapped = mmap.mmap(map_fd, SIZE)
os.close(map_fd)
with open(home + "/leases", "r+b") as table:
    table.seek(OWNERS_AT + 8 * port)
    table.write(struct.pack("=Q", 1 << 62 | run_id))
print("ready", flush=True)
signal.pause()
