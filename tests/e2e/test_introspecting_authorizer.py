"""The Lambda authorizer of examples/introspecting-authorizer, deployed, and in this process with a fake service."""

import importlib.util
import json
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

import pytest
import requests

from conftest import OTHER_AUDIENCE, ROOT, SHORT_LIVED, set_variables
from local_cloud import fixtures, stack
from local_cloud.program import free_port
from token_endpoint import APPLICATION, LOGIN, SCOPE, SERVICE, fetch_access_token, fetch_token

EXAMPLE = ROOT / "examples/introspecting-authorizer"
SECRET = "cs_vehicles-api-secret-0000000000000000000000000001"
ISSUER = "https://login.example.com"
TOKEN = "eyJ0eXAiOiJhdCtqd3QifQ.e30.c2lnbmF0dXJl"
DENIED = {"isAuthorized": False}


@pytest.fixture(scope="module")
def secret_arn(cloud):
    return cloud.client("secretsmanager").create_secret(Name="vehicles-api", SecretString=f"{SECRET}\n")["ARN"]


@pytest.fixture(scope="module")
def protected(cloud, issuer_stack, issuer, secret_arn):
    """The deployed example, whose client may introspect the tokens of the issuer."""
    client = {"client_id": "vehicles-api", "name": "Vehicles API", "enabled": True, "introspects": [issuer]}
    client |= {"secrets": [{"id": "1", "secret": SECRET, "created_at": 1795219200}]}
    fixtures.seed(issuer_stack, {"clients": [client], "users": []})
    options = ("--template-file", EXAMPLE / "template.yaml")
    parameters = {"Issuer": issuer, "ClientId": "vehicles-api", "ClientSecretArn": secret_arn, "Scope": SCOPE}
    return stack.deploy(cloud, parameters, "introspecting-authorizer", options)


@pytest.fixture
def configure(protected):
    """Sets variables of the authorizer. Each change starts new execution environments, whose cache is empty."""
    functions, name = protected.cloud.client("lambda"), protected.resources["AuthorizerFunction"]
    deployed = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    yield lambda **variables: set_variables(protected, "AuthorizerFunction", **variables)
    set_variables(protected, "AuthorizerFunction", **deployed)


def get(protected, token=None):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return requests.get(f"{protected.url}/vehicles", headers=headers, timeout=60)


def revoke(issuer, client, token, **parameters):
    credentials = (client["client_id"], client["secrets"][0]["secret"])
    response = requests.post(f"{issuer}/oauth/revoke", {"token": token, **parameters}, auth=credentials, timeout=60)
    assert response.status_code == 200, response.text


def test_the_function_behind_the_authorizer_gets_the_caller(issuer, protected):
    response = get(protected, fetch_access_token(issuer))
    caller = {"sub": "demo-service", "client_id": "demo-service", "scope": SCOPE}
    assert (response.status_code, response.json()) == (200, caller)
    login = fetch_token(issuer, APPLICATION, **LOGIN, scope=SCOPE)
    response = get(protected, login["access_token"])
    assert response.status_code == 200
    assert response.json().keys() == {"sub", "client_id", "scope", "auth_time"}
    assert (response.json()["sub"], response.json()["client_id"]) == ("1", "demo-app")


def test_invalid_tokens_are_rejected(issuer, protected):
    valid = fetch_access_token(issuer)
    expired = fetch_access_token(issuer, SHORT_LIVED)
    time.sleep(2)
    invalid = {
        "no token": (None, 401),
        "expired": (expired, 403),
        "a tampered signature": (f"{valid[:-20]}{'A' if valid[-20] != 'A' else 'B'}{valid[-19:]}", 403),
        "wrong scope": (fetch_access_token(issuer, scope="legacy:autonomy.write"), 403),
        "another audience": (fetch_access_token(issuer, OTHER_AUDIENCE), 403),
        "token version 1": (fetch_access_token(issuer, accept="version=1"), 403),
        "a refresh token": (fetch_token(issuer, APPLICATION, **LOGIN)["refresh_token"], 403),
        "not a token": ("cs_rt_AY95E", 403),
        "two tokens": (f"{valid}, Bearer {valid}", 403),
    }
    statuses = {name: get(protected, token).status_code for name, (token, _) in invalid.items()}
    assert statuses == {name: expected for name, (_, expected) in invalid.items()}


def test_without_a_cache_a_revoked_token_is_rejected_immediately(issuer, protected, configure):
    configure(CACHE_SECONDS="0")
    service = fetch_access_token(issuer)
    login, other_login = (fetch_token(issuer, APPLICATION, **LOGIN, scope=SCOPE) for _ in range(2))
    tokens = [service, login["access_token"], other_login["access_token"]]
    assert [get(protected, token).status_code for token in tokens] == [200, 200, 200]
    revoke(issuer, SERVICE, service)
    assert [get(protected, token).status_code for token in tokens] == [403, 200, 200]
    revoke(issuer, APPLICATION, login["refresh_token"])
    assert [get(protected, token).status_code for token in tokens] == [403, 403, 200]
    revoke(issuer, APPLICATION, other_login["access_token"], all_sessions="true")
    assert [get(protected, token).status_code for token in tokens] == [403, 403, 403]


def test_a_cached_token_is_rejected_after_the_time_of_the_cache(issuer, protected, configure):
    configure(CACHE_SECONDS="15")
    # On a busy machine the cache may end before the second request. Such an attempt shows nothing.
    for _ in range(3):
        token = fetch_access_token(issuer)
        began = time.time()
        assert get(protected, token).status_code == 200
        introspected = time.time()
        revoke(issuer, SERVICE, token)
        cached = get(protected, token).status_code
        if time.time() < began + 15:
            break
    else:
        pytest.fail("this machine is too slow for the test")
    assert cached == 200
    time.sleep(introspected + 15.5 - time.time())
    assert get(protected, token).status_code == 403


def test_an_outage_rejects_the_request_and_logs_no_secret(issuer, protected, configure):
    token = fetch_access_token(issuer)
    configure(ISSUER=f"http://127.0.0.1:{free_port()}")
    assert get(protected, token).status_code == 500
    with fake_service((503, {"error": "temporarily_unavailable"})) as service:
        configure(ISSUER=service.url)
        assert get(protected, token).status_code == 500
        assert len(service.received) == 1
    log = "\n".join(protected.log("AuthorizerLogGroup"))
    assert "the introspection endpoint returned 503" in log
    assert SECRET not in log and token not in log and service.received[0]["authorization"].split()[1] not in log


@contextmanager
def fake_service(*responses):
    """A service that sends these responses, and repeats the last. A response without status is never sent."""
    script, received = list(responses), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            authorization = self.headers["authorization"]
            received.append({"path": self.path, "authorization": authorization, **parse_qs(body)})
            status, content = script.pop(0) if len(script) > 1 else script[0]
            if status is None:
                time.sleep(10)
                return
            self.send_response(status)
            self.send_header("location", "/other")
            self.end_headers()
            self.wfile.write(content if isinstance(content, bytes) else json.dumps(content).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url, server.received = f"http://127.0.0.1:{server.server_port}", received
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def load(cloud, secret_arn, monkeypatch):
    """Loads the authorizer into this process, as a new execution environment of a service at the URL."""
    def load(url, cache_seconds=30):
        settings = {
            "ISSUER": url, "CLIENT_ID": "vehicles-api", "CLIENT_SECRET_ARN": secret_arn, "AUDIENCE": ISSUER,
            "SCOPE": "read", "CACHE_SECONDS": str(cache_seconds), "AWS_ENDPOINT_URL": cloud.endpoint,
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        spec = importlib.util.spec_from_file_location("authorizer", EXAMPLE / "function/authorizer.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.TIMEOUT_SECONDS = 60
        return module

    return load


def active(**members):
    claims = {"active": True, "scope": "read write", "client_id": "shop", "token_type": "Bearer", "sub": "1"}
    return 200, claims | {"aud": ISSUER, "exp": int(time.time()) + 3600, "auth_time": 1} | members


def decide(authorizer, authorization=f"Bearer {TOKEN}"):
    return authorizer.handler({"headers": {"authorization": authorization} if authorization else {}}, None)


def test_the_request_has_the_token_and_the_credentials_of_the_client(load):
    with fake_service(active()) as service:
        context = {"sub": "1", "client_id": "shop", "scope": "read write", "auth_time": 1}
        assert decide(load(service.url), f"bEARER  {TOKEN}") == {"isAuthorized": True, "context": context}
        basic = requests.auth._basic_auth_str("vehicles-api", SECRET)
        assert service.received == [{"path": "/oauth/introspect", "authorization": basic, "token": [TOKEN]}]


@pytest.mark.parametrize(("cache_seconds", "expires_in", "expected"), [
    (30, 3600, 30), (600, 3600, 30), (5, 3600, 5), (30, 7, 7),
])
def test_an_active_token_is_cached_until_its_end(load, monkeypatch, cache_seconds, expires_in, expected):
    start = int(time.time())
    with fake_service(active(exp=start + expires_in)) as service:
        authorizer = load(service.url, cache_seconds)
        for later, calls in [(0, 1), (expected - 1, 1), (expected, 2)]:
            monkeypatch.setattr(authorizer.time, "time", lambda later=later: start + later)
            assert decide(authorizer)["isAuthorized"]
            assert len(service.received) == calls, later


def test_the_cache_has_hashes_of_tokens_and_a_limited_size(load):
    with fake_service(active()) as service:
        authorizer = load(service.url)
        authorizer.CACHE_SIZE = 2
        for token in ["a", "b", "c", "c", "b", "a"]:
            assert decide(authorizer, f"Bearer {token}")["isAuthorized"]
        assert [each["token"] for each in service.received] == [["a"], ["b"], ["c"], ["a"]]
        assert len(authorizer.active_tokens) == 2 and all(len(key) == 32 for key in authorizer.active_tokens)


def test_a_rejection_is_not_cached(load):
    with fake_service((200, {"active": False}), active()) as service:
        authorizer = load(service.url)
        assert decide(authorizer) == DENIED
        assert decide(authorizer)["isAuthorized"]


@pytest.mark.parametrize("members", [
    {"active": "true"}, {"active": 1}, {"aud": "https://other.example"}, {"aud": [ISSUER]}, {"scope": "reads write"},
    {"scope": ""}, {"token_type": "DPoP", "cnf": {"jkt": "a"}}, {"cnf": {"x5t#S256": "a"}}, {"token_type": None},
])
def test_a_token_that_is_not_for_this_api_is_denied(load, members):
    with fake_service(active(**members)) as service:
        assert decide(load(service.url)) == DENIED


@pytest.mark.parametrize("authorization", [
    None, "", TOKEN, "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN},Bearer {TOKEN}", f"Bearer {TOKEN} ",
    f"Bearer {'a' * 8193}", "Bearer tökens",
])
def test_a_header_without_a_bearer_token_is_denied_without_an_introspection(load, authorization):
    with fake_service(active()) as service:
        assert decide(load(service.url), authorization) == DENIED
        assert service.received == []


@pytest.mark.parametrize("response", [
    (503, active()[1]), (500, b""), (429, active()[1]), (401, active()[1]), (307, active()[1]), (201, active()[1]),
    (200, b""), (200, b"<html>"), (200, b"\xff"), (200, []), (200, {}), (200, {"active": True}), (None, None),
])
def test_without_a_result_the_invocation_fails(load, response):
    with fake_service(response) as service:
        authorizer = load(service.url)
        if response[0] is None:
            authorizer.TIMEOUT_SECONDS = 1
        for _ in range(2):
            with pytest.raises(Exception) as error:
                decide(authorizer)
            assert TOKEN not in str(error.value) and SECRET not in str(error.value)
        # Each invocation calls the service, after a 401 twice.
        assert len(service.received) == (4 if response[0] == 401 else 2)
        assert {each["path"] for each in service.received} == {"/oauth/introspect"}


def test_a_replaced_secret_is_loaded_after_a_401(load, cloud, secret_arn):
    with fake_service(active(), (401, {"error": "invalid_client"}), active()) as service:
        authorizer = load(service.url, cache_seconds=0)
        assert decide(authorizer)["isAuthorized"]
        cloud.client("secretsmanager").put_secret_value(SecretId=secret_arn, SecretString="cs_new")
        try:
            assert decide(authorizer)["isAuthorized"]
        finally:
            cloud.client("secretsmanager").put_secret_value(SecretId=secret_arn, SecretString=SECRET)
        sent = [each["authorization"] for each in service.received]
        assert sent == [requests.auth._basic_auth_str("vehicles-api", secret) for secret in [SECRET, SECRET, "cs_new"]]
