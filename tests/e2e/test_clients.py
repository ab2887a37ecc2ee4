"""OAuth client libraries, curl, and requests as PHP sends them: each gets tokens with every grant, and refreshes."""

import base64
import json
import subprocess

import pytest
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import BackendApplicationClient, LegacyApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from conftest import ROOT, cargo_build, run
from http_client import request
from verification import verify, verify_with_jose

SERVICE = {"id": "billing-cron", "secret": "cs_billing-cron-secret-000000000000000000000000001"}
APPLICATION = {"id": "autonomy-web", "secret": "cs_autonomy-web-secret-00000000000000000000000002"}
# A password with non-ASCII characters, which clients encode in different ways.
USER = {"username": "umlaut@itccompliance.co.uk", "password": "pässwörd"}
SUBJECTS = {SERVICE["id"]: "billing-cron", APPLICATION["id"]: "1046"}
SCOPE = "legacy:autonomy.write legacy:autonomy.read"


@pytest.fixture(autouse=True)
def allow_http(monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


def settings(service):
    return {
        "tokenUrl": service.token_url, "issuer": service.issuer, "service": SERVICE, "application": APPLICATION,
        "user": USER, "scope": SCOPE,
    }


def check(service, responses):
    """Verifies the tokens with two libraries. The responses are triples: a service's token, a login, a refresh."""
    assert responses and len(responses) % 3 == 0
    for position, response in enumerate(responses):
        claims = verify(response["access_token"], service)
        client = (SERVICE if position % 3 == 0 else APPLICATION)["id"]
        assert (claims["client_id"], claims["sub"]) == (client, SUBJECTS[client])
        assert sorted(claims["scope"].split()) == sorted(SCOPE.split())
        assert response["token_type"].lower() == "bearer"
        assert ("refresh_token" in response) == (position % 3 != 0)
    refresh_tokens = [response["refresh_token"] for response in responses if "refresh_token" in response]
    assert len(set(refresh_tokens)) == len(refresh_tokens)
    verify_with_jose([response["access_token"] for response in responses], service)


def test_requests_oauthlib(service):
    responses = []
    for in_body in (False, True):
        def fetch(client, identity, **parameters):
            session = OAuth2Session(client=client)
            auth = None if in_body else HTTPBasicAuth(identity["id"], identity["secret"])
            options = {"include_client_id": True, "client_secret": identity["secret"]} if in_body else {"auth": auth}
            return session, session.fetch_token(service.token_url, scope=SCOPE.split(), **options, **parameters)

        responses.append(fetch(BackendApplicationClient(SERVICE["id"]), SERVICE)[1])
        session, login = fetch(LegacyApplicationClient(APPLICATION["id"]), APPLICATION, **USER)
        responses.append(dict(login))
        if in_body:
            options = {"client_id": APPLICATION["id"], "client_secret": APPLICATION["secret"]}
        else:
            options = {"auth": HTTPBasicAuth(APPLICATION["id"], APPLICATION["secret"])}
        responses.append(session.refresh_token(service.token_url, **options))
    check(service, responses)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib(service, method):
    def session(identity):
        return AuthlibSession(
            identity["id"], identity["secret"], token_endpoint_auth_method=method, scope=SCOPE,
            token_endpoint=service.token_url,
        )

    service_token = session(SERVICE).fetch_token(grant_type="client_credentials")
    application = session(APPLICATION)
    login = dict(application.fetch_token(grant_type="password", **USER))
    check(service, [service_token, login, application.refresh_token(service.token_url, login["refresh_token"])])


def test_openid_client(service):
    check(service, run(["node", "tests/e2e/node/openid-client.mjs"], settings(service)))


def test_simple_oauth2(service):
    check(service, run(["node", "tests/e2e/node/simple-oauth2.mjs"], settings(service)))


@pytest.fixture(scope="module")
def oauth2_client():
    return cargo_build("oauth2_client", "--example", "oauth2_client")


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

    service_token = curl(*basic(SERVICE), "-d", "grant_type=client_credentials", "-d", f"scope={SCOPE}")
    login = curl(
        *basic(APPLICATION), "-d", "grant_type=password", "-d", f"username={USER['username']}", "-d", f"scope={SCOPE}",
        "--data-urlencode", f"password={USER['password']}",
    )
    refresh_token = login["refresh_token"]
    refreshed = curl(*basic(APPLICATION), "-d", "grant_type=refresh_token", "-d", f"refresh_token={refresh_token}")
    check(service, [service_token, login, refreshed])


def test_json_from_php(service):
    """Sends what Guzzle sends for Laravel's Http::post: json_encode escapes slashes and non-ASCII characters."""

    def post(identity, members, accept="version=2"):
        members = {"client_id": identity["id"], "client_secret": identity["secret"], **members}
        body = json.dumps(members, separators=(",", ":"), ensure_ascii=True).replace("/", "\\/")
        headers = {"Accept": accept, "Content-Type": "application/json", "User-Agent": "GuzzleHttp/7"}
        response = request("POST", service.token_url, headers, body.encode())
        assert response.status == 200, response.body
        return response.json

    login = {"grant_type": "password", **USER, "scope": SCOPE}
    service_token = post(SERVICE, {"grant_type": "client_credentials", "scope": SCOPE})
    user_token = post(APPLICATION, login)
    refreshed = post(APPLICATION, {"grant_type": "refresh_token", "refresh_token": user_token["refresh_token"]})
    check(service, [service_token, user_token, refreshed])

    deprecated = post(APPLICATION, login, accept="version=1")
    assert list(deprecated) == ["token_type", "expires_in", "access_token", "refresh_token"]
    claims = verify(deprecated["access_token"], service, audience=APPLICATION["id"], version=1)
    assert claims["scopes"] == SCOPE.split() and claims["system"] == {"id": "3", "name": "Autonomy"}


def test_an_imported_secret_with_reserved_characters(service):
    """Libraries encode such a secret in different ways. The encoding of RFC 6749, section 2.3.1, must work."""
    identity = {"id": "imported", "secret": "s+e%c/r=!*~-_."}
    session = OAuth2Session(client=BackendApplicationClient(identity["id"]))
    fetched = session.fetch_token(service.token_url, include_client_id=True, client_secret=identity["secret"])
    assert verify(fetched["access_token"], service)["sub"] == "imported"
    encoded = base64.b64encode(b"imported:s%2Be%25c%2Fr%3D%21%2A~-_.").decode()
    headers = {"Authorization": f"Basic {encoded}", "Content-Type": "application/x-www-form-urlencoded"}
    response = request("POST", service.token_url, headers, b"grant_type=client_credentials")
    assert response.status == 200, response.body


def test_the_printed_introduction_has_working_requests(api):
    introduction = (ROOT / "examples/local/introduction.txt").read_text().replace("{token_url}", api.token_url)
    lines = [line.strip() for line in introduction.splitlines() if line.strip().startswith("curl ")]
    assert len(lines) == 3
    for line in lines:
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
        assert "access_token" in json.loads(done.stdout), line
