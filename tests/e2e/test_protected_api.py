"""API Gateway's JWT authorizer, deployed from examples/protected-api: accepted and rejected tokens."""

import json
import time

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from conftest import SHORT_LIVED
from local_cloud import fixtures, stack
from token_endpoint import APPLICATION, LOGIN, SCOPE, SERVICE, USER, fetch_access_token, fetch_token


@pytest.fixture(scope="module")
def protected(cloud, issuer):
    cloudformation = cloud.client("cloudformation")
    body = json.dumps(stack.template("examples/protected-api/template.yaml"))
    parameters = [{"ParameterKey": "Issuer", "ParameterValue": issuer}]
    name = "protected-api"
    capabilities = ["CAPABILITY_IAM"]
    cloudformation.create_stack(StackName=name, TemplateBody=body, Parameters=parameters, Capabilities=capabilities)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    return stack.Stack(cloud, name)


@pytest.fixture
def protected_url(protected):
    return f"{protected.url}/vehicles"


def status(url, token=None):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return requests.get(url, headers=headers, timeout=60).status_code


def test_valid_tokens_are_accepted(issuer, protected_url):
    headers = {"authorization": f"Bearer {fetch_access_token(issuer)}"}
    response = requests.get(protected_url, headers=headers, timeout=60)
    assert (response.status_code, response.json()) == (
        200, {"sub": "demo-service", "client_id": "demo-service", "user": False},
    )
    login = fetch_token(issuer, APPLICATION, **LOGIN, scope=SCOPE)
    headers = {"authorization": f"Bearer {login['access_token']}"}
    response = requests.get(protected_url, headers=headers, timeout=60)
    assert (response.status_code, response.json()) == (
        200, {"sub": USER["user_id"], "client_id": "demo-app", "user": True},
    )


def test_invalid_tokens_are_rejected(issuer, protected_url):
    valid = fetch_access_token(issuer)
    header, payload, signature = valid.split(".")
    claims = jwt.decode(valid, options={"verify_signature": False})
    kid = jwt.get_unverified_header(valid)["kid"]
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    expired = fetch_access_token(issuer, SHORT_LIVED)
    flipped = signature[:-20] + ("A" if signature[-20] != "A" else "B") + signature[-19:]
    swapped = fetch_access_token(issuer, scope="legacy:autonomy.write").split(".")[1]
    time.sleep(2)
    invalid = {
        "no token": (None, 401),
        "wrong scope": (fetch_access_token(issuer, scope="legacy:autonomy.write"), 403),
        "expired": (expired, 401),
        "a tampered signature": (f"{header}.{payload}.{flipped}", 401),
        "another payload": (f"{header}.{swapped}.{signature}", 401),
        "a foreign key": (jwt.encode(claims, foreign, "RS256", headers={"kid": kid}), 401),
        "no algorithm": (jwt.encode(claims, None, "none", headers={"kid": kid}), 401),
        # Its audience is the client, and its scopes are in another claim.
        "token version 1": (fetch_access_token(issuer, accept="version=1"), 401),
        "a refresh token": ("cs_rt_AY95E", 401),
    }
    statuses = {name: status(protected_url, token) for name, (token, _) in invalid.items()}
    assert statuses == {name: expected for name, (_, expected) in invalid.items()}
    assert status(protected_url, valid) == 200


def test_the_metadata_leads_to_an_accepted_token(issuer_stack, issuer, protected, protected_url):
    response = requests.get(f"{protected.url}/.well-known/oauth-protected-resource/vehicles", timeout=60)
    assert response.status_code == 200 and response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "public, max-age=300"
    assert response.headers["access-control-allow-origin"] == "*"
    resource = protected.outputs["Url"]
    assert response.json() == {
        "resource": resource, "authorization_servers": [issuer], "scopes_supported": [SCOPE],
        "bearer_methods_supported": ["header"],
    }
    client = SERVICE | {"client_id": "reader-of-metadata", "resources": [resource, f"{resource}/other"]}
    fixtures.seed(issuer_stack, {"clients": [client], "users": []})

    def status_with(named):
        token = fetch_token(issuer, client, grant_type="client_credentials", scope=SCOPE, resource=named)
        return status(protected_url, token["access_token"])

    assert (status_with(resource), status_with(f"{resource}/other")) == (200, 401)
