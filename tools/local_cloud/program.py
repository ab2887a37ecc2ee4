"""Child processes. Each has a mark in its environment, which finds it and all its descendants in order to stop them."""

import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
RUN = TOOLS / "run"
REGION = "eu-west-2"
MARK = "COUNTERSIGN_LOCAL_MARK"
_returned_ports = set()


class LocalCloudError(Exception):
    """An error with a message for the user of the Makefile."""


def print_status(text):
    print(f"countersign: {text}", file=sys.stderr, flush=True)


def isolate_environment():
    """Prevents this process and its children from reaching AWS, and from using a proxy for 127.0.0.1."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "SAM_"))]:
        del os.environ[name]
    here = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1", "localhost"]))
    os.environ.update({
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        # An unused port. A program that uses a local cloud gets the endpoint of that cloud.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "SAM_CLI_TELEMETRY": "0",
        "NO_PROXY": here,
        "no_proxy": here,
    })


def interrupt_on_signals():
    """Handles SIGTERM and SIGHUP like Ctrl-C, and ignores further signals while this process stops its children."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(*_):
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)


@contextmanager
def build_lock():
    """Waits until no other command of this folder builds or deploys, and keeps others from it."""
    with (TOOLS / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print_status("waiting for another build or deployment to finish ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def require_free_port(port, setting):
    """Fails if a process listens on the port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalCloudError(
                f"cannot listen on port {port}: {error.strerror}; choose another port with {setting}="
            ) from None


def free_port():
    """Returns a free port, which this process has not got before.

    Another program does not get it meanwhile, because Linux assigns ports from 32768 on.
    """
    while True:
        port = random.randrange(20_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _returned_ports:
                _returned_ports.add(port)
                return port


class Program:
    """A child process and its descendants. As a context manager, stops them at exit."""

    def __init__(self, name, process, log=None):
        self.name, self.process, self.log = name, process, log

    @classmethod
    def start(cls, name, command, environment, log=None):
        """Starts a program. Writes its output to a file or, without one, to stderr."""
        mark = "|".join([_OWNER, uuid.uuid4().hex])
        with log.open("wb") if log else nullcontext(sys.stderr) as output:
            # A new session, so that Ctrl-C reaches only this process, which then stops the other.
            process = psutil.Popen(
                [str(part) for part in command],
                env={**environment, MARK: mark},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        program = cls(name, process, log)
        program.mark = mark
        return program

    @classmethod
    def find(cls, name, pid, created, log=None):
        """Returns a program that an earlier command started, or None if it does not run."""
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.create_time() == created:
                return cls(name, process, log)
        return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def is_running(self):
        with suppress(psutil.Error):
            return self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE
        return False

    def crash_message(self):
        """Returns an error message if the program does not run, or None."""
        return None if self.is_running() else f"{self.name} stopped unexpectedly{self.last_output()}"

    def require_running(self):
        if message := self.crash_message():
            raise LocalCloudError(message)

    def last_output(self):
        """Returns the last line of the log as the end of an error message."""
        with suppress(OSError, AttributeError):
            lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
            return f"; its log ends with: {lines[-1]}" if lines else ""
        return ""

    def listens(self, port):
        """Returns true if this program listens on the port."""
        with suppress(psutil.Error):
            connections = self.process.net_connections("tcp")
            return any(each.laddr.port == port and each.status == psutil.CONN_LISTEN for each in connections)
        return False

    def stop(self):
        _stop_marked(lambda mark: mark == self.mark)
        with suppress(psutil.Error):
            self.process.wait(timeout=5)


def stop_orphans():
    """Stops the programs whose parent command has exited. Returns true if there were any."""
    return _stop_marked(lambda mark: not _is_running(*mark.split("|")[1:3]))


def _is_running(pid, created):
    with suppress(psutil.Error, ValueError):
        return psutil.Process(int(pid)).create_time() == float(created)
    return False


def marked_processes():
    """Returns all processes that commands of this folder started, with their marks."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            mark = process.environ().get(MARK, "")
            if mark.startswith(f"{ROOT}|") and process.pid != os.getpid():
                found.append((process, mark))
    return found


def _stop_marked(matches):
    """Stops the processes whose mark matches, with SIGTERM, then SIGKILL. Returns true if there were any."""
    stopped = False
    for number in (signal.SIGTERM, signal.SIGKILL):
        found = [process for process, mark in marked_processes() if matches(mark)]
        stopped = stopped or bool(found)
        for process in found:
            with suppress(psutil.Error):
                process.send_signal(number)
        psutil.wait_procs(found, timeout=5)
    return stopped


_OWNER = "|".join([str(ROOT), str(os.getpid()), str(psutil.Process().create_time())])
