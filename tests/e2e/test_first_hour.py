"""The first commands of an operator, as README.md has them, and the builds that they share with `cargo test`."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import ROOT, cargo_build
from local_cloud.cloud import Cloud
from local_cloud.program import free_port

README = (ROOT / "README.md").read_text()
SECTION = README.split("### The CLI on a local run\n")[1].split("\n## ")[0]
FOR_EXAMPLE, FOR_DEPLOY_LOCAL = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)


def run_in_shell(commands, **variables):
    """Runs commands as a developer does: with a profile, and a stack of another deployment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MAKE", "MFLAGS"))}
    environment |= {"AWS_PROFILE": "production", "COUNTERSIGN_STACK": "production"} | variables
    command = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=7200)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def local_example(tmp_path):
    """Starts the example, and returns what it prints."""
    program, log = cargo_build("local", "--example", "local"), tmp_path / "log.txt"
    with log.open("w") as output, subprocess.Popen([program, "--port", str(free_port())], stdout=output) as process:
        try:
            deadline = time.monotonic() + 600
            while "Stop with Ctrl-C" not in log.read_text():
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
            yield log.read_text()
        finally:
            process.send_signal(signal.SIGINT)


def test_the_first_commands_of_an_operator_on_the_local_example(local_example):
    [settings] = re.findall(r"^  (export .*)$", local_example, re.MULTILINE)
    # The command after the settings is the first of the README.
    assert FOR_EXAMPLE.startswith(local_example.split(settings)[1].split("\n")[1].strip() + "\n")
    printed = run_in_shell(f"{settings}\n{FOR_EXAMPLE}")
    assert "demo-service" in printed and "client_secret  cs_" in printed
    assert "because AWS is emulated" in printed and "warning" not in printed


@pytest.fixture
def no_other_cloud():
    assert not Cloud.find_running(), "make deploy-local is running; stop it with `make stop`"
    yield
    subprocess.run(["make", "stop"], cwd=ROOT, check=True)


@pytest.mark.usefixtures("no_other_cloud")
def test_the_first_commands_of_an_operator_on_deploy_local():
    port = free_port()
    printed = run_in_shell(FOR_DEPLOY_LOCAL, MAKEFLAGS=f" -- CLOUD_PORT={port}")
    issuer = f"http://127.0.0.1:{port}/_aws/execute-api/countersign"
    assert f"export COUNTERSIGN_URL={issuer}\n" in printed and f'"issuer":"{issuer}"' in printed
    assert "client_secret  cs_" in printed and "retires on" in printed
    assert "countersign is CREATE_COMPLETE" in printed and "because AWS is emulated" in printed and "warning" not in printed
    assert not (ROOT / ".tools/run/env.sh").exists()


def test_the_binaries_share_all_dependencies_with_the_tests():
    """Cargo selects the features of dependencies for all default members together, with those that only tests need or without."""
    def compiled(*targets):
        command = ["cargo", "build", "--quiet", "--locked", "--message-format=json", *targets]
        lines = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        artifacts = [message for message in map(json.loads, lines) if message["reason"] == "compiler-artifact"]
        return {artifact["package_id"] for artifact in artifacts if not artifact["fresh"]}

    compiled("--example", "local")
    built = compiled("--bin", "api", "--bin", "rotate", "--bin", "countersign")
    assert not [package for package in built if package.startswith("registry+")]
