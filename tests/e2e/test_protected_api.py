"""API Gateway's own JWT authorizer, by examples/protected-api: which tokens it lets through."""

import json
import time

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from asking import APPLICATION, LOGIN, SCOPE, access_token, token
from conftest import SHORT_LIVED
from local import stack


@pytest.fixture(scope="module")
def protected(cloud, issuer):
    cloudformation = cloud.client("cloudformation")
    body = json.dumps(stack.template("examples/protected-api/template.yaml"))
    parameters = [{"ParameterKey": "Issuer", "ParameterValue": issuer}]
    name = "protected-api"
    capabilities = ["CAPABILITY_IAM"]
    cloudformation.create_stack(StackName=name, TemplateBody=body, Parameters=parameters, Capabilities=capabilities)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    deployed = stack.Stack(cloud, name)
    return f"{cloud.endpoint}/_aws/execute-api/{deployed.resources['Api']}/vehicles"


def status(url, token=None):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return requests.get(url, headers=headers, timeout=60).status_code


def test_a_good_token_is_let_through(issuer, protected):
    answer = requests.get(protected, headers={"authorization": f"Bearer {access_token(issuer)}"}, timeout=60)
    assert (answer.status_code, answer.json()) == (200, {"sub": "demo-service", "client_id": "demo-service"})
    assert status(protected, token(issuer, APPLICATION, **LOGIN, scope=SCOPE)["access_token"]) == 200


def test_any_other_is_not(issuer, protected):
    good = access_token(issuer)
    header, payload, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    kid = jwt.get_unverified_header(good)["kid"]
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    expired = access_token(issuer, SHORT_LIVED)
    flipped = signature[:-20] + ("A" if signature[-20] != "A" else "B") + signature[-19:]
    swapped = access_token(issuer, scope="legacy:autonomy.write").split(".")[1]
    time.sleep(2)
    refused = {
        "no token": (None, 401),
        "wrong scope": (access_token(issuer, scope="legacy:autonomy.write"), 403),
        "expired": (expired, 401),
        "a tampered signature": (f"{header}.{payload}.{flipped}", 401),
        "another payload": (f"{header}.{swapped}.{signature}", 401),
        "a foreign key": (jwt.encode(claims, foreign, "RS256", headers={"kid": kid}), 401),
        "no algorithm": (jwt.encode(claims, None, "none", headers={"kid": kid}), 401),
        # Its audience is the client, and its scopes are in another claim.
        "structure 1": (access_token(issuer, accept="version=1"), 401),
        "a refresh token": ("cs_rt_AY95E", 401),
    }
    found = {name: status(protected, token) for name, (token, _) in refused.items()}
    assert found == {name: expected for name, (_, expected) in refused.items()}
    assert status(protected, good) == 200
