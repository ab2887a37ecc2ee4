"""The function under `cargo lambda watch`: on this machine, built again at each change."""

import subprocess
import time
import urllib.error
import urllib.request

from local.program import TOOLS, Fault, Program, require_free

# cargo-lambda's name for the function of the package's default binary.
DEFAULT = "_"


def token_url(port):
    return f"http://127.0.0.1:{port}/oauth/token"


def start(stack, port, log=None):
    """Starts it over the data of a stack, with its output in a file or on the terminal."""
    require_free(port, "PORT")
    cloud = stack.cloud
    environment = cloud.environment() | stack.function_environment(f"http://127.0.0.1:{port}")
    environment["PATH"] = f"{TOOLS / 'lambda/bin'}:{environment['PATH']}"
    command = [TOOLS / "lambda/bin/cargo-lambda", "lambda", "watch"]
    command += ["--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
    return Program("cargo lambda watch", command, environment, log)


def wait_until_ready(program, stack, port, patience=1800):
    """Waits until the function is built and answers. A request of any kind has it built."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        program.require_alive()
        stack.cloud.require_alive()
        if answers(port, timeout=10):
            return
        time.sleep(0.5)
    raise Fault("the function does not answer")


def answers(port, timeout):
    """Whether the function of this port answers, and is the one meant: any other would not refuse like this."""
    try:
        urllib.request.urlopen(token_url(port), timeout=timeout)
    except urllib.error.HTTPError as refusal:
        return refusal.code == 405
    except OSError:
        return False
    return False


def invoke(port, event):
    """Sends an event to the function, and prints its answer. The exit code is cargo-lambda's."""
    command = [TOOLS / "lambda/bin/cargo-lambda", "lambda", "invoke", DEFAULT, "--output-format", "json"]
    command += ["--invoke-address", "127.0.0.1", "--invoke-port", str(port), "--data-file", event]
    return subprocess.run([str(part) for part in command]).returncode
