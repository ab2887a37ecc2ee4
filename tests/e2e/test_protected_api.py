"""API Gateway's own JWT authorizer, by examples/protected-api: which tokens it lets through."""

import json
import time

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from http_client import request
from local import fixtures, stack
from test_rotation import APPLICATION, SERVICE, USER, change_environment

SCOPE = "legacy:autonomy.read"


@pytest.fixture(scope="module")
def issuer(cloud, built):
    """A stack whose issuer the authorizer can reach from here, and whose tokens can be short-lived."""
    deployed = stack.deploy(cloud, name="countersign-issuer")
    short_lived = SERVICE | {"client_id": "short-lived", "access_token_ttl": 1}
    fixtures.seed(deployed, fixtures.DEMO)
    fixtures.seed(deployed, {"clients": [short_lived], "users": []})
    url = deployed.token_url.removesuffix("/oauth/token")
    change_environment(deployed, "ApiFunction", ISSUER=url)
    return url


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


def token(issuer, client, accept="version=2", **parameters):
    secret = client["secrets"][0]["secret"]
    body = {"client_id": client["client_id"], "client_secret": secret, **parameters}
    headers = {"content-type": "application/json", "accept": accept}
    answer = request(f"{issuer}/oauth/token", "POST", "/oauth/token", headers, json.dumps(body).encode())
    assert answer.status == 200, answer.body
    return answer.json["access_token"]


def of_service(issuer, **parameters):
    return token(issuer, SERVICE, grant_type="client_credentials", **parameters)


def status(url, token=None):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return requests.get(url, headers=headers, timeout=60).status_code


def test_a_good_token_is_let_through(issuer, protected):
    answer = requests.get(protected, headers={"authorization": f"Bearer {of_service(issuer, scope=SCOPE)}"}, timeout=60)
    assert (answer.status_code, answer.json()) == (200, {"sub": "demo-service", "client_id": "demo-service"})
    of_user = token(
        issuer, APPLICATION, grant_type="password", username=USER["username"], password=USER["password"], scope=SCOPE
    )
    assert status(protected, of_user) == 200


def test_any_other_is_not(issuer, protected):
    good = of_service(issuer, scope=SCOPE)
    header, payload, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    kid = jwt.get_unverified_header(good)["kid"]
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    short_lived = SERVICE | {"client_id": "short-lived"}
    expired = token(issuer, short_lived, grant_type="client_credentials", scope=SCOPE)
    flipped = signature[:-20] + ("A" if signature[-20] != "A" else "B") + signature[-19:]
    swapped = of_service(issuer, scope="legacy:autonomy.write").split(".")[1]
    time.sleep(2)
    refused = {
        "no token": (None, 401),
        "wrong scope": (of_service(issuer, scope="legacy:autonomy.write"), 403),
        "expired": (expired, 401),
        "a tampered signature": (f"{header}.{payload}.{flipped}", 401),
        "another payload": (f"{header}.{swapped}.{signature}", 401),
        "a foreign key": (jwt.encode(claims, foreign, "RS256", headers={"kid": kid}), 401),
        "no algorithm": (jwt.encode(claims, None, "none", headers={"kid": kid}), 401),
        # Its audience is the client, and its scopes are in another claim.
        "structure 1": (of_service(issuer, accept="version=1", scope=SCOPE), 401),
        "a refresh token": ("cs_rt_AY95E", 401),
    }
    found = {name: status(protected, token) for name, (token, _) in refused.items()}
    assert found == {name: expected for name, (_, expected) in refused.items()}
    assert status(protected, good) == 200
