"""odd_execs.py: prints what execve(2) and execveat(2) make of arguments that few programs pass, for the programs
shows, script and link of the working directory. In a run, the lines must be the same."""
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
PLAIN, EMPTY_PATH, NO_FOLLOW, CHECK = 0, 0x1000, 0x100, 0x10000


def words(*strings):
    return (ctypes.c_char_p * (len(strings) + 1))(*strings, None)


def address(string):
    return ctypes.cast(ctypes.c_char_p(string), ctypes.c_void_p).value


def show(what, call, *arguments):
    """Makes the call in a child, which has each descriptor that is open here."""
    print(what, end=": ", flush=True)
    pid = os.fork()
    if pid == 0:
        ctypes.set_errno(0)
        result = call(*arguments)
        error = ctypes.get_errno()
        print("returned", result, errno.errorcode.get(error, error), flush=True)
        os._exit(0)
    print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


execve, execveat, fexecve = libc.execve, libc.execveat, libc.fexecve
name, one, none = b"./shows", words(b"one"), words()
show("no argv", execve, name, None, none)
show("an empty argv", execve, name, none, none)
show("an argv that cannot be read", execve, name, ctypes.c_void_p(8), none)
show("an argument that cannot be read", execve, name, (ctypes.c_void_p * 3)(address(b"one"), 8, None), none)
show("no environment", execve, name, one, None)
show("an environment that cannot be read", execve, name, one, ctypes.c_void_p(8))
show("PORTSHIM=0", execve, name, one, words(b"PORTSHIM=0"))
show("a relative path with steps", execve, b"there/.././shows", one, none)

here, kept = (os.open(".", os.O_RDONLY | flag) for flag in (os.O_CLOEXEC, 0))
os.set_inheritable(kept, True)
file, kept_file = (os.open("shows", os.O_RDONLY | os.O_CLOEXEC) for _ in range(2))
os.set_inheritable(kept_file, True)
script, kept_script = (os.open("script", os.O_RDONLY | os.O_CLOEXEC) for _ in range(2))
os.set_inheritable(kept_script, True)
for flags in PLAIN, NO_FOLLOW, CHECK, 1 << 30:
    for path in b"shows", b"script", b"link", b"nothing", os.path.abspath("shows").encode():
        for directory in here, kept, -100, 999, -1:
            show(f"{flags:x} {path.split(b'/')[-1]} by {directory}", execveat, directory, path, one, none, flags)
for fd in file, kept_file, script, kept_script, here, 999:
    show(f"fexecve {fd}", fexecve, fd, one, none)
    show(f"an empty path {fd}", execveat, fd, b"", one, none, EMPTY_PATH)
    show(f"an empty path, not followed {fd}", execveat, fd, b"", one, none, EMPTY_PATH | NO_FOLLOW)
    show(f"an empty path without the flag {fd}", execveat, fd, b"", one, none, PLAIN)
for path in "/proc/self/fd", "/dev/fd":
    show(f"a script's path in {path}", execve, f"{path}/{kept_script}".encode(), one, none)
