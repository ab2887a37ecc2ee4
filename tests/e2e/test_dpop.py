"""DPoP (RFC 9449): client libraries get tokens that are bound to a key. test_openid_clients.py has a login."""

import json
import time
import uuid

import pytest
import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc.jwk import ECKey
from joserfc.jws import serialize_compact

from conftest import Service, run, signing_key
from token_endpoint import SERVICE
from verification import verify

SECRET = SERVICE["secrets"][0]["secret"]


def check(service, tokens, thumbprint):
    """Verifies a bound token as an API that checks no proofs does."""
    assert tokens["token_type"].lower() == "dpop"
    assert verify(tokens["access_token"], service)["cnf"] == {"jkt": thumbprint}


@pytest.fixture(scope="module")
def bound(issuer_stack):
    return Service(issuer_stack.url, issuer_stack.url, signing_key(issuer_stack).public_key())


def test_openid_client_and_oauth4webapi(bound):
    settings = {"issuer": bound.issuer, "id": SERVICE["client_id"], "secret": SECRET}
    results = run(["node", "tests/e2e/node/dpop.mjs"], settings)
    assert len(results) == 6
    for result in results:
        check(bound, result["tokens"], result["jkt"])
        assert result["claims"]["cnf"] == {"jkt": result["jkt"]}


def test_authlib(bound, monkeypatch):
    """The library sends a proof as a header, and shows the nonce in a hook. The application signs the proof."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    key = ECKey.generate_key("P-256")
    session = OAuth2Session(SERVICE["client_id"], SECRET, token_endpoint=bound.token_url)
    nonces = []

    def remember(response):
        nonces.append(response.headers["DPoP-Nonce"])
        return response

    session.register_compliance_hook("access_token_response", remember)

    def fetch_token():
        claims = {"jti": str(uuid.uuid4()), "htm": "POST", "htu": bound.token_url, "iat": int(time.time())}
        claims |= {"nonce": nonces[-1]} if nonces else {}
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
        proof = json.dumps(claims)
        headers = {"DPoP": serialize_compact(header, proof, key)}
        return session.fetch_token(grant_type="client_credentials", headers=headers)

    with pytest.raises(OAuthError) as error:
        fetch_token()
    assert error.value.error == "use_dpop_nonce"
    check(bound, fetch_token(), key.thumbprint())


def test_the_gateway_passes_the_proof_and_the_nonce(bound):
    """The issuer is the URL of the API, whose gateway joins headers of one name."""
    post = {"grant_type": "client_credentials"}
    authentication = (SERVICE["client_id"], SECRET)
    response = requests.post(bound.token_url, data=post, auth=authentication, headers={"DPoP": "x,x"}, timeout=60)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_dpop_proof")
    assert len(response.headers["DPoP-Nonce"]) == 22
    response = requests.post(bound.token_url, data=post, auth=authentication, timeout=60)
    assert response.status_code == 200 and "DPoP-Nonce" not in response.headers
