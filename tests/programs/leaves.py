"""A process that leaves its run without ending, and keeps a file of it, as no honest one does.

usage: leaves.py notes|head|path

Becomes nobody if it can, in the background. Keeps the notes mapped, or the head open, or a path to the head (O_PATH).
Prints its pid, the run's directory and the inode of what it keeps. Runs until SIGTERM.
"""
import ctypes
import os
import signal
import sys

what = sys.argv[1]
directory = os.environ['PORTSHIM_RUN']
head = directory + '/' + os.environ['PORTSHIM_COMPACT'].split()[1]
reading, writing = os.pipe()
if os.fork() != 0:
    os.close(writing)
    os.read(reading, 1)  # until it has left
    os._exit(0)

os.setsid()
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
kept = os.stat(directory + '/map' if what == 'notes' else head).st_ino
if what != 'notes':
    fd = os.open(head, os.O_PATH if what == 'path' else os.O_RDONLY)
munmap = ctypes.CDLL(None).munmap
for line in open('/proc/self/maps').read().splitlines():
    if directory in line and not (what == 'notes' and line.endswith('/map')):
        start, end = (int(address, 16) for address in line.split()[0].split('-'))
        munmap(ctypes.c_void_p(start), ctypes.c_size_t(end - start))
print(os.getpid(), directory, kept, flush=True)
os.close(1)
os.close(writing)
signal.pause()
