"""Tests of a session that is one run: all processes of it have the same 8080, which is not the host's."""

import os
import socket
import subprocess
import sys


def test_the_session_has_a_real_port_and_tells_its_programs():
    real = int(os.environ["PORTSHIM_PORT_8080"])
    assert real != 8080
    with socket.create_server(("127.0.0.1", 8080)):
        line = "import socket; socket.create_connection(('127.0.0.1', 8080), timeout=10)"
        subprocess.run([sys.executable, "-c", line], check=True)


def test_output_is_captured_and_shown(capfd):
    print("this is captured")
    assert capfd.readouterr().out == "this is captured\n"
    assert os.environ["CONFTEST_RAN"] == "once"


def test_a_pytest_that_it_starts_is_a_run_of_its_own():
    if "INNER" in os.environ:
        return
    inner = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--noconftest", "--portshim", "8080", "-k", "tells or own"] + [__file__],
        env=dict(os.environ, INNER="1"),
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    assert inner.returncode == 0, inner.stdout
