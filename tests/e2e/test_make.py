"""The Makefile's verbs, as someone meets them who has just cloned this, and all that can be wrong on their machine."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress

import psutil
import pytest

from conftest import ROOT
from local.cloud import STATE, Cloud
from local.program import MARK, free_port, require_free

BUILD = os.environ.get("BUILD", "release")
COMMAND_LINE = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    if STATE.exists():
        pytest.skip("the local cloud of make deploy-local is in use; `make stop` ends it")
    before = marks().keys()
    yield
    assert not STATE.exists()
    assert marks().keys() <= before


def make(*arguments, environment=COMMAND_LINE):
    command = ["make", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1500)


@contextmanager
def making(log, *arguments):
    """A verb that goes on, as a terminal has it: a group of its own."""
    with log.open("w") as output:
        process = subprocess.Popen(
            ["make", *arguments], cwd=ROOT, env=COMMAND_LINE, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)


def wait_for(condition, patience=600):
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def started_by(pid):
    """What a verb has started, and what that has: by parent, for all of it is in sessions of its own."""
    return psutil.Process(pid).children(recursive=True)


def named(name, pid):
    return [process for process in started_by(pid) if process.name() == name]


def assert_ended(processes):
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive


def marks():
    """The marks of all programs that any verb has started, here or elsewhere on this machine."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if mark := process.environ().get(MARK):
                found.setdefault(mark, []).append(process)
    return found


def assert_one_line(done, text):
    """The last words are one clear line, but for make's own."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode != 0
    assert lines and lines[-1].startswith("countersign: ") and text in lines[-1], done.stderr
    assert "Traceback" not in done.stderr


def test_help_knows_every_verb():
    text = make().stdout
    for verb in ("watch", "invoke", "deploy-local", "e2e", "deploy", "clean", "stop", "test"):
        assert f"make {verb} " in text


def test_deploy_local_from_its_start_to_its_end():
    port = free_port()
    done = make("deploy-local", f"CLOUD_PORT={port}", f"BUILD={BUILD}")
    assert done.returncode == 0, done.stderr
    curls = [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("curl ")]
    assert len(curls) == 3 and all(f"http://127.0.0.1:{port}/" in curl for curl in curls)
    try:
        def answer(curl):
            return json.loads(subprocess.run(["bash", "-c", curl], capture_output=True, timeout=60).stdout)

        assert all("access_token" in answer(curl) for curl in curls)
        wrong = answer(curls[0].replace("demo-service:cs_", "demo-service:cs_x"))
        assert wrong == {"error": "invalid_client", "error_description": "Client authentication failed."}

        assert_one_line(make("deploy-local", f"CLOUD_PORT={port}"), "there is a stack already")
        assert "access_token" in answer(curls[0]), "and it is none the worse for that"

        invoked = make("invoke", "EVENT=password", f"PORT={free_port()}")
        assert invoked.returncode == 0, invoked.stderr
        assert json.loads(invoked.stdout)["statusCode"] == 200
        assert f"http://127.0.0.1:{port}" in invoked.stderr, "the stack that stands is used"
        assert '"outcome":"issued"' in make("logs").stdout
    finally:
        stopped = make("stop")
    assert stopped.returncode == 0
    require_free(port, "CLOUD_PORT")


def test_a_cloud_that_dies_while_the_stack_is_deployed(tmp_path):
    log = tmp_path / "log.txt"
    with making(log, "deploy-local", f"CLOUD_PORT={free_port()}", f"BUILD={BUILD}") as process:
        wait_for(lambda: "building" in log.read_text())
        [emulator] = named("ministack", process.pid)
        emulator.kill()
        assert process.wait(timeout=600) != 0
    assert "countersign: the local cloud has died." in log.read_text()
    assert "Traceback" not in log.read_text()


def test_watch_answers_builds_again_at_a_change_and_ends_whole(tmp_path):
    log, port = tmp_path / "log.txt", free_port()
    with making(log, "watch", f"PORT={port}") as process:
        wait_for(lambda: "Ctrl-C ends it" in log.read_text())
        curl = next(line for line in log.read_text().splitlines() if line.strip().startswith("curl "))
        assert f":{port}/" in curl
        [function] = named("api", process.pid)

        def answers():
            done = subprocess.run(["bash", "-c", curl], capture_output=True, timeout=600)
            return b"access_token" in done.stdout

        assert answers()
        os.utime(ROOT / "src/lib.rs")
        [again] = wait_for(lambda: [one for one in named("api", process.pid) if one.pid != function.pid])
        assert wait_for(answers) and again.is_running()
        started = started_by(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)
        assert_ended(started)


def test_watch_ends_when_its_cloud_dies(tmp_path):
    log = tmp_path / "log.txt"
    with making(log, "watch", f"PORT={free_port()}") as process:
        wait_for(lambda: "Ctrl-C ends it" in log.read_text())
        started = started_by(process.pid)
        [emulator] = named("ministack", process.pid)
        emulator.kill()
        assert process.wait(timeout=60) != 0
        assert_ended(started)
    assert "countersign: the local cloud has died." in log.read_text()


@pytest.mark.parametrize("verb", ["deploy-local", "watch"])
def test_a_port_that_is_taken(verb):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        setting = {"deploy-local": "CLOUD_PORT", "watch": "PORT"}[verb]
        assert_one_line(make(verb, f"{setting}={port}"), f"cannot listen on port {port}")


def test_an_event_that_there_is_not():
    assert_one_line(make("invoke", "EVENT=pasword"), "there is no event pasword. There are: ")


@pytest.mark.parametrize("verb", ["deploy-local", "watch", "invoke", "e2e", "deploy"])
@pytest.mark.parametrize("missing", ["cargo", "cc"])
def test_a_tool_that_is_missing(verb, missing, tmp_path):
    assert_one_line(make(verb, environment=without(missing, tmp_path)), f"{missing} is missing")


def test_python_is_missing(tmp_path):
    done = make("watch", f"TOOLS={tmp_path}/tools", environment=without("python3", tmp_path))
    assert_one_line(done, "python3 is missing")
    assert not (tmp_path / "tools").exists()


def without(missing, folder):
    """An environment whose PATH has what the Makefile calls, but for one."""
    for tool in {"make", "bash", "sed", "rm", "touch", "python3", "cargo", "cc"} - {missing}:
        (folder / tool).symlink_to(shutil.which(tool))
    return COMMAND_LINE | {"PATH": str(folder)}


def test_nothing_but_deploy_can_reach_aws():
    """The local verbs see made-up credentials and the local cloud, whatever the terminal has set."""
    recipes = (ROOT / "Makefile").read_text()
    assert recipes.count("sam deploy") == recipes.count("sam deploy --guided")
    hostile = {
        "AWS_PROFILE": "production", "AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.eu-west-2.amazonaws.com", "SAM_CONFIG_ENV": "default",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in hostile.items():
            patch.setenv(name, value)
        environment = Cloud(1).environment()
    assert {name for name in environment if name.startswith(("AWS_", "SAM_"))} == {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EC2_METADATA_DISABLED", "AWS_ENDPOINT_URL", "SAM_CLI_TELEMETRY",
    }
    assert environment["AWS_ACCESS_KEY_ID"] == "test" and environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
