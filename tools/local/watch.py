"""The function under `cargo lambda watch`: on this machine, built again at each change."""

import http.client
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

from local.program import RUN, TOOLS, Fault, Program, require_free

CARGO_LAMBDA = TOOLS / "lambda/bin/cargo-lambda"
# cargo-lambda's name for the function of the package's default binary.
DEFAULT = "_"
# Word of the one that `make watch` runs.
STATE = RUN / "watch.json"


def token_url(port):
    return f"http://127.0.0.1:{port}/oauth/token"


def start(stack, port, log=None):
    """Starts it over the data of a stack, with its output in a file or on the terminal."""
    require_free(port, "PORT")
    environment = stack.cloud.environment() | stack.function_environment(f"http://127.0.0.1:{port}")
    environment["PATH"] = f"{CARGO_LAMBDA.parent}:{os.environ['PATH']}"
    # Of several functions none would have the root path.
    command = [CARGO_LAMBDA, "lambda", "watch", "--bin", "api"]
    command += ["--invoke-address", "127.0.0.1", "--invoke-port", port]
    return Program.start("cargo lambda watch", command, environment, log)


def wait_until_ready(program, stack, port, patience=None):
    """Waits until the function is built, which the first request has it be, and answers. Without an end to its patience
    (in seconds), for the sources may have to be mended first."""
    deadline = patience and time.monotonic() + patience
    while not answers(token_url(port)):
        program.require_alive()
        stack.cloud.require_alive()
        if deadline and time.monotonic() > deadline:
            raise Fault(f"the function does not answer{program.last_words()}")
        time.sleep(0.2)


def answers(url):
    """Whether it is our function that answers at a token endpoint: nobody else would refuse like this."""
    try:
        urllib.request.urlopen(url, timeout=10)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code == 405 and b"method_not_allowed" in refusal.read()
    except (OSError, http.client.HTTPException):
        return False
    return False


@contextmanager
def announced(program, port):
    """Leaves word of it while it runs."""
    RUN.mkdir(parents=True, exist_ok=True)
    process = program.process
    STATE.write_text(json.dumps({"port": port, "pid": process.pid, "created": process.create_time()}))
    try:
        yield
    finally:
        STATE.unlink(missing_ok=True)


def announced_port():
    """The port of the one that `make watch` runs, if it does."""
    with suppress(OSError, ValueError, KeyError):
        state = json.loads(STATE.read_text())
        return state["port"] if Program.found("cargo lambda watch", state["pid"], state["created"]) else None
    return None


def build():
    """Builds the function as `cargo lambda watch` does, but fails when it cannot be built."""
    if subprocess.run(["cargo", "build", "--bin", "api"]).returncode != 0:
        raise Fault("the function could not be built")


def invoke(port, event):
    """Sends an event to the function, and prints its answer. The exit code is cargo-lambda's."""
    command = [CARGO_LAMBDA, "lambda", "invoke", DEFAULT, "--output-format", "json", "--data-file", event]
    command += ["--invoke-address", "127.0.0.1", "--invoke-port", port]
    return subprocess.run([str(part) for part in command]).returncode
