"""The Makefile's commands after a fresh clone, and the error messages for an incomplete machine or a wrong setting."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import psutil
import pytest

from conftest import ROOT
from local_cloud.cloud import Cloud
from local_cloud.program import free_port, marked_processes, require_free_port

BUILD = os.environ.get("BUILD", "release")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def make(*arguments, environment=ENVIRONMENT):
    command = ["make", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(autouse=True)
def no_process_is_left():
    before = {mark for _, mark in marked_processes()}
    yield
    assert not [process for process, mark in marked_processes() if mark not in before]


@pytest.fixture
def no_other_cloud():
    assert not Cloud.find_running(), "make deploy-local is running; stop it with `make stop`"
    yield
    make("stop")


class RunningMake:
    """A running make command, in its own process group as in a terminal."""

    def __init__(self, process, log):
        self.process, self.log = process, log

    @property
    def output(self):
        return self.log.read_text()

    def wait_for(self, condition):
        while not (found := condition()):
            assert self.process.poll() is None, self.output
            time.sleep(0.1)
        return found

    def descendants(self):
        """Returns all descendants. The process group does not find them, because each has its own session."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def running(self, program):
        """Returns the descendants that run a program."""
        found = []
        for process in self.descendants():
            with suppress(psutil.Error):
                if any(os.path.basename(part) == program for part in process.cmdline()[:3]):
                    found.append(process)
        return found

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(timeout=60)


@contextmanager
def running_make(folder, *arguments):
    log = folder / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["make", *arguments], cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    command = RunningMake(process, log)
    try:
        yield command
    finally:
        if process.poll() is None:
            command.interrupt()


@contextmanager
def touched(source):
    """Sets the modification time of a source file to now, and restores it at exit, so that later builds are cached."""
    before = source.stat()
    os.utime(source)
    try:
        yield
    finally:
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))


def assert_stopped(processes):
    _, running = psutil.wait_procs(processes, timeout=60)
    assert not running


def assert_error(done, text):
    """Checks that a command failed, and that its error message is one line and not a traceback."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode != 0
    assert lines and lines[-1].startswith("countersign: ") and text in lines[-1], done.stderr
    assert "Traceback" not in done.stderr


def run_curl(curl):
    return json.loads(subprocess.run(["bash", "-c", curl], capture_output=True, timeout=60).stdout)


def curl_commands(output):
    """Returns the curl commands of the printed introduction."""
    return [line.strip() for line in output.splitlines() if line.strip().startswith("curl ")]


def test_help_lists_every_command():
    text = make().stdout
    for command in ("watch", "invoke", "deploy-local", "e2e", "deploy", "clean", "stop", "test"):
        assert f"make {command} " in text


def test_deploy_local_invoke_logs_and_stop(no_other_cloud):
    port = free_port()
    done = make("deploy-local", f"CLOUD_PORT={port}", f"BUILD={BUILD}")
    assert done.returncode == 0, done.stderr
    requests = curl_commands(done.stdout)
    assert len(requests) == 3 and all(f"http://127.0.0.1:{port}/" in curl for curl in requests)
    assert all("access_token" in run_curl(curl) for curl in requests)
    wrong = run_curl(requests[0].replace("demo-service:cs_", "demo-service:cs_x"))
    assert wrong == {"error": "invalid_client", "error_description": "Client authentication failed."}

    assert_error(make("deploy-local", f"CLOUD_PORT={port}"), "a stack is already deployed")
    assert "access_token" in run_curl(requests[0]), "the first stack still works"

    invoked = make("invoke", "EVENT=password")
    assert invoked.returncode == 0, invoked.stderr
    assert json.loads(invoked.stdout)["statusCode"] == 200
    assert f"http://127.0.0.1:{port}" in invoked.stderr, "uses the deployed stack"
    assert '"outcome":"issued"' in make("logs").stdout
    assert make("stop").returncode == 0
    require_free_port(port, "CLOUD_PORT")
    assert_error(make("logs"), "no stack is deployed")


@pytest.mark.parametrize("step", ["building", "deploying"])
def test_deploy_local_fails_if_its_cloud_crashes_while(step, tmp_path, no_other_cloud):
    with running_make(tmp_path, "deploy-local", f"CLOUD_PORT={free_port()}", f"BUILD={BUILD}") as command:
        command.wait_for(lambda: f"countersign: {step}" in command.output)
        [emulator] = command.running("local_cloud.emulator")
        started = command.descendants()
        emulator.kill()
        assert command.process.wait() != 0
        assert_stopped(started)
    assert "countersign: the local cloud stopped unexpectedly" in command.output
    assert "Traceback" not in command.output and "curl" not in command.output


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGHUP, signal.SIGHUP]])
def test_a_signal_stops_deploy_local_and_all_its_programs(signals, tmp_path, no_other_cloud):
    with running_make(tmp_path, "deploy-local", f"CLOUD_PORT={free_port()}", f"BUILD={BUILD}") as command:
        command.wait_for(lambda: "countersign: building" in command.output and command.running("sam"))
        started = command.descendants()
        for number in signals:
            os.killpg(command.process.pid, number)
            time.sleep(0.2)
        command.process.wait(timeout=60)
        assert_stopped(started)
    assert Cloud.find_running() is None


def test_watch_serves_requests_rebuilds_after_a_change_and_stops(tmp_path):
    port = free_port()
    with running_make(tmp_path, "watch", f"PORT={port}") as command:
        command.wait_for(lambda: "Press Ctrl-C to stop" in command.output)
        requests = curl_commands(command.output)
        assert all(f"http://127.0.0.1:{port}/oauth/token" in curl for curl in requests)
        assert all("access_token" in run_curl(curl) for curl in requests)
        invoked = make("invoke", "EVENT=wrong_secret")
        assert json.loads(invoked.stdout)["statusCode"] == 401, "invokes the function of make watch"

        [function] = command.running("api")

        def restarted():
            return [process for process in command.running("api") if process.pid != function.pid]

        def issues_token():
            with suppress(ValueError, subprocess.TimeoutExpired):
                return "access_token" in run_curl(requests[0])

        with touched(ROOT / "src/bin/api.rs"):
            command.wait_for(restarted)
        # On a busy machine the watcher may start the function twice for one change, also during a request.
        command.wait_for(issues_token)
        command.wait_for(restarted)
        started = command.descendants()
        command.interrupt()
        assert_stopped(started)


def test_watch_fails_if_its_cloud_crashes(tmp_path):
    with running_make(tmp_path, "watch", f"PORT={free_port()}") as command:
        command.wait_for(lambda: "Press Ctrl-C to stop" in command.output)
        started = command.descendants()
        [emulator] = command.running("local_cloud.emulator")
        emulator.kill()
        assert command.process.wait() != 0
        assert_stopped(started)
    assert "countersign: the local cloud stopped unexpectedly" in command.output


@pytest.mark.parametrize("command", ["deploy-local", "watch"])
def test_a_used_port_is_an_error(command):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        setting = {"deploy-local": "CLOUD_PORT", "watch": "PORT"}[command]
        assert_error(make(command, f"{setting}={port}"), f"cannot listen on port {port}")


@pytest.mark.parametrize(("arguments", "text"), [
    (["watch", "PORT=abc"], "port `abc` is not a number"),
    (["watch", "PORT="], "port `` is not a number"),
    (["deploy-local", "CLOUD_PORT=0"], "port `0` is not a number"),
    (["deploy-local", "BUILD=fast"], "fast"),
    (["invoke", "EVENT=pasword"], "event `pasword` not found in events/; available: "),
])
def test_an_invalid_setting_is_an_error(arguments, text):
    assert_error(make(*arguments), text)


def test_deploy_keeps_the_saved_parameters(tmp_path):
    """A parameter on SAM's command line replaces all saved parameters, so the Makefile must pass all of them."""
    def saved_parameters(*arguments):
        command = [sys.executable, ROOT / "tools/saved_parameters.py", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    assert saved_parameters("Architecture") == ""
    assert saved_parameters("Architecture=arm64") == "Architecture=arm64"
    # In the form that `sam deploy --guided` writes.
    (tmp_path / "samconfig.toml").write_text(
        'version = 0.1\n[default.deploy.parameters]\nparameter_overrides = "DomainName=\\"login.example.com\\" '
        'Issuer=\\"\\" Architecture=\\"arm64\\" MemorySize=\\"512\\""\n'
        '[staging.deploy.parameters]\nparameter_overrides = "Watch=basic Release=41"\n'
    )
    assert saved_parameters("Architecture") == "arm64"
    others = 'DomainName="login.example.com" Issuer="" Architecture={} MemorySize="512"'
    assert saved_parameters("Architecture=x86_64") == others.format("x86_64")
    staging = ["--config-env", "staging"]
    assert saved_parameters(*staging, "Watch") == "basic"
    assert saved_parameters(*staging, "Release=42") == "Watch=basic Release=42"
    assert saved_parameters(*staging, "Architecture=arm64") == 'Watch=basic Release="" Architecture=arm64', "a release has a new name"


@pytest.mark.parametrize("command", ["deploy-local", "watch", "invoke", "e2e", "deploy"])
@pytest.mark.parametrize("missing", ["cargo", "cc"])
def test_a_missing_tool_is_reported_before_anything_is_installed(command, missing, tmp_path):
    done = make(command, f"TOOLS={tmp_path}/tools", environment=without(missing, tmp_path))
    assert_error(done, f"{missing} is missing")
    assert not (tmp_path / "tools").exists()


def test_missing_python_is_reported_before_anything_is_installed(tmp_path):
    done = make("watch", f"TOOLS={tmp_path}/tools", environment=without("python3", tmp_path))
    assert_error(done, "python3 is missing")
    assert not (tmp_path / "tools").exists()


def without(missing, folder):
    """Returns an environment whose PATH has all tools of the Makefile except one."""
    for tool in {"make", "bash", "sed", "rm", "touch", "python3", "cargo", "cc", "curl", "objdump"} - {missing}:
        (folder / tool).symlink_to(shutil.which(tool))
    return ENVIRONMENT | {"PATH": str(folder)}


def test_only_deploy_reaches_aws_or_a_proxy(no_other_cloud):
    """Other commands ignore a profile, credentials, endpoints and proxies that are set in the terminal."""
    connections = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.1)
        done = threading.Event()

        def listen():
            while not done.is_set():
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    connections.append(connection.recv(1000))
                    connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        hostile = {
            "AWS_PROFILE": "production", "AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "real",
            "AWS_SESSION_TOKEN": "real", "AWS_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_DYNAMODB": url,
            "AWS_ENDPOINT_URL_CLOUDFORMATION": url, "SAM_CLI_TELEMETRY": "1",
            "HTTP_PROXY": url, "HTTPS_PROXY": url, "http_proxy": url, "https_proxy": url,
        }
        environment = ENVIRONMENT | hostile
        for name in ("NO_PROXY", "no_proxy"):
            environment.pop(name)
        try:
            commands = [
                ["deploy-local", f"CLOUD_PORT={free_port()}", f"BUILD={BUILD}"], ["invoke", "EVENT=password"],
                ["logs"], ["stop"], ["lint"],
            ]
            results = [make(*command, environment=environment) for command in commands]
        finally:
            done.set()
            thread.join()
    failures = [result.stderr for result in results if result.returncode != 0]
    assert failures == []
    assert connections == []
