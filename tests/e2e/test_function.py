"""What is built: small, for Amazon Linux 2023, and still one that survives a panic."""

import json
import os
import re
import subprocess
import time
import tomllib

import pytest

from conftest import ROOT
from http_client import request

# Amazon Linux 2023 has glibc 2.34.
NEWEST_GLIBC = (2, 34)
# Above what the release build has by one part in forty (docs/performance.md): who adds more should mean to.
MOST_BINARY_BYTES = 8_800_000
MOST_ZIP_BYTES = 3_700_000


@pytest.fixture(scope="module")
def bootstrap(built):
    return built / "ApiFunction/bootstrap"


def test_the_function_needs_no_newer_libc_than_amazon_linux_2023_has(bootstrap):
    needed = subprocess.run(["objdump", "-T", bootstrap], capture_output=True, text=True, check=True).stdout
    versions = {tuple(int(part) for part in found.split(".")) for found in re.findall(r"GLIBC_([\d.]+)", needed)}
    assert versions and max(versions) <= NEWEST_GLIBC
    libraries = subprocess.run(["objdump", "-p", bootstrap], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"NEEDED\s+(\S+)", libraries))
    assert needed <= {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "librt.so.1",
                      "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


@pytest.mark.skipif(os.environ.get("BUILD") == "debug", reason="sizes are those of the release build")
def test_the_function_is_small_and_stripped(bootstrap, deployment, capsys):
    function = deployment.stack.resources["ApiFunction"]
    deployed = deployment.stack.cloud.client("lambda").get_function_configuration(FunctionName=function)
    binary, zipped = bootstrap.stat().st_size, deployed["CodeSize"]
    with capsys.disabled():
        print(f"\nthe function: {binary:,} bytes, as a zip {zipped:,} bytes")
    assert binary <= MOST_BINARY_BYTES and zipped <= MOST_ZIP_BYTES
    sections = subprocess.run(["objdump", "-h", bootstrap], capture_output=True, text=True, check=True).stdout
    assert ".symtab" not in sections and ".debug_info" not in sections


def test_the_function_is_built_for_the_processor_that_it_is_deployed_for(bootstrap, deployment):
    function = deployment.stack.resources["ApiFunction"]
    deployed = deployment.stack.cloud.client("lambda").get_function_configuration(FunctionName=function)
    machine = {0x3E: "x86_64", 0xB7: "arm64"}[bootstrap.read_bytes()[18]]
    assert deployed["Architectures"] == [machine]


def test_s_103_a_release_unwinds():
    """If a panic aborted, it would end the environment, and not one request."""
    profile = tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]["release"]
    assert profile.get("panic", "unwind") == "unwind"
    assert profile["lto"] == "fat" and profile["strip"] is True


def test_each_decision_is_one_json_line_in_the_log_of_the_stack(api, deployment):
    def rejected():
        lines = [json.loads(line) for line in deployment.stack.log() if line.startswith("{")]
        return [line for line in lines if line.get("outcome") == "rejected" and line.get("client_id") == "demo-app"]

    form = b"grant_type=password&client_id=demo-app&client_secret=never-to-be-logged&username=x&password=y"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = request(api.token_url, "POST", "/oauth/token", headers, form)
    assert answer.status == 401
    deadline = time.monotonic() + 60
    while not rejected():
        assert time.monotonic() < deadline, "the line does not come"
        time.sleep(0.2)
    [line] = rejected()
    assert (line["error"], line["status"]) == ("invalid_client", 401)
    assert line["request_id"] and line["source"] == "127.0.0.1"
    assert "never-to-be-logged" not in str(deployment.stack.log())
