"""Programs: started with a mark in their environment, by which they and all that they started are found and ended."""

import fcntl
import os
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


class Fault(Exception):
    """What went wrong, in one line for people."""


def say(text):
    print(f"countersign: {text}", file=sys.stderr, flush=True)


def isolate():
    """Sees to it that nothing started from here can reach AWS, or asks a proxy for what is on this machine."""
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
        # Nobody is there: whoever talks to a local cloud is told its address.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "SAM_CLI_TELEMETRY": "0",
        "NO_PROXY": here,
        "no_proxy": here,
    })


def end_on_signals():
    """Has whatever ends a program end this one as Ctrl-C does, and once: it ends what it started, come what may."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(*_):
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)


@contextmanager
def alone():
    """Waits until no other verb builds, or starts what all share."""
    with (TOOLS / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another build or deployment to end ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def require_free(port, setting):
    """Refuses a port of 127.0.0.1 that something listens on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Fault(
                f"cannot listen on port {port}: {error.strerror}. Choose another one with {setting}=."
            ) from None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """A program that runs beside this one, and whatever it starts in turn. As a context it ends with it."""

    def __init__(self, name, process, log=None):
        self.name, self.process, self.log = name, process, log

    @classmethod
    def start(cls, name, command, environment, log=None):
        """Starts it, with its output in a file or, without one, where this program's errors go."""
        mark = "|".join([_OWNER, uuid.uuid4().hex])
        with log.open("wb") if log else nullcontext(sys.stderr) as output:
            # A session of its own: Ctrl-C ends this program, and this program then ends that one.
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
    def found(cls, name, pid, created, log=None):
        """One that an earlier program started and left, if it still runs."""
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.create_time() == created:
                return cls(name, process, log)
        return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def alive(self):
        with suppress(psutil.Error):
            return self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE
        return False

    def require_alive(self):
        if not self.alive():
            raise Fault(f"{self.name} has died{self.last_words()}")

    def last_words(self):
        with suppress(OSError, AttributeError):
            lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
            return f"; its last words: {lines[-1]}" if lines else ""
        return ""

    def listens(self, port):
        """Whether it is this program that listens on a port."""
        with suppress(psutil.Error):
            connections = self.process.net_connections("tcp")
            return any(one.laddr.port == port and one.status == psutil.CONN_LISTEN for one in connections)
        return False

    def stop(self):
        _end(lambda mark: mark == self.mark)
        with suppress(psutil.Error):
            self.process.wait(timeout=5)


def stop_left_over():
    """Ends what was started here by programs that have ended since. Whether there was anything."""
    return _end(lambda mark: not _runs(*mark.split("|")[1:3]))


def _runs(pid, created):
    with suppress(psutil.Error, ValueError):
        return psutil.Process(int(pid)).create_time() == float(created)
    return False


def marked():
    """All processes that were started from this folder, with their marks."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            mark = process.environ().get(MARK, "")
            if mark.startswith(f"{ROOT}|") and process.pid != os.getpid():
                found.append((process, mark))
    return found


def _end(chosen):
    """Ends the processes with a chosen mark: politely, then not. Whether there were any."""
    ended = False
    for signal_of in (signal.SIGTERM, signal.SIGKILL):
        found = [process for process, mark in marked() if chosen(mark)]
        ended = ended or bool(found)
        for process in found:
            with suppress(psutil.Error):
                process.send_signal(signal_of)
        psutil.wait_procs(found, timeout=5)
    return ended


_OWNER = "|".join([str(ROOT), str(os.getpid()), str(psutil.Process().create_time())])
