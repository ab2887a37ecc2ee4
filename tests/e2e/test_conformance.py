"""The local example behind TLS for the conformance suite, and the program that runs the suite, with a simulated one."""

import base64
import copy
import json
import os
import signal
import subprocess
import sys
import time
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest

from conftest import ROOT, cargo_build
from http_client import request
from local_cloud.program import free_port
from plan_browser import PlanBrowser, path
from simulated_suite import SimulatedSuite

FOLDER = ROOT / "tests/conformance"
PLANS = json.loads((FOLDER / "plans.json").read_text())
RECORDS = json.loads((FOLDER / "records.json").read_text())
SUITE, ISSUER = "https://localhost:8443", "https://op.example"
CALLBACK = f"{SUITE}/test/a/countersign/callback"


@pytest.fixture(scope="module")
def issuer():
    """The local example behind TLS."""
    cargo_build("local", "--example", "local")
    issuer = f"https://localhost:{free_port()}"
    command = [sys.executable, FOLDER / "service.py", "--suite", SUITE, "--issuer", issuer]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline()
            assert line == f"countersign: {issuer} is ready; stop it with Ctrl-C\n", line + process.stderr.read()
            yield issuer
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0


@pytest.fixture
def plan(issuer):
    return json.loads((FOLDER / "plan.json").read_text().replace("{issuer}", issuer))


@pytest.fixture
def browser(plan, issuer):
    return PlanBrowser(plan, issuer)


def authorization_url(issuer, **changes):
    """Returns an authorization request in the form in which the suite builds it: sorted, with `/` and `:` as they are."""
    query = {"client_id": "conformance-1", "nonce": "some-nonce", "redirect_uri": CALLBACK, "response_type": "code"}
    query |= {"scope": "openid", "state": "some-state"} | changes
    return f"{issuer}/oauth/authorize?{urlencode(sorted(query.items()), safe='/:')}"


def tokens_of(issuer, client, returned):
    """Exchanges the code of a redirect, without PKCE."""
    received = dict(parse_qsl(urlsplit(returned).query))
    assert (received["state"], received["iss"]) == ("some-state", issuer)
    credentials = base64.b64encode(f"{client['client_id']}:{client['client_secret']}".encode()).decode()
    headers = {"authorization": f"Basic {credentials}", "content-type": "application/x-www-form-urlencoded"}
    form = {"grant_type": "authorization_code", "code": received["code"], "redirect_uri": CALLBACK}
    response = request("POST", f"{issuer}/oauth/token", headers, urlencode(form).encode())
    assert response.status == 200, response.body
    return response.json


def test_the_local_example_behind_tls_accepts_the_clients_of_the_plan_without_pkce(issuer, plan):
    metadata = request("GET", plan["server"]["discoveryUrl"], {}, None).json
    assert (metadata["issuer"], metadata["token_endpoint"]) == (issuer, f"{issuer}/oauth/token")
    keys = jwt.PyJWKSet.from_dict(request("GET", metadata["jwks_uri"], {}, None).json)
    for client in (plan["client"], plan["client2"]):
        browser = PlanBrowser(plan, issuer)
        tokens = tokens_of(issuer, client, browser.go(authorization_url(issuer, client_id=client["client_id"])))
        key = keys[jwt.get_unverified_header(tokens["id_token"])["kid"]]
        claims = jwt.decode(tokens["id_token"], key, ["RS256"], audience=client["client_id"], issuer=issuer)
        assert (claims["sub"], claims["nonce"]) == ("conformance-user", "some-nonce")
        bearer = {"authorization": f"Bearer {tokens['access_token']}"}
        assert request("GET", metadata["userinfo_endpoint"], bearer, None).json == {"sub": "conformance-user"}


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"max_age": "1"}], ids=str)
def test_the_plan_saves_the_second_login_page(issuer, browser, changes):
    browser.go(authorization_url(issuer))
    time.sleep(2)
    assert browser.saved == []
    assert browser.go(authorization_url(issuer, **changes)).startswith(f"{CALLBACK}?code=")
    assert len(browser.saved) == 1 and "Sign in" in browser.saved[0]


@pytest.mark.parametrize("changes", [
    {}, {"prompt": "none"}, {"max_age": "10000"}, {"prompt": "consent", "scope": "openid offline_access"},
], ids=str)
def test_the_plan_follows_a_second_request(issuer, browser, changes):
    browser.go(authorization_url(issuer))
    assert browser.go(authorization_url(issuer, **changes)).startswith(f"{CALLBACK}?code=")
    assert browser.saved == []


@pytest.mark.parametrize("changes", [{"prompt": "none"}, {"response_type": ""}, {"request": "e30.e30."}], ids=str)
def test_the_plan_follows_an_error_to_the_client(issuer, browser, changes):
    assert browser.go(authorization_url(issuer, **changes)).startswith(f"{CALLBACK}?error=")


@pytest.mark.parametrize("end", ["/k3Dj9s0aQz", "_invalid"])
def test_the_plan_saves_the_error_page_of_a_redirect_uri(issuer, browser, end):
    browser.go(authorization_url(issuer, redirect_uri=f"{CALLBACK}{end}"))
    assert len(browser.saved) == 1 and "is not registered" in browser.saved[0]


@pytest.mark.parametrize("parameters, end, saved", [
    ("id_token_hint post_logout_redirect_uri state", "post_logout_redirect", None),
    ("id_token_hint post_logout_redirect_uri", "post_logout_redirect", None),
    ("id_token_hint other_uri state", "logout", "You are signed out"),
    ("id_token_hint state", "logout", "You are signed out"),
    ("other_hint post_logout_redirect_uri state", "logout", "Do you want to sign out?"),
    ("post_logout_redirect_uri state", "logout", "Do you want to sign out?"),
    ("state", "logout", "You are signed out"),
    ("", "logout", "You are signed out"),
])
def test_the_plan_signs_out(issuer, plan, browser, parameters, end, saved):
    tokens = tokens_of(issuer, plan["client"], browser.go(authorization_url(issuer)))
    values = {
        "id_token_hint": tokens["id_token"], "other_hint": "e30.e30.", "state": "bye",
        "post_logout_redirect_uri": f"{SUITE}/test/a/countersign/post_logout_redirect",
        "other_uri": f"{SUITE}/test/a/countersign/bad_post_logout_redirect_uri",
    }
    names = {"other_hint": "id_token_hint", "other_uri": "post_logout_redirect_uri"}
    query = urlencode([(names.get(name, name), values[name]) for name in parameters.split()], safe="/:")
    assert path(browser.go(f"{issuer}/oauth/logout{'?' if query else ''}{query}")) == end
    assert len(browser.saved) == (saved is not None) and all(saved in text for text in browser.saved)


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
