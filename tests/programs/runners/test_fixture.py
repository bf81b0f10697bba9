"""Programs in runs of their own, by the fixture."""

import os
import signal
import subprocess

import pytest

SERVER = ("socat", "TCP4-LISTEN:8080,bind=127.0.0.1,fork", "SYSTEM:echo hello")
CLIENT = ("socat", "-u", "TCP4:127.0.0.1:8080", "-")


def test_two_copies(portshim):
    one = portshim(8080, *SERVER)
    two = portshim("8080", *SERVER, stderr=subprocess.DEVNULL)
    assert one.wait(8080) == one.port(8080)
    assert two.wait(8080, timeout=20) == two.port("8080/tcp") != one.port(8080)
    answer = one.join(*CLIENT)
    assert (answer.returncode, answer.stdout) == (0, "hello\n")
    assert one.join(*CLIENT, stdout=subprocess.DEVNULL).stdout is None
    assert one.stop() in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
    with pytest.raises(RuntimeError, match="the run has ended"):
        one.port(8080)
    assert two.join(*CLIENT, check=True, capture_output=True).stdout == "hello\n"


def test_all_is_ended_also_when_the_test_fails(portshim):
    web = portshim(8080, *SERVER)
    web.wait(8080)
    web.join("setsid", "-f", "sleep", "1000", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert web is None


def test_what_is_killed(portshim):
    """Only in the test of that: nothing is left of it."""
    if "KILLED" in os.environ:
        portshim(8080, *SERVER).wait(8080)
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_goes_wrong_is_said(portshim):
    silent = portshim(8080, "sleep", "1000")
    with pytest.raises(TimeoutError, match="nothing listens"):
        silent.wait(8080, 0.1)
    with pytest.raises(RuntimeError, match="9090"):
        silent.port(9090)
    ended = portshim(8080, "true")
    ended.process.wait()
    with pytest.raises(RuntimeError, match="the run has ended"):
        ended.wait(8080, 20)
    with pytest.raises(RuntimeError, match="ended with 125"):
        portshim(80800, "sleep", "1000")


@pytest.fixture(scope="module")
def shared(portshim_session):
    server = portshim_session(8080, *SERVER)
    server.wait(8080)
    return server


@pytest.mark.parametrize("number", range(2))
def test_a_server_of_several_tests(shared, number):
    assert shared.join(*CLIENT).stdout == "hello\n"
