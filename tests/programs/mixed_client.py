"""One kind of program that takes ports of a host, again and again, until SIGTERM.

usage: mixed_client.py KIND SOCKET ADDRESS HOLD

portpicker  processes that get a port by portpicker's client, from the port server at ADDRESS
pick        processes that get a port by portshim pick, from the lease table
served      the same, from the port server
run         runs of the lease table, whose command HOLD announces the port
servedrun   the same, from the port server
stranger    a program that asks nobody: it keeps a quarter of PORTSHIM_POOL bound and announces that, then says "ready",
            and binds others for a moment each

Each process announces its port to observer.py at SOCKET, lives for a moment and is killed.
"""
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1

kind, path, address, hold = sys.argv[1:]
served = kind in ('portpicker', 'served', 'servedrun')
required = ['--require-portserver'] if served else []
os.environ.pop('PORTSERVER_ADDRESS', None)
if served:
    os.environ['PORTSERVER_ADDRESS'] = address


def announce(port):
    observer = socket.socket(socket.AF_UNIX)
    observer.connect(path)
    observer.sendall(b'%d\n' % port)
    observer.recv(1)
    return observer


def ask():
    """A port for this process, or None while the server is being started again."""
    if kind == 'portpicker':
        import portpicker
        # pick_unused_port() would fall back to a port that is not leased.
        return portpicker.get_port_from_port_server(address)
    pick = subprocess.run(['portshim', 'pick', *required, str(os.getpid()), '0'], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL if served else None)
    return int(pick.stdout) if pick.returncode == 0 else None


def be_process(said):
    while not (port := ask()):
        time.sleep(0.05)  # ask again: no event tells when a port is free
    observer = announce(port)
    os.write(said, b'.')
    signal.pause()
    observer.close()


def be_run():
    os.dup2(os.open('/dev/null', os.O_WRONLY), 1)
    os.execvp('portshim', ['portshim', 'run', '-q', *required, '-p', '8080', '--', hold, path, '8080'])


def bind(port):
    """A socket on the port, or None when somebody has it."""
    taken = socket.socket(random.choice((socket.AF_INET, socket.AF_INET6)),
                          random.choice((socket.SOCK_STREAM, socket.SOCK_DGRAM)))
    try:
        taken.bind(('', port))
        return taken
    except OSError:
        taken.close()
        return None


def be_stranger():
    ports = [int(word) for word in os.environ['PORTSHIM_POOL'].split(',')]
    kept = [(port, bind(port)) for port in random.sample(ports, len(ports) // 4)]
    announced = [announce(port) for port, taken in kept if taken]
    print('ready', flush=True)
    while announced:
        taken = bind(random.choice(ports))
        if taken:
            taken.close()
        time.sleep(0.005)  # the interval at which it disturbs others


def one():
    """Starts a process or a run that gets a port, and kills it a moment later, or before it has the port."""
    is_run = kind.endswith('run')
    listen, said = os.pipe()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        be_run() if is_run else be_process(said)
    os.close(said)
    if not is_run and random.random() < 0.8:
        os.read(listen, 1)
    time.sleep(random.uniform(0.01, 0.15))  # how long it lives
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(listen)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if kind == 'stranger':
    be_stranger()
while True:
    one()
