"""A client of memcached over UDP with a hard-coded port.

memcached_udp.py NAME: sets and gets values that only its own copy can know, under keys that all copies use, by connected
and unconnected sockets over IPv4 and IPv6. Each answer must come from the port that was asked.
"""
import socket
import struct
import sys

PORT = 11211
name = sys.argv[1]


def ask(client, request):
    """The answer to one request, from as many datagrams as each of them says."""
    client(struct.pack("!4H", 7, 0, 1, 0) + request.encode() + b"\r\n")
    parts, count = {}, 1
    while len(parts) < count:
        datagram = client()
        _, number, count, _ = struct.unpack("!4H", datagram[:8])
        parts[number] = datagram[8:]
    return b"".join(parts[i] for i in range(count)).decode()


def connected(family, address):
    own = socket.socket(family, socket.SOCK_DGRAM)
    own.settimeout(60)
    own.connect((address, PORT))
    assert own.getpeername()[:2] == (address, PORT), own.getpeername()
    return lambda datagram=None: own.send(datagram) if datagram else own.recv(65536)


def unconnected(family, address):
    own = socket.socket(family, socket.SOCK_DGRAM)
    own.settimeout(60)

    def exchange(datagram=None):
        if datagram:
            return own.sendto(datagram, (address, PORT))
        answer, source = own.recvfrom(65536)
        assert source[:2] == (address, PORT), source
        return answer

    return exchange


for way in connected, unconnected:
    for family, address in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
        client = way(family, address)
        for i in range(40):
            text = f"{name} {i} " * (1 + i * 25)
            assert ask(client, f"set key 0 0 {len(text)}\r\n{text}") == "STORED\r\n"
            stored = ask(client, "get key")
            assert stored == f"VALUE key 0 {len(text)}\r\n{text}\r\nEND\r\n", stored
