"""The built function: its size, its libraries, its features, its log lines."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from http_client import request

# Amazon Linux 2023 has glibc 2.34.
NEWEST_GLIBC = (2, 34)
# 2.5 % above the sizes of the release build (docs/performance.md), so that only a deliberate change exceeds them.
MAX_BINARY_BYTES = 10_380_000
MAX_ZIP_BYTES = 4_460_000


@pytest.fixture(scope="module")
def bootstrap(build_folder):
    return build_folder / "ApiFunction/bootstrap"


@pytest.fixture(scope="module")
def configuration(shared_stack):
    """The function's configuration, as Lambda returns it."""
    functions, name = shared_stack.cloud.client("lambda"), shared_stack.resources["ApiFunction"]
    return functions.get_function_configuration(FunctionName=name)


def test_the_function_needs_only_libraries_of_amazon_linux_2023(bootstrap):
    symbols = subprocess.run(["objdump", "-T", bootstrap], capture_output=True, text=True, check=True).stdout
    versions = {tuple(int(part) for part in found.split(".")) for found in re.findall(r"GLIBC_([\d.]+)", symbols)}
    assert versions and max(versions) <= NEWEST_GLIBC
    headers = subprocess.run(["objdump", "-p", bootstrap], capture_output=True, text=True, check=True).stdout
    libraries = set(re.findall(r"NEEDED\s+(\S+)", headers))
    assert libraries <= {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "librt.so.1",
                         "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


@pytest.mark.skipif(os.environ.get("BUILD") == "debug", reason="the limits are those of the release build")
def test_the_function_is_small_and_stripped(bootstrap, configuration, capsys):
    binary, zipped = bootstrap.stat().st_size, configuration["CodeSize"]
    with capsys.disabled():
        print(f"\nthe function: {binary:,} bytes, as a zip {zipped:,} bytes")
    assert binary <= MAX_BINARY_BYTES and zipped <= MAX_ZIP_BYTES
    sections = subprocess.run(["objdump", "-h", bootstrap], capture_output=True, text=True, check=True).stdout
    assert ".symtab" not in sections and ".debug_info" not in sections


def test_the_function_is_built_for_the_architecture_of_its_configuration(bootstrap, configuration):
    machine = {0x3E: "x86_64", 0xB7: "arm64"}[bootstrap.read_bytes()[18]]
    assert configuration["Architectures"] == [machine]


@pytest.mark.skipif(os.environ.get("BUILD") == "debug", reason="the debug build shares its dependencies with the CLI")
def test_the_functions_have_no_code_that_only_the_cli_needs(build_folder, cli_program):
    """`package.metadata.lambda.build` in Cargo.toml selects the package.

    Without it, cargo would build the default members together, and the functions with all features of the CLI.
    """
    # The endpoint of IAM Identity Center, which is part of the feature `sso` of aws-config; and two variables of the SDK's search
    # for credentials, which the functions do not need.
    for text in (b"portal.sso", b"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", b"AWS_WEB_IDENTITY_TOKEN_FILE"):
        assert text in Path(cli_program).read_bytes()
        for function in ("ApiFunction", "RotateFunction"):
            assert text not in (build_folder / function / "bootstrap").read_bytes()


def test_s_103_the_functions_unwind_on_panic(build_folder):
    """Aborting would stop the execution environment instead of failing one request."""
    for function in ("ApiFunction", "RotateFunction"):
        headers = ["objdump", "-h", build_folder / function / "bootstrap"]
        sections = subprocess.run(headers, capture_output=True, text=True, check=True).stdout
        # The tables of what to drop in each function. If panics abort, only the standard library has some: 5 KB.
        [size] = re.findall(r"\.gcc_except_table\s+([0-9a-f]+)", sections)
        assert int(size, 16) > 50_000


def test_each_decision_is_one_json_line_in_the_log_of_the_stack(api, shared_stack):
    def rejections():
        lines = [json.loads(line) for line in shared_stack.log() if line.startswith("{")]
        return [line for line in lines if line.get("outcome") == "rejected" and line.get("client_id") == "demo-app"]

    form = b"grant_type=password&client_id=demo-app&client_secret=never-to-be-logged&username=x&password=y"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = request("POST", api.token_url, headers, form)
    assert response.status == 401
    deadline = time.monotonic() + 60
    while not rejections():
        assert time.monotonic() < deadline, "the line is not logged within 60 s"
        time.sleep(0.2)
    [line] = rejections()
    assert (line["error"], line["status"]) == ("invalid_client", 401)
    assert line["request_id"] and line["source"] == "127.0.0.1"
    assert "never-to-be-logged" not in str(shared_stack.log())
