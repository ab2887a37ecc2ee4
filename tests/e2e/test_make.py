"""The Makefile's verbs, as someone meets them who has just cloned this, and all that can be wrong on their machine."""

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
from local.cloud import Cloud
from local.program import free_port, marked, require_free

BUILD = os.environ.get("BUILD", "release")
COMMAND_LINE = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def make(*arguments, environment=COMMAND_LINE):
    command = ["make", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    before = {mark for _, mark in marked()}
    yield
    left = [process for process, mark in marked() if mark not in before]
    assert not left


@pytest.fixture
def no_other_cloud():
    assert not Cloud.kept(), "the local cloud of make deploy-local is in the way; `make stop` ends it"
    yield
    make("stop")


class Verb:
    """A verb that goes on, in a group of its own as a terminal has it."""

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

    def started(self):
        """All that it has started, and what that has: by parent, for each is in a session of its own."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def running(self, program):
        """Those of them that run a program."""
        found = []
        for process in self.started():
            with suppress(psutil.Error):
                if any(os.path.basename(part) == program for part in process.cmdline()[:3]):
                    found.append(process)
        return found

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(timeout=60)


@contextmanager
def making(folder, *arguments):
    log = folder / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["make", *arguments], cwd=ROOT, env=COMMAND_LINE, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    verb = Verb(process, log)
    try:
        yield verb
    finally:
        if process.poll() is None:
            verb.interrupt()


@contextmanager
def touched(source):
    """A source as if it was changed just now. Afterwards it is as it was, so that nobody else builds again."""
    before = source.stat()
    os.utime(source)
    try:
        yield
    finally:
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))


def assert_ended(processes):
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive


def assert_one_line(done, text):
    """The last words are one clear line, but for make's own."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode != 0
    assert lines and lines[-1].startswith("countersign: ") and text in lines[-1], done.stderr
    assert "Traceback" not in done.stderr


def answer(curl):
    return json.loads(subprocess.run(["bash", "-c", curl], capture_output=True, timeout=60).stdout)


def curls(output):
    return [line.strip() for line in output.splitlines() if line.strip().startswith("curl ")]


def test_help_knows_every_verb():
    text = make().stdout
    for verb in ("watch", "invoke", "deploy-local", "e2e", "deploy", "clean", "stop", "test"):
        assert f"make {verb} " in text


def test_deploy_local_from_its_start_to_its_end(no_other_cloud):
    port = free_port()
    done = make("deploy-local", f"CLOUD_PORT={port}", f"BUILD={BUILD}")
    assert done.returncode == 0, done.stderr
    asked = curls(done.stdout)
    assert len(asked) == 3 and all(f"http://127.0.0.1:{port}/" in curl for curl in asked)
    assert all("access_token" in answer(curl) for curl in asked)
    wrong = answer(asked[0].replace("demo-service:cs_", "demo-service:cs_x"))
    assert wrong == {"error": "invalid_client", "error_description": "Client authentication failed."}

    assert_one_line(make("deploy-local", f"CLOUD_PORT={port}"), "there is a stack already")
    assert "access_token" in answer(asked[0]), "and it is none the worse for that"

    invoked = make("invoke", "EVENT=password")
    assert invoked.returncode == 0, invoked.stderr
    assert json.loads(invoked.stdout)["statusCode"] == 200
    assert f"http://127.0.0.1:{port}" in invoked.stderr, "the stack that stands is used"
    assert '"outcome":"issued"' in make("logs").stdout
    assert make("stop").returncode == 0
    require_free(port, "CLOUD_PORT")
    assert_one_line(make("logs"), "no stack is deployed here")


@pytest.mark.parametrize("step", ["building", "deploying"])
def test_a_cloud_that_dies_while_deploy_local_is(step, tmp_path, no_other_cloud):
    with making(tmp_path, "deploy-local", f"CLOUD_PORT={free_port()}", f"BUILD={BUILD}") as verb:
        verb.wait_for(lambda: f"countersign: {step}" in verb.output)
        [emulator] = verb.running("local.enforcing")
        started = verb.started()
        emulator.kill()
        assert verb.process.wait() != 0
        assert_ended(started)
    assert "countersign: the local cloud has died" in verb.output
    assert "Traceback" not in verb.output and "curl" not in verb.output


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGHUP, signal.SIGHUP]])
def test_deploy_local_that_is_ended_takes_all_with_it(signals, tmp_path, no_other_cloud):
    with making(tmp_path, "deploy-local", f"CLOUD_PORT={free_port()}", f"BUILD={BUILD}") as verb:
        verb.wait_for(lambda: "countersign: building" in verb.output and verb.running("sam"))
        started = verb.started()
        for number in signals:
            os.killpg(verb.process.pid, number)
            time.sleep(0.2)
        verb.process.wait(timeout=60)
        assert_ended(started)
    assert Cloud.kept() is None


def test_watch_answers_builds_again_at_a_change_and_ends_whole(tmp_path):
    port = free_port()
    with making(tmp_path, "watch", f"PORT={port}") as verb:
        verb.wait_for(lambda: "Ctrl-C ends it" in verb.output)
        asked = curls(verb.output)
        assert all(f"http://127.0.0.1:{port}/oauth/token" in curl for curl in asked)
        assert all("access_token" in answer(curl) for curl in asked)
        invoked = make("invoke", "EVENT=wrong_secret")
        assert json.loads(invoked.stdout)["statusCode"] == 401, "it is the one that is invoked"

        def another_than(function):
            return [one for one in verb.running("api") if one.pid != function.pid]

        [function] = verb.running("api")
        with touched(ROOT / "src/lib.rs"):
            verb.wait_for(lambda: another_than(function))
        assert "access_token" in answer(asked[0])
        # On a busy machine the watcher may start the function twice for one change.
        verb.wait_for(lambda: another_than(function))
        started = verb.started()
        verb.interrupt()
        assert_ended(started)


def test_watch_ends_when_its_cloud_dies(tmp_path):
    with making(tmp_path, "watch", f"PORT={free_port()}") as verb:
        verb.wait_for(lambda: "Ctrl-C ends it" in verb.output)
        started = verb.started()
        [emulator] = verb.running("local.enforcing")
        emulator.kill()
        assert verb.process.wait() != 0
        assert_ended(started)
    assert "countersign: the local cloud has died" in verb.output


@pytest.mark.parametrize("verb", ["deploy-local", "watch"])
def test_a_port_that_is_taken(verb):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        setting = {"deploy-local": "CLOUD_PORT", "watch": "PORT"}[verb]
        assert_one_line(make(verb, f"{setting}={port}"), f"cannot listen on port {port}")


@pytest.mark.parametrize(("arguments", "text"), [
    (["watch", "PORT=abc"], "abc is no port"),
    (["watch", "PORT="], "nothing is no port"),
    (["deploy-local", "CLOUD_PORT=0"], "0 is no port"),
    (["deploy-local", "BUILD=fast"], "fast"),
    (["invoke", "EVENT=pasword"], "there is no event pasword. There are: "),
])
def test_a_setting_that_makes_no_sense(arguments, text):
    assert_one_line(make(*arguments), text)


def test_deploy_goes_on_from_what_was_saved(tmp_path):
    """A parameter on SAM's command line takes the place of all that were saved, the domain among them."""
    def saved_answers(argument):
        command = [sys.executable, ROOT / "tools/saved_answers.py", argument]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    assert saved_answers("Architecture") == ""
    assert saved_answers("Architecture=arm64") == "Architecture=arm64"
    # As `sam deploy --guided` writes them.
    (tmp_path / "samconfig.toml").write_text(
        'version = 0.1\n[default.deploy.parameters]\nparameter_overrides = "DomainName=\\"login.example.com\\" '
        'Issuer=\\"\\" Architecture=\\"arm64\\" MemorySize=\\"512\\""\n'
    )
    assert saved_answers("Architecture") == "arm64"
    others = 'DomainName="login.example.com" Issuer="" Architecture={} MemorySize="512"'
    assert saved_answers("Architecture=x86_64") == others.format("x86_64")


@pytest.mark.parametrize("verb", ["deploy-local", "watch", "invoke", "e2e", "deploy"])
@pytest.mark.parametrize("missing", ["cargo", "cc"])
def test_a_tool_that_is_missing(verb, missing, tmp_path):
    """It is told before anything is installed."""
    done = make(verb, f"TOOLS={tmp_path}/tools", environment=without(missing, tmp_path))
    assert_one_line(done, f"{missing} is missing")
    assert not (tmp_path / "tools").exists()


def test_python_is_missing(tmp_path):
    done = make("watch", f"TOOLS={tmp_path}/tools", environment=without("python3", tmp_path))
    assert_one_line(done, "python3 is missing")
    assert not (tmp_path / "tools").exists()


def without(missing, folder):
    """An environment whose PATH has what the Makefile calls, but for one."""
    for tool in {"make", "bash", "sed", "rm", "touch", "python3", "cargo", "cc", "curl", "objdump"} - {missing}:
        (folder / tool).symlink_to(shutil.which(tool))
    return COMMAND_LINE | {"PATH": str(folder)}


def test_nothing_but_deploy_reaches_aws_or_a_proxy(no_other_cloud):
    """With a profile, credentials, endpoints and proxies set in the terminal, nobody is asked but the local cloud."""
    visitors = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.1)
        done = threading.Event()

        def listen():
            while not done.is_set():
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    visitors.append(connection.recv(1000))
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
        environment = COMMAND_LINE | hostile
        for name in ("NO_PROXY", "no_proxy"):
            environment.pop(name)
        try:
            verbs = [
                ["deploy-local", f"CLOUD_PORT={free_port()}", f"BUILD={BUILD}"], ["invoke", "EVENT=password"],
                ["logs"], ["stop"], ["lint"],
            ]
            results = [make(*verb, environment=environment) for verb in verbs]
        finally:
            done.set()
            thread.join()
    assert [result.returncode for result in results] == [0] * len(verbs), "\n".join(one.stderr for one in results)
    assert visitors == []
