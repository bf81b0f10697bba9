"""pytest in a run of portshim, and a fixture that starts programs in runs. See portshim-runners(7)."""

import json
import os
import shlex
import shutil
import signal as signals
import subprocess
import sys
import time

import pytest

# In the environment of a pytest that this plugin has started in a run. What that starts in turn must not have it.
_MARK = "PORTSHIM_PYTEST"
_in_a_run = os.environ.pop(_MARK, None) is not None


def _portshim():
    """The path of the command: from PATH, else from where this file has been installed."""
    path = shutil.which("portshim") or shutil.which("@prefix@/bin/portshim")
    if path is None:
        raise pytest.UsageError("portshim: not in PATH: add the directory where it is installed")
    return os.path.abspath(path)


def pytest_addoption(parser):
    group = parser.getgroup("portshim")
    group.addoption(
        "--portshim",
        metavar="PORTS",
        help="Let the tests, and all they start, have these ports for themselves, such as 8080 or 8000-8010,53/udp: "
        "the session is one run of portshim, or each worker of pytest-xdist is.",
    )
    parser.addini("portshim", "the ports of --portshim")


def _ports(config, options):
    return options.portshim or config.getini("portshim")


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config):
    """Starts pytest again, in a run: before a conftest can bind a port, and before output is captured."""
    options = early_config.known_args_namespace
    ports = _ports(early_config, options)
    if ports and not _in_a_run and not _has_workers(options):
        _start_again(ports)
    yield


def _has_workers(options):
    """Whether pytest-xdist will run the tests in processes of its own. It decides by the same options, but later."""
    if options.collectonly:
        return False
    number = getattr(options, "numprocesses", None)
    if number:
        return not getattr(options, "usepdb", False)  # with --pdb, -n auto is -n 0, and another number is an error
    return bool(getattr(options, "tx", None)) and (options.distload or options.dist != "no")


def _start_again(ports):
    if sys.argv[0] in ("", "-"):
        raise pytest.UsageError(
            "--portshim: the program that calls pytest.main() is read from stdin, and cannot be started again: "
            "start it in a run: portshim run -p %s -- python3" % ports
        )
    try:
        command = sys.orig_argv
    except AttributeError:  # before Python 3.10
        with open("/proc/self/cmdline", "rb") as file:
            command = [os.fsdecode(argument) for argument in file.read().split(b"\0")[:-1]]
    path = _portshim()
    os.environ[_MARK] = "1"
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(path, ["portshim", "run", "-p", ports, "--", sys.executable] + command[1:])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config, specs):
    """Has each worker's interpreter started in a run of its own."""
    ports = _ports(config, config.option)
    if not ports:
        return
    run = [_portshim(), "run", "-p", ports]
    # What is wrong with the ports is said here once, not by each worker.
    checked = subprocess.run(run + ["-c"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    if checked.returncode != 0:
        raise pytest.UsageError(checked.stderr.strip())
    prefix = " ".join(map(shlex.quote, ["env", _MARK + "=1"] + run + ["--"]))
    for spec in specs:
        if not spec.popen:
            raise pytest.UsageError("--portshim: %s: a worker of another host: give it python=... in --tx" % spec)
        spec.python = prefix + " " + (spec.python or shlex.quote(sys.executable))


def pytest_sessionstart(session):
    config = session.config
    if _ports(config, config.option) and not _in_a_run and not config.pluginmanager.hasplugin("dsession"):
        raise pytest.UsageError(
            "--portshim: pytest-xdist starts no workers, so the tests would be in no run: give -n a number, or none"
        )


class Started:
    """A program that has been started in a run of its own. `map` is the path of its map file: RUN for portshim."""

    def __init__(self, map_file, ports, command, options):
        self.map = map_file
        self.process = subprocess.Popen(
            [_portshim(), "run", "-p", str(ports), "-m", map_file, "--"] + list(command), **options
        )
        # portshim writes the map, then becomes the command.
        while not os.path.exists(map_file):
            if self.process.poll() is not None and not os.path.exists(map_file):
                status = self.process.returncode
                raise RuntimeError("portshim run -p %s ended with %d: see its line in stderr" % (ports, status))
            time.sleep(0.005)
        with open(map_file, encoding="utf-8", errors="surrogateescape") as file:
            self._run = json.load(file)["run"]
        self._guard = _guard(self._run)

    def wait(self, port, timeout=10):
        """Waits until something listens on the placeholder. Returns the real port; TimeoutError when the time is over,
        RuntimeError when the run has ended."""
        # For the map file, wait would wait for the next run when this one has ended.
        return int(self._ask("wait", "-t", str(timeout), self._run, str(port)))

    def port(self, port):
        """Returns the real port, whether or not anything listens."""
        return int(self._ask("port", self.map, str(port)))

    def join(self, *command, **options):
        """Runs a command in the run, by subprocess.run() with these options, and returns its result. Its output is
        text in the result, unless the options say otherwise."""
        defaults = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "universal_newlines": True}
        if "capture_output" in options:
            del defaults["stdout"], defaults["stderr"]
        defaults.update(options)
        return subprocess.run([_portshim(), "run", "-j", self.map, "--"] + list(command), **defaults)

    def stop(self, signal="TERM", timeout=10):
        """Sends the signal to all processes of the run, and SIGKILL when the time is over. Returns the status of the
        program, as Popen.returncode has it."""
        self._ask("stop", "-t", str(timeout), "-s", signal, self.map)
        if self._guard.poll() is None:
            os.killpg(self._guard.pid, signals.SIGKILL)
            self._guard.wait()
        return self.process.wait()

    def _ask(self, *arguments):
        done = subprocess.run(
            [_portshim()] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True
        )
        if done.returncode != 0:
            raise (TimeoutError if done.returncode == 124 else RuntimeError)(done.stderr.strip())
        return done.stdout


def _guard(run):
    """Starts a process that ends the run when this process has ended without doing so: when it is killed."""
    script = 'tail --pid="$1" -s 0.2 -f /dev/null && exec "$2" stop -t 5 "$3"'
    return subprocess.Popen(
        ["sh", "-c", script, "sh", str(os.getpid()), _portshim(), run],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _starter(directory):
    """Returns a function that starts programs, and one that ends them all."""
    started = []

    def start(ports, *command, **options):
        map_file = os.path.join(str(directory), "%d.json" % len(started))
        started.append(Started(map_file, ports, command, options))
        return started[-1]

    def end():
        problems = []
        for one in reversed(started):
            try:
                one.stop()
            except RuntimeError as error:
                problems.append(str(error))
        if problems:
            raise RuntimeError("\n".join(problems))

    return start, end


@pytest.fixture
def portshim(tmp_path_factory):
    """server = portshim(PORTS, *COMMAND, **OPTIONS): starts the command in a run of its own, by subprocess.Popen()
    with these options. It has .wait(port, timeout), .port(port), .join(*COMMAND) and .stop(signal), and ends with the
    test."""
    start, end = _starter(tmp_path_factory.mktemp("portshim"))
    yield start
    end()


@pytest.fixture(scope="session")
def portshim_session(tmp_path_factory):
    """The same for the session, and for fixtures of a class, a module or a package."""
    start, end = _starter(tmp_path_factory.mktemp("portshim"))
    yield start
    end()
