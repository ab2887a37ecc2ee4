"""Programs: started with a mark in their environment, by which they and all that they started are found and ended."""

import os
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import nullcontext, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
MARK = "COUNTERSIGN_LOCAL_MARK"


class Fault(Exception):
    """What went wrong, in one line for people."""


def say(text):
    print(f"countersign: {text}", file=sys.stderr, flush=True)


def end_on_signals():
    """Has SIGTERM and SIGHUP end this program as Ctrl-C does, so that it ends what it started."""

    def interrupt(*_):
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def require_free(port, setting):
    """Refuses a port of 127.0.0.1 that something listens on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "there is no such port"
            raise Fault(f"cannot listen on port {port}: {reason}. Choose another one with {setting}=.") from None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """A program that runs beside this one, and whatever it starts in turn."""

    def __init__(self, name, command, environment, log=None):
        """Starts it, with its output in a file or, without one, where this program's errors go."""
        self.name, self.log = name, log
        self.mark = uuid.uuid4().hex
        with log.open("wb") if log else nullcontext(sys.stderr) as output:
            # A session of its own: Ctrl-C ends this program, and this program then ends that one.
            self.process = subprocess.Popen(
                [str(part) for part in command],
                env={**environment, MARK: self.mark},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def require_alive(self):
        if self.process.poll() is None:
            return
        words = ""
        if self.log and (lines := self.log.read_text(errors="replace").split("\n")):
            words = f" Its last words: {next((line.strip() for line in reversed(lines) if line.strip()), 'none')}"
        raise Fault(f"{self.name} has died.{words}")

    def stop(self):
        end_marked(self.mark)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)


def end_marked(mark):
    """Ends every process with this mark: politely, then not."""
    for signal_of, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        found = [process for process in psutil.process_iter() if _has_mark(process, mark)]
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal_of)
        psutil.wait_procs(found, timeout=patience)


def _has_mark(process, mark):
    if process.pid == os.getpid():
        return False
    with suppress(psutil.Error, OSError):
        return process.environ().get(MARK) == mark
    return False
