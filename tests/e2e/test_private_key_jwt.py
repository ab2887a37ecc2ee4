"""private_key_jwt (RFC 7523) with DPoP: client libraries get bound tokens of the deployed function without a secret."""

import json
import sys
import time
import uuid

import pytest
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey, import_key
from joserfc.jws import serialize_compact

from conftest import ROOT, Service, run, signing_key
from local_cloud import fixtures
from verification import verify

sys.path.append(str(ROOT / "tests/conformance"))
from service import fapi_clients  # noqa: E402

SUITE = json.loads((ROOT / "examples/fapi/suite.json").read_text())
KEYS = {SUITE[name]["client_id"]: SUITE[name]["jwks"]["keys"][0] for name in ("client", "client2")}


@pytest.fixture(scope="module")
def deployed(issuer_stack):
    fixtures.seed(issuer_stack, {"clients": fapi_clients(), "users": []})
    return Service(issuer_stack.url, issuer_stack.url, signing_key(issuer_stack).public_key())


def check(service, tokens, client_id, thumbprint):
    assert tokens["token_type"].lower() == "dpop"
    claims = verify(tokens["access_token"], service)
    assert (claims["sub"], claims["scope"], claims["cnf"]) == (client_id, "demo:read", {"jkt": thumbprint})


def test_openid_client(deployed):
    clients = [{"id": client_id, "jwk": jwk} for client_id, jwk in KEYS.items()]
    results = run(["node", "tests/e2e/node/private-key-jwt.mjs"], {"issuer": deployed.issuer, "clients": clients})
    for client, result in zip(clients, results, strict=True):
        check(deployed, result["tokens"], client["id"], result["jkt"])


@pytest.mark.parametrize("client_id", KEYS)
def test_authlib(deployed, client_id, monkeypatch):
    """By default the assertions of this library last an hour and are for the token endpoint, which is rejected."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    jwk, key = KEYS[client_id], ECKey.generate_key("P-256")
    nonces = []

    def remember(response):
        nonces.append(response.headers["DPoP-Nonce"])
        return response

    def fetch_token(**method):
        method = PrivateKeyJWT(headers={"kid": jwk["kid"]}, alg=jwk["alg"], **method)
        session = OAuth2Session(
            client_id, import_key(jwk), token_endpoint=deployed.token_url, token_endpoint_auth_method=method,
        )
        session.register_compliance_hook("access_token_response", remember)
        claims = {"jti": str(uuid.uuid4()), "htm": "POST", "htu": deployed.token_url, "iat": int(time.time())}
        claims |= {"nonce": nonces[-1]} if nonces else {}
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
        headers = {"DPoP": serialize_compact(header, json.dumps(claims), key)}
        return session.fetch_token(grant_type="client_credentials", scope="demo:read", headers=headers)

    with pytest.raises(OAuthError) as error:
        fetch_token()
    assert error.value.error == "invalid_client"
    # The response had a nonce.
    claims = {"aud": deployed.issuer, "exp": int(time.time()) + 60}
    check(deployed, fetch_token(claims=claims), client_id, key.thumbprint())
