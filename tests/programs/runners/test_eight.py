"""Eight tests of a server on port 8080, which are all there at once: in eight workers."""

import os
import socket
import time

import pytest


@pytest.mark.parametrize("number", range(8))
def test_copy(number):
    try:
        server = socket.create_server(("127.0.0.1", 8080))
    finally:
        open("here.%d" % number, "w").close()
        while not all(os.path.exists("here.%d" % other) for other in range(8)):
            time.sleep(0.05)
    with server, socket.create_connection(("127.0.0.1", 8080), timeout=10) as client:
        accepted, client_address = server.accept()
        assert client_address == client.getsockname()
        accepted.close()
