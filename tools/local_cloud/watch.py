"""The function under `cargo lambda watch`: runs on this machine, and is rebuilt when a source file changes."""

import http.client
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

from local_cloud.program import RUN, TOOLS, LocalCloudError, Program, require_free_port

CARGO_LAMBDA = TOOLS / "lambda/bin/cargo-lambda"
# cargo-lambda's name for the function of the package's default binary.
DEFAULT = "_"
# The port and the process of `make watch`.
STATE_FILE = RUN / "watch.json"


def token_url(port):
    return f"http://127.0.0.1:{port}/oauth/token"


def start(stack, port, log=None):
    """Starts the function over the data of a stack. Writes its output to a file or, without one, to stderr."""
    require_free_port(port, "PORT")
    environment = stack.cloud.environment() | stack.function_environment(f"http://127.0.0.1:{port}")
    environment["PATH"] = f"{CARGO_LAMBDA.parent}:{os.environ['PATH']}"
    # With more than one binary, cargo-lambda serves no function at the root path.
    command = [CARGO_LAMBDA, "lambda", "watch", "--bin", "api"]
    command += ["--invoke-address", "127.0.0.1", "--invoke-port", port]
    return Program.start("cargo lambda watch", command, environment, log)


def wait_until_ready(program, stack, port, timeout=None):
    """Waits until the function responds. The first request starts its build.

    Without a timeout (in seconds) it also waits while the build fails, because the developer may fix the sources.
    """
    deadline = timeout and time.monotonic() + timeout
    while not responds(token_url(port)):
        program.require_running()
        stack.cloud.require_running()
        if deadline and time.monotonic() > deadline:
            raise LocalCloudError(f"the function did not respond within {timeout} s{program.last_output()}")
        time.sleep(0.2)


def responds(url):
    """Returns true if the function responds at a token endpoint: no other program rejects a GET with its error code."""
    try:
        urllib.request.urlopen(url, timeout=10)
    except urllib.error.HTTPError as response:
        with response:
            return response.code == 405 and b"method_not_allowed" in response.read()
    except (OSError, http.client.HTTPException):
        return False
    return False


@contextmanager
def state_file(program, port):
    """Records a running `cargo lambda watch`, so that `make invoke` finds it."""
    RUN.mkdir(parents=True, exist_ok=True)
    process = program.process
    STATE_FILE.write_text(json.dumps({"port": port, "pid": process.pid, "created": process.create_time()}))
    try:
        yield
    finally:
        STATE_FILE.unlink(missing_ok=True)


def running_port():
    """Returns the port of `make watch`, or None if it does not run."""
    with suppress(OSError, ValueError, KeyError):
        state = json.loads(STATE_FILE.read_text())
        return state["port"] if Program.find("cargo lambda watch", state["pid"], state["created"]) else None
    return None


def build():
    """Builds the function as `cargo lambda watch` does, which would only log a failed build."""
    if subprocess.run(["cargo", "build", "--bin", "api"]).returncode != 0:
        raise LocalCloudError("building the function failed")


def invoke(port, event):
    """Sends an event to the function and prints the response. Returns the exit code of cargo-lambda."""
    command = [CARGO_LAMBDA, "lambda", "invoke", DEFAULT, "--output-format", "json", "--data-file", event]
    command += ["--invoke-address", "127.0.0.1", "--invoke-port", port]
    return subprocess.run([str(part) for part in command]).returncode
