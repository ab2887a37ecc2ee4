"""The local example behind TLS for the conformance suite, and the program that runs the suite, with a simulated one."""

import base64
import copy
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest

from conftest import ROOT, cargo_build
from http_client import request
from local_cloud.program import free_port
from scripted_browser import sign_in
from simulated_suite import SimulatedSuite

FOLDER = ROOT / "tests/conformance"
PLANS = json.loads((FOLDER / "plans.json").read_text())
RECORDS = json.loads((FOLDER / "records.json").read_text().replace("{suite}", "https://localhost:8443"))
ISSUER = "https://op.example"


@contextmanager
def running_service(issuer):
    cargo_build("local", "--example", "local")
    command = [sys.executable, FOLDER / "service.py", "--suite", "https://localhost:8443", "--issuer", issuer]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline()
            assert line == f"countersign: {issuer} is ready; stop it with Ctrl-C\n", line + process.stderr.read()
            yield
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0


def log_in(metadata, client, redirect_uri):
    """Logs the user in as the suite does. Returns the pages, the parameters of the redirect, and the token response."""
    query = {
        "client_id": client["client_id"], "redirect_uri": redirect_uri, "response_type": "code", "scope": "openid",
        "state": "some-state", "nonce": "some-nonce",
    }
    returned, pages = sign_in(f"{metadata['authorization_endpoint']}?{urlencode(query)}", RECORDS["users"][0])
    received = dict(parse_qsl(urlsplit(returned).query))
    credentials = base64.b64encode(f"{client['client_id']}:{client['client_secret']}".encode()).decode()
    headers = {"authorization": f"Basic {credentials}", "content-type": "application/x-www-form-urlencoded"}
    form = {"grant_type": "authorization_code", "code": received["code"], "redirect_uri": redirect_uri}
    response = request("POST", metadata["token_endpoint"], headers, urlencode(form).encode())
    assert response.status == 200, response.body
    return pages, received, response.json


def test_the_local_example_behind_tls_accepts_the_clients_of_the_plan_without_pkce():
    issuer = f"https://localhost:{free_port()}"
    plan = json.loads((FOLDER / "plan.json").read_text().replace("{issuer}", issuer))
    redirect_uri = f"https://localhost:8443/test/a/{plan['alias']}/callback"
    with running_service(issuer):
        metadata = request("GET", plan["server"]["discoveryUrl"], {}, None).json
        assert metadata["issuer"] == issuer
        keys = jwt.PyJWKSet.from_dict(request("GET", metadata["jwks_uri"], {}, None).json)
        for client in (plan["client"], plan["client2"]):
            pages, received, tokens = log_in(metadata, client, redirect_uri)
            assert (pages, received["state"], received["iss"]) == (["login", "consent"], "some-state", issuer)
            key = keys[jwt.get_unverified_header(tokens["id_token"])["kid"]]
            claims = jwt.decode(tokens["id_token"], key, ["RS256"], audience=client["client_id"], issuer=issuer)
            assert (claims["sub"], claims["nonce"]) == ("conformance-user", "some-nonce")
            bearer = {"authorization": f"Bearer {tokens['access_token']}"}
            assert request("GET", metadata["userinfo_endpoint"], bearer, None).json == {"sub": "conformance-user"}


def test_the_plan_has_the_secrets_and_the_password_of_the_records():
    plan = json.loads((FOLDER / "plan.json").read_text())
    secrets = {client["client_id"]: client["secrets"][0]["secret"] for client in RECORDS["clients"]}
    for client in (plan["client"], plan["client2"], plan["client_secret_post"]):
        assert secrets[client["client_id"]] == client["client_secret"]
    commands = [command for entry in plan["browser"] for task in entry["tasks"] for command in task["commands"]]
    typed = {(command[2], command[3]) for command in commands if command[0] == "text"}
    user = RECORDS["users"][0]
    assert typed == {("username", user["username"]), ("password", user["password"])}


@pytest.fixture
def suite():
    with SimulatedSuite(copy.deepcopy(PLANS), token="token-of-the-suite") as suite:
        yield suite


def run_suite(url, token="token-of-the-suite"):
    command = [sys.executable, FOLDER / "run.py", "--suite", url, "--issuer", ISSUER, "--seconds", "2"]
    environment = os.environ | {"CONFORMANCE_TOKEN": token}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_expected_results_of_a_suite_have_a_line_each(suite):
    status, output, errors = run_suite(suite.url)
    assert (status, errors) == (0, ""), output
    lines = output.splitlines()
    modules = [(name, result) for plan in PLANS for name, result in plan["modules"].items() if result != "ABSENT"]
    assert len(modules) == 47
    results = [line.split()[1:3] for line in lines if line.startswith("  expected ")]
    assert results == [[f"{name}:", f"{result}:"] for name, result in modules]
    assert [run["name"] for run in suite.runs] == [name for name, _ in modules]
    assert lines[-1] == "countersign: no unexpected results" and len(lines) == 47 + 3 + 1
    assert len(suite.configurations) == 3
    for configuration in suite.configurations:
        assert configuration["server"]["discoveryUrl"] == f"{ISSUER}/.well-known/openid-configuration"
        assert all(entry["match"].startswith(f"{ISSUER}/oauth/") for entry in configuration["browser"])


def test_unexpected_results_of_a_suite_are_reported(suite):
    suite.ends = {
        "oidcc-server": ("FINISHED", "FAILED"), "oidcc-codereuse": ("WAITING", "UNKNOWN"),
        "oidcc-rp-initiated-logout": ("INTERRUPTED", "FAILED"),
    }
    status, output, _ = run_suite(suite.url)
    assert status == 1
    for line in (
        "  unexpected  oidcc-server: FAILED, expected PASSED: ", "      FAILURE oidcc-server: is wrong\n",
        "  unexpected  oidcc-codereuse: WAITING after 2 seconds, expected PASSED: ",
        "  unexpected  oidcc-rp-initiated-logout: INTERRUPTED FAILED, expected PASSED: ",
        "countersign: 3 unexpected results\n",
    ):
        assert line in output
    assert suite.canceled == ["oidcc-codereuse"] and len(suite.runs) == 47


def test_a_suite_with_other_modules_is_reported(suite):
    basic = suite.plans[1]["modules"]
    del basic["oidcc-server"]
    basic |= {"oidcc-idtoken-unsigned": "PASSED", "oidcc-new": "PASSED"}
    status, output, _ = run_suite(suite.url)
    assert status == 1 and "countersign: 3 unexpected results\n" in output
    for line in (
        "  unexpected  oidcc-server: expected PASSED, not in the plan\n",
        "  unexpected  oidcc-idtoken-unsigned: expected ABSENT, in the plan\n",
        "  unexpected  oidcc-new: PASSED, expected not to be in the plan: ",
    ):
        assert line in output


def test_an_error_of_the_suite_is_one_line(suite):
    status, _, errors = run_suite(suite.url, token="")
    assert (status, errors) == (1, 'countersign: POST /api/plan: 401 {"error": "unauthorized"}\n')
    unused = f"http://127.0.0.1:{free_port()}"
    status, _, errors = run_suite(unused)
    assert status == 1 and errors.startswith(f"countersign: {unused}: ") and errors.count("\n") == 1
