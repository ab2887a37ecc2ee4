"""Clients that others wrote, and requests as they are written by hand: each gets tokens by every grant, and refreshes."""

import base64
import json
import subprocess

import pytest
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import BackendApplicationClient, LegacyApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from conftest import ROOT, run
from http_client import request
from verification import claims, verify_by_jose

SERVICE = {"id": "billing-cron", "secret": "cs_billing-cron-secret-000000000000000000000000001"}
APPLICATION = {"id": "autonomy-web", "secret": "cs_autonomy-web-secret-00000000000000000000000002"}
# A password that is not ASCII: clients must encode it, and the service must read what they make of it.
USER = {"username": "umlaut@itccompliance.co.uk", "password": "pässwörd"}
SUBJECTS = {SERVICE["id"]: "billing-cron", APPLICATION["id"]: "1046"}
SCOPE = "legacy:autonomy.write legacy:autonomy.read"


@pytest.fixture(autouse=True)
def without_tls(monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


def settings(service):
    return {
        "tokenUrl": service.token_url, "issuer": service.issuer, "service": SERVICE, "application": APPLICATION,
        "user": USER, "scope": SCOPE,
    }


def check(service, answers):
    """Answers come in threes: a service's token, a login, a refresh. Their tokens verify by two libraries."""
    assert answers and len(answers) % 3 == 0
    for position, answer in enumerate(answers):
        verified = claims(answer["access_token"], service)
        client = (SERVICE if position % 3 == 0 else APPLICATION)["id"]
        assert (verified["client_id"], verified["sub"]) == (client, SUBJECTS[client])
        assert sorted(verified["scope"].split()) == sorted(SCOPE.split())
        assert answer["token_type"].lower() == "bearer"
        assert ("refresh_token" in answer) == (position % 3 != 0)
    references = [answer["refresh_token"] for answer in answers if "refresh_token" in answer]
    assert len(set(references)) == len(references)
    verify_by_jose([answer["access_token"] for answer in answers], service)


def test_requests_oauthlib(service):
    answers = []
    for in_body in (False, True):
        def ask(client, identity, **parameters):
            session = OAuth2Session(client=client)
            auth = None if in_body else HTTPBasicAuth(identity["id"], identity["secret"])
            how = {"include_client_id": True, "client_secret": identity["secret"]} if in_body else {"auth": auth}
            return session, session.fetch_token(service.token_url, scope=SCOPE.split(), **how, **parameters)

        answers.append(ask(BackendApplicationClient(SERVICE["id"]), SERVICE)[1])
        session, login = ask(LegacyApplicationClient(APPLICATION["id"]), APPLICATION, **USER)
        answers.append(dict(login))
        if in_body:
            how = {"client_id": APPLICATION["id"], "client_secret": APPLICATION["secret"]}
        else:
            how = {"auth": HTTPBasicAuth(APPLICATION["id"], APPLICATION["secret"])}
        answers.append(session.refresh_token(service.token_url, **how))
    check(service, answers)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib(service, method):
    def session(identity):
        return AuthlibSession(
            identity["id"], identity["secret"], token_endpoint_auth_method=method, scope=SCOPE,
            token_endpoint=service.token_url,
        )

    of_service = session(SERVICE).fetch_token(grant_type="client_credentials")
    of_application = session(APPLICATION)
    login = dict(of_application.fetch_token(grant_type="password", **USER))
    check(service, [of_service, login, of_application.refresh_token(service.token_url, login["refresh_token"])])


def test_openid_client(service):
    check(service, run(["node", "tests/e2e/node/openid-client.mjs"], settings(service)))


def test_simple_oauth2(service):
    check(service, run(["node", "tests/e2e/node/simple-oauth2.mjs"], settings(service)))


@pytest.fixture(scope="module")
def oauth2_client():
    """The program, built: that may take minutes."""
    command = ["cargo", "build", "--quiet", "--locked", "--example", "oauth2_client", "--message-format=json"]
    messages = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    executables = [json.loads(message).get("executable") for message in messages]
    return next(path for path in reversed(executables) if path)


def test_the_oauth2_crate(service, oauth2_client):
    check(service, run([oauth2_client], settings(service)))


def test_curl(service):
    def curl(*arguments):
        command = ["curl", "--silent", "--show-error", "--fail-with-body", service.token_url, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def basic(identity):
        return ["--user", f"{identity['id']}:{identity['secret']}"]

    of_service = curl(*basic(SERVICE), "-d", "grant_type=client_credentials", "-d", f"scope={SCOPE}")
    login = curl(
        *basic(APPLICATION), "-d", "grant_type=password", "-d", f"username={USER['username']}", "-d", f"scope={SCOPE}",
        "--data-urlencode", f"password={USER['password']}",
    )
    reference = login["refresh_token"]
    refreshed = curl(*basic(APPLICATION), "-d", "grant_type=refresh_token", "-d", f"refresh_token={reference}")
    check(service, [of_service, login, refreshed])


def test_json_as_php_writes_it(service):
    """What Guzzle sends for Laravel's Http::post: json_encode escapes slashes and everything beyond ASCII."""

    def post(identity, members, accept="version=2"):
        members = {"client_id": identity["id"], "client_secret": identity["secret"], **members}
        body = json.dumps(members, separators=(",", ":"), ensure_ascii=True).replace("/", "\\/")
        headers = {"Accept": accept, "Content-Type": "application/json", "User-Agent": "GuzzleHttp/7"}
        answer = request(service.token_url, "POST", "/oauth/token", headers, body.encode())
        assert answer.status == 200, answer.body
        return answer.json

    login = {"grant_type": "password", **USER, "scope": SCOPE}
    of_service = post(SERVICE, {"grant_type": "client_credentials", "scope": SCOPE})
    of_user = post(APPLICATION, login)
    refreshed = post(APPLICATION, {"grant_type": "refresh_token", "refresh_token": of_user["refresh_token"]})
    check(service, [of_service, of_user, refreshed])

    deprecated = post(APPLICATION, login, accept="version=1")
    assert list(deprecated) == ["token_type", "expires_in", "access_token", "refresh_token"]
    verified = claims(deprecated["access_token"], service, audience=APPLICATION["id"], structure=1)
    assert verified["scopes"] == SCOPE.split() and verified["system"] == {"id": "3", "name": "Autonomy"}


def test_an_imported_secret_with_every_odd_character(service):
    """Libraries encode such a secret in different ways; what RFC 6749 says of it works."""
    identity = {"id": "imported", "secret": "s+e%c/r=!*~-_."}
    session = OAuth2Session(client=BackendApplicationClient(identity["id"]))
    answer = session.fetch_token(service.token_url, include_client_id=True, client_secret=identity["secret"])
    assert claims(answer["access_token"], service)["sub"] == "imported"
    encoded = base64.b64encode(b"imported:s%2Be%25c%2Fr%3D%21%2A~-_.").decode()
    headers = {"Authorization": f"Basic {encoded}", "Content-Type": "application/x-www-form-urlencoded"}
    answer = request(service.token_url, "POST", "/oauth/token", headers, b"grant_type=client_credentials")
    assert answer.status == 200, answer.body


def test_the_requests_that_are_printed_work_as_they_are(api):
    introduction = (ROOT / "examples/local/introduction.txt").read_text().replace("{token_url}", api.token_url)
    lines = [line.strip() for line in introduction.splitlines() if line.strip().startswith("curl ")]
    assert len(lines) == 3
    for line in lines:
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
        assert "access_token" in json.loads(done.stdout), line
