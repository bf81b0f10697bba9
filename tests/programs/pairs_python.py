"""A test suite as people write it: servers and clients that agree on port numbers.

pairs_python.py NAME: its servers answer with NAME, by which it recognizes them.
"""
import asyncio
import multiprocessing
import multiprocessing.connection
import socket
import socketserver
import sys
import threading
import unittest
from multiprocessing.managers import BaseManager
from xmlrpc.client import ServerProxy
from xmlrpc.server import SimpleXMLRPCServer

NAME = sys.argv[1] if len(sys.argv) > 1 else ""
ROUNDS = 20


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"%s %s" % (NAME.encode(), self.rfile.readline()))


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(b"%s %s" % (NAME.encode(), self.request[0]), self.client_address)


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(b"%s %s" % (NAME.encode(), data), address)


class Ask(asyncio.DatagramProtocol):
    def __init__(self):
        self.answer = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        transport.sendto(b"hello")

    def datagram_received(self, data, address):
        self.answer.set_result((data.decode(), address[1]))


class Manager(BaseManager):
    pass


Manager.register("name", lambda: NAME)


def ask_listener(results):
    with multiprocessing.connection.Client(("127.0.0.1", 9003), authkey=b"key") as client:
        client.send("hello")
        results.put(client.recv())


class Suite(unittest.TestCase):
    def serve(self, server):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def test_socketserver_tcp(self):
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        for _ in range(3):  # each binds the port of the one before
            server = socketserver.ThreadingTCPServer(("127.0.0.1", 9000), Stream)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            self.assertEqual(server.server_address[1], 9000)
            for _ in range(ROUNDS):
                with socket.create_connection(("localhost", 9000), 20) as client:
                    client.sendall(b"hello\n")
                    self.assertEqual(client.makefile().read(), f"{NAME} hello\n")
            server.shutdown()
            thread.join()
            server.server_close()

    def test_socketserver_udp(self):
        self.serve(socketserver.ThreadingUDPServer(("", 9000), Datagram))
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(20)
            for _ in range(ROUNDS):
                client.sendto(b"hello", ("127.0.0.1", 9000))
                self.assertEqual(client.recvfrom(100), (b"%s hello" % NAME.encode(), ("127.0.0.1", 9000)))

    def test_asyncio_streams(self):
        async def answer(reader, writer):
            writer.write(b"%s %s" % (NAME.encode(), await reader.readline()))
            writer.close()

        async def ask():
            reader, writer = await asyncio.open_connection("localhost", 9001)
            self.assertEqual(writer.get_extra_info("peername")[1], 9001)
            writer.write(b"hello\n")
            self.assertEqual(await reader.read(), f"{NAME} hello\n".encode())
            writer.close()

        async def main():
            async with await asyncio.start_server(answer, None, 9001):
                await asyncio.gather(*(ask() for _ in range(ROUNDS)))

        asyncio.run(main())

    def test_asyncio_datagrams(self):
        async def main():
            loop = asyncio.get_running_loop()
            server, _ = await loop.create_datagram_endpoint(Echo, ("127.0.0.1", 9002))
            for _ in range(ROUNDS):
                client, protocol = await loop.create_datagram_endpoint(Ask, remote_addr=("127.0.0.1", 9002))
                self.assertEqual(await asyncio.wait_for(protocol.answer, 20), (f"{NAME} hello", 9002))
                client.close()
            server.close()

        asyncio.run(main())

    def test_multiprocessing_connection(self):
        fresh = multiprocessing.get_context("spawn")
        results = fresh.Queue()
        with multiprocessing.connection.Listener(("127.0.0.1", 9003), authkey=b"key") as listener:
            self.assertEqual(listener.address, ("127.0.0.1", 9003))
            client = fresh.Process(target=ask_listener, args=(results,))
            client.start()
            with listener.accept() as connection:
                connection.send(f"{NAME} {connection.recv()}")
                self.assertEqual(results.get(timeout=20), f"{NAME} hello")
            client.join()

    def test_multiprocessing_manager(self):
        server = Manager(("127.0.0.1", 9004), b"key")
        server.start()
        self.addCleanup(server.shutdown)
        client = Manager(("127.0.0.1", 9004), b"key")
        client.connect()
        self.assertEqual(client.name()._getvalue(), NAME)

    def test_xmlrpc(self):
        server = SimpleXMLRPCServer(("localhost", 9005), logRequests=False)
        server.register_function(lambda: NAME, "name")
        self.serve(server)
        self.assertEqual(ServerProxy("http://localhost:9005/").name(), NAME)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
