"""The local example behind TLS for the conformance suite, and the program that runs the suite, with a simulated one."""

import base64
import copy
import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
from joserfc.jwk import ECKey, import_key
from joserfc.jws import serialize_compact

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
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@contextmanager
def served(profile):
    """Runs the local example behind TLS with the clients of a profile."""
    cargo_build("local", "--example", "local")
    issuer = f"https://localhost:{free_port()}"
    command = [sys.executable, FOLDER / "service.py", "--suite", SUITE, "--profile", profile, "--issuer", issuer]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline()
            assert line == f"countersign: {issuer} is ready; stop it with Ctrl-C\n", line + process.stderr.read()
            yield issuer
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0


@pytest.fixture(scope="module")
def issuer():
    with served("openid") as issuer:
        yield issuer


@pytest.fixture(scope="module")
def fapi():
    with served("fapi") as issuer:
        yield issuer


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


def send_proof(method, url, key, nonce, headers, form=None, **claims):
    """Sends a request with a DPoP proof."""
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    claims |= {"jti": str(uuid.uuid4()), "htm": method, "htu": url, "iat": int(time.time())}
    claims |= {"nonce": nonce} if nonce else {}
    headers = headers | {"dpop": serialize_compact(header, json.dumps(claims), key)}
    return request(method, url, headers, urlencode(form).encode() if form else None)


def fapi_token(metadata, client, key):
    """Gets a token like the suite: the first request has no nonce, and the next one that of the response."""
    [jwk] = client["jwks"]["keys"]
    header = {"alg": jwk["alg"], "kid": jwk["kid"]}
    nonce = None
    for _ in range(2):
        now, client_id = int(time.time()), client["client_id"]
        claims = {"iss": client_id, "sub": client_id, "aud": metadata["issuer"], "jti": str(uuid.uuid4()), "exp": now + 60}
        form = {"grant_type": "client_credentials", "scope": client["scope"], "client_assertion_type": JWT_BEARER}
        form["client_assertion"] = serialize_compact(header, json.dumps(claims), import_key(jwk), algorithms=[jwk["alg"]])
        content = {"content-type": "application/x-www-form-urlencoded"}
        response = send_proof("POST", metadata["token_endpoint"], key, nonce, content, form)
        nonce = response.headers["dpop-nonce"]
    assert response.status == 200, response.body
    return response.json["access_token"], nonce


def test_the_clients_of_fapi_get_bound_es256_tokens_that_the_demo_api_accepts(fapi):
    configuration = json.loads((ROOT / "examples/fapi/suite.json").read_text().replace("https://op.test:9443", fapi))
    metadata = request("GET", configuration["server"]["discoveryUrl"], {}, None).json
    assert metadata["issuer"] == fapi
    api = configuration["resource"]["resourceUrl"]
    for client in (configuration["client"], configuration["client2"]):
        key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
        token, nonce = fapi_token(metadata, client, key)
        assert jwt.get_unverified_header(token)["alg"] == "ES256"
        ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
        headers = {"authorization": f"DPoP {token}"}
        response = send_proof("GET", api, key, nonce, headers, ath=ath)
        assert (response.status, response.json["subject"]) == (200, client["client_id"])
        assert "date" in response.headers
        assert send_proof("GET", api, other, nonce, headers, ath=ath).status == 401
        assert request("GET", api, {"authorization": f"Bearer {token}"}, None).status == 401


def test_the_proxy_offers_only_the_ciphers_that_fapi_allows(fapi):
    def handshake(version, ciphers):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        context.set_ciphers(ciphers)
        address = urlsplit(fapi)
        with socket.create_connection((address.hostname, address.port)) as connection:
            return context.wrap_socket(connection, server_hostname=address.hostname).version()

    assert handshake(ssl.TLSVersion.TLSv1_3, "DEFAULT") == "TLSv1.3"
    assert handshake(ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM") == "TLSv1.2"
    with pytest.raises(ssl.SSLError):
        handshake(ssl.TLSVersion.TLSv1_2, "DEFAULT:!AESGCM")


@pytest.fixture
def suite():
    with SimulatedSuite(copy.deepcopy(PLANS), token="token-of-the-suite") as suite:
        yield suite


def run_suite(url, token="token-of-the-suite", profile=""):
    command = [sys.executable, FOLDER / "run.py", "--suite", url, "--issuer", ISSUER, "--seconds", "2"]
    command += ["--profile", profile]
    environment = os.environ | {"CONFORMANCE_TOKEN": token}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout, done.stderr


def test_expected_results_of_a_suite_have_a_line_each(suite):
    status, output, errors = run_suite(suite.url)
    assert (status, errors) == (0, ""), output
    lines = output.splitlines()
    modules = [(name, result) for plan in PLANS for name, result in plan["modules"].items() if result != "ABSENT"]
    assert len(modules) == 61
    results = [line.split()[1:3] for line in lines if line.startswith("  expected ")]
    assert results == [[f"{name}:", f"{result}:"] for name, result in modules]
    assert [run["name"] for run in suite.runs] == [name for name, _ in modules]
    assert lines[-1] == "countersign: no unexpected results" and len(lines) == 61 + 4 + 1
    *openid, fapi = suite.configurations
    assert len(openid) == 3
    assert fapi["server"]["discoveryUrl"] == f"{ISSUER}/.well-known/oauth-authorization-server"
    assert fapi["resource"]["resourceUrl"] == f"{ISSUER}/demo/vehicles"
    for configuration in openid:
        assert configuration["server"]["discoveryUrl"] == f"{ISSUER}/.well-known/openid-configuration"
        assert all(entry["match"].startswith(f"{ISSUER}/oauth/") for entry in configuration["browser"])


def test_the_plans_of_one_profile_run_without_the_others(suite):
    status, output, errors = run_suite(suite.url, profile="fapi")
    assert (status, errors) == (0, ""), output
    assert [run["name"] for run in suite.runs] == list(PLANS[3]["modules"])


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
    assert suite.canceled == ["oidcc-codereuse"] and len(suite.runs) == 61


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
