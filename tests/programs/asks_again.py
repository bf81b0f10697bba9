# A client of a port server that speaks portpicker's protocol by itself: asks_again.py KIND ADDRESS...
import os
import resource
import signal
import socket
import sys
import time

kind, address = sys.argv[1:3]


def ask(*parts):
    """Sends the parts of a request on a new connection, and returns the connection."""
    client = socket.socket(socket.AF_UNIX)
    client.connect("\0" + address[1:])
    for part in parts:
        client.send(part)
        if len(parts) > 1:
            time.sleep(0.05)  # so that they arrive apart
    return client


def lease():
    port = ask(b"%d\n" % os.getpid()).recv(20)
    assert port.endswith(b"\n"), port
    return int(port)


def times(count):
    """Leases that many ports, and prints how often the process slept for each of the last half."""
    ports = [lease() for _ in range(count // 2)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    ports += [lease() for _ in range(count // 2)]
    slept = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before
    print(len(set(ports)), slept, flush=True)


def whole():
    """Prints the bytes of each answer up to its end, which must not be a reset."""
    number = b"%d" % os.getpid()
    for parts in ([number + b"\n"], [number, b"\n"], [number[:1], number[1:] + b"\n"], [number + b"\r\n"],
                  [number + b"\nmore"], [number[:1], number[1:] + b"\nmore"]):
        client = ask(*parts)
        answer = b""
        while got := client.recv(20):
            answer += got
        print(answer.decode().strip(), flush=True)


def other_user():
    """Leases as root, then as user nobody."""
    first = lease()
    os.setresuid(65534, 65534, 65534)
    print(first, lease(), flush=True)


def stop_server():
    """Stops the server, which sees nothing of what comes until it goes on."""
    server = sys.argv[3]
    os.kill(int(server), signal.SIGSTOP)
    while open(f"/proc/{server}/stat").read().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.01)  # no event tells, as the server is not its child


def die():
    """Leases a port, asks for another from the server that is stopped, and dies without reading the answer."""
    lease()
    stop_server()
    ask(b"%d\n" % os.getpid())
    os.kill(os.getpid(), signal.SIGKILL)


def number_again():
    """In a pid namespace of its own: a process leases, asks again and dies; another gets its number before the
    server, which is stopped meanwhile, takes the second request. Prints the pid of that other process."""
    told, tell = os.pipe()
    one = os.fork()
    if one == 0:
        lease()
        stop_server()
        client = ask(b"%d\n" % os.getpid())
        if os.fork() == 0:
            print("answer", int(client.recv(20)), flush=True)  # a child has the connection as well
            signal.pause()
        os.write(tell, b".")
        signal.pause()
    os.read(told, 1)
    os.kill(one, signal.SIGKILL)
    os.waitpid(one, 0)
    with open("/proc/sys/kernel/ns_last_pid", "w") as last:
        last.write(str(one - 1))
    other = os.fork()
    if other == 0:
        signal.pause()
    os.kill(int(sys.argv[3]), signal.SIGCONT)
    print("other" if other == one else "elsewhere", other, flush=True)


if kind == "times":
    times(int(sys.argv[3]))
elif kind in ("whole", "other_user", "die", "number_again"):
    globals()[kind]()
if kind != "die":
    signal.pause()
