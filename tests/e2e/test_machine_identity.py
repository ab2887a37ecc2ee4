"""Federated clients: the deployed function fetches the keys of an issuer on this machine, and the CLI writes its trust entries."""

import json
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cli import CommandLine
from http_client import request
from local_cloud import fixtures

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLIENT = {
    "client_id": "report", "name": "Report", "enabled": True, "grant_types": ["client_credentials"],
    "scopes": ["reports:*"], "default_scopes": ["reports:read"],
}
ROLE = "arn:aws:iam::123456789012:role/Report"
ACCOUNT = {"https://sts.amazonaws.com/": {"aws_account": "123456789012", "org_id": "o-abc1234567"}}
SERVICE_ACCOUNT = "system:serviceaccount:jobs:report"
REPOSITORY = "repo:octo@1/app@2:ref:refs/heads/main"


class Issuer:
    """An issuer with keys by their `kid`. Each path under its URL is an issuer with the same keys, too."""

    def __init__(self):
        self.keys, self.status, self.fetches = {}, 200, 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                prefix, is_document, _ = self.path.partition("/.well-known/openid-configuration")
                issuer.fetches += bool(is_document)
                document = {"issuer": issuer.url + prefix, "jwks_uri": f"{issuer.url}/keys"}
                body = json.dumps(document if is_document else {"keys": issuer.public_keys()}).encode()
                self.send_response(issuer.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def public_keys(self):
        convert = {"ES384": ECAlgorithm, "RS256": RSAAlgorithm}
        return [
            convert[algorithm].to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "use": "sig"}
            for kid, (algorithm, key) in self.keys.items()
        ]

    def token(self, kid, path, audience, **claims):
        algorithm, key = self.keys[kid]
        now = int(time.time())
        claims = {"iss": self.url + path, "aud": audience, "iat": now, "exp": now + 300} | claims
        return jwt.encode(claims, key, algorithm, {"kid": kid})


@contextmanager
def started():
    issuer = Issuer()
    Thread(target=issuer.server.serve_forever, daemon=True).start()
    try:
        yield issuer
    finally:
        issuer.server.shutdown()
        issuer.server.server_close()


@pytest.fixture
def platform():
    with started() as issuer:
        issuer.keys["EC384_0"] = ("ES384", ec.generate_private_key(ec.SECP384R1()))
        issuer.keys["1"] = ("RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048))
        yield issuer


@pytest.fixture
def trust(issuer_stack, issuer, cli_program):
    """Runs `countersign client trust` for the client, which has no secret."""
    fixtures.seed(issuer_stack, {"clients": [CLIENT], "users": []})
    environment = issuer_stack.cloud.environment() | issuer_stack.function_environment(issuer)
    run = CommandLine(cli_program, environment, None)
    return lambda verb, *arguments, **options: run("client", "trust", verb, "report", *arguments, **options)


def send(issuer, token):
    body = {
        "grant_type": "client_credentials", "client_id": "report", "client_assertion_type": TYPE, "client_assertion": token,
    }
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "version=2"}
    return request("POST", f"{issuer}/oauth/token", headers, urlencode(body).encode())


def test_workloads_of_sts_kubernetes_and_github_get_tokens_without_a_secret(issuer, platform, trust):
    claims = json.dumps({"https://sts.amazonaws.com/": {"org_id": "o-abc1234567"}})
    trust("add", "--issuer", f"{platform.url}/sts", "--subject", ROLE, "--claims", claims)
    trust("add", "--issuer", f"{platform.url}/cluster", "--subject", SERVICE_ACCOUNT)
    token = platform.token("1", "/github", issuer, sub=REPOSITORY, repository_id="2")
    trust("add", "--from-token", "--yes", "--claims", '{"repository_id":"2"}', input=token)
    for kid, path, audience, claims in [
        ("EC384_0", "/sts", issuer, {"sub": ROLE, **ACCOUNT}),
        ("1", "/cluster", [issuer], {"sub": SERVICE_ACCOUNT, "kubernetes.io": {"namespace": "jobs"}}),
        ("1", "/github", issuer, {"sub": REPOSITORY, "repository_id": "2"}),
    ]:
        token = platform.token(kid, path, audience, **claims)
        assert "proves the client" in trust("test", input=token).stdout
        response = send(issuer, token)
        assert response.status == 200, response.body
        issued = jwt.decode(response.json["access_token"], options={"verify_signature": False})
        assert (issued["sub"], issued["scope"]) == ("report", "reports:read")
        other = platform.token(kid, path, audience, **claims | {"sub": claims["sub"] + "s"})
        assert send(issuer, other).status == 401
        assert "a token with another subject" in trust("test", input=other, code=3).stdout


def test_keys_are_rotated_and_an_outage_is_never_401(issuer, platform, trust):
    trust("add", "--issuer", platform.url, "--subject", REPOSITORY)
    # Generated now, because that can take longer than the time between two fetches.
    next_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    platform.status = 500
    token = platform.token("1", "", issuer, sub=REPOSITORY)
    response = send(issuer, token)
    assert response.status == 503 and 2 <= int(response.headers["retry-after"]) <= 5
    assert "discovery document: status 500" in trust("test", input=token, code=3).stdout
    platform.status = 200
    time.sleep(11)
    assert send(issuer, token).status == 200

    platform.keys["2"] = ("RS256", next_key)
    rotated = platform.token("2", "", issuer, sub=REPOSITORY)
    assert send(issuer, rotated).status == 401, "the next fetch is 10 seconds after the last one"
    time.sleep(11)
    assert send(issuer, rotated).status == 200
    platform.status = 500
    assert send(issuer, token).status == 200

    [entry] = json.loads(trust("list", "--json").stdout)
    trust("remove", entry["id"])
    assert send(issuer, token).status == 401
