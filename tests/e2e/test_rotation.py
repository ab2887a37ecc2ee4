"""Automatic key rotation, while clients request tokens and resource servers verify them all the time."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import jwt
import pytest
import requests
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt

from conftest import ROOT, set_variables
from local_cloud import fixtures, stack
from token_endpoint import APPLICATION, LOGIN, SERVICE, fetch_access_token, fetch_token

# In seconds, much shorter than in production. A new key must be public (`KeyPublicFor`) for longer than the function
# and the verifiers together may keep the old keys (`KeysMaxAge` each), plus a margin for a slow machine.
MAX_AGE, PUBLIC_FOR = 2, 12
ROTATIONS = 5
NAME = "countersign-keys"


@pytest.fixture(scope="module")
def deployed(cloud, build_folder):
    """A stack that generated its keys, and whose issuer is the URL of the API on this machine."""
    deployed = stack.deploy(cloud, name=NAME)
    fixtures.seed(deployed, fixtures.DEMO)
    set_variables(deployed, "ApiFunction", ISSUER=deployed.url, KEYS_MAX_AGE=str(MAX_AGE))
    set_variables(deployed, "RotateFunction", KEY_PUBLIC_FOR=str(PUBLIC_FOR))
    return deployed


def rotate(deployed, **event):
    """Invokes the rotation function, and returns its report."""
    name = deployed.resources["RotateFunction"]
    event = json.dumps({"action": "rotate", **event}).encode()
    response = deployed.cloud.client("lambda").invoke(FunctionName=name, Payload=event)
    payload = json.loads(response["Payload"].read())
    assert "FunctionError" not in response, payload
    return payload


def fetch_keys(deployed):
    return requests.get(f"{deployed.url}/.well-known/jwks.json", timeout=60)


class Verifiers:
    """Four resource servers, each with another library and its own cache of the keys."""

    def __init__(self, issuer):
        self.issuer, self.jwks_url = issuer, f"{issuer}/.well-known/jwks.json"
        self.py_jwt = jwt.PyJWKClient(self.jwks_url, lifespan=MAX_AGE)
        self.joserfc, self.joserfc_at = None, 0.0
        settings = json.dumps({"issuer": issuer, "jwksUrl": self.jwks_url, "maxAge": MAX_AGE})
        self.node = subprocess.Popen(
            [Path(sys.executable).parent / "node", "tests/e2e/node/verifiers.mjs"], cwd=ROOT, text=True,
            env=os.environ | {"COUNTERSIGN": settings}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )

    def verify(self, token):
        key = self.py_jwt.get_signing_key_from_jwt(token)
        required = {"require": ["iss", "aud", "sub", "exp"]}
        jwt.decode(token, key, algorithms=["RS256"], issuer=self.issuer, audience=self.issuer, options=required)

        if time.monotonic() > self.joserfc_at + MAX_AGE:
            keys = requests.get(self.jwks_url, timeout=60).json()
            self.joserfc, self.joserfc_at = joserfc_jwk.KeySet.import_key_set(keys), time.monotonic()
        joserfc_jwt.decode(token, self.joserfc, algorithms=["RS256"])

        self.node.stdin.write(f"{token}\n")
        self.node.stdin.flush()
        assert json.loads(self.node.stdout.readline()) == []

    def close(self):
        self.node.stdin.close()
        self.node.wait(timeout=60)


def kids_of(tokens):
    return {jwt.get_unverified_header(token)["kid"] for token in list(tokens)}


def test_a_new_deployment_signs_immediately_and_does_not_rotate_too_early(deployed):
    kid = jwt.get_unverified_header(fetch_access_token(deployed.url))["kid"]
    published = fetch_keys(deployed)
    assert published.headers["cache-control"] == f"public, max-age={MAX_AGE}, stale-if-error=7200"
    kids = [key["kid"] for key in published.json()["keys"]]
    assert kids[0] == kid and len(kids) == 2, "the current key and the next key"
    cached = requests.get(published.url, headers={"if-none-match": published.headers["etag"]}, timeout=60)
    assert cached.status_code == 304 and not cached.content
    report = rotate(deployed)
    assert report["changed"] is False and "public for long enough" in report["reason"]
    assert [key["kid"] for key in fetch_keys(deployed).json()["keys"]] == kids


def test_five_rotations_fail_no_request_and_no_verification(deployed):
    issuer = deployed.url
    done, errors, verified = threading.Event(), [], []

    def repeat(grants):
        verifiers = Verifiers(issuer)
        try:
            refresh_token = None
            while not done.is_set():
                for grant in grants:
                    tokens = grant(refresh_token)
                    refresh_token = tokens.get("refresh_token", refresh_token)
                    verifiers.verify(tokens["access_token"])
                    verified.append(tokens["access_token"])
        except Exception as error:  # noqa: BLE001 - any exception in this thread must fail the test
            errors.append(error)
        finally:
            verifiers.close()

    def service(_):
        return fetch_token(issuer, SERVICE, grant_type="client_credentials")

    def login(_):
        return fetch_token(issuer, APPLICATION, **LOGIN)

    def refresh(refresh_token):
        return fetch_token(issuer, APPLICATION, grant_type="refresh_token", refresh_token=refresh_token)

    # This login lasts from the first key to the last.
    long_login = login(None)["refresh_token"]
    threads = [threading.Thread(target=repeat, args=[grants]) for grants in ([service], [login, refresh, refresh])]
    for thread in threads:
        thread.start()
    kids = []
    try:
        for _ in range(ROTATIONS):
            deadline = time.monotonic() + PUBLIC_FOR + 60
            while not (report := rotate(deployed))["changed"]:
                assert time.monotonic() < deadline and not errors, errors
                time.sleep(0.5)
            kids.append(report["current"])
            long_login = refresh(long_login)["refresh_token"]
        deadline = time.monotonic() + 60
        while kids[-1] not in kids_of(verified):
            assert time.monotonic() < deadline and not errors, errors
            time.sleep(0.5)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not errors, errors
    assert len(set(kids)) == ROTATIONS
    assert refresh(long_login)["refresh_token"]
    assert set(kids) <= kids_of(verified), "every key has signed a token"
    # The first tokens are still valid, although their key does not sign any more.
    verifiers = Verifiers(issuer)
    try:
        verifiers.verify(verified[0])
    finally:
        verifiers.close()
    print(f"\n{len(verified)} tokens of all grants verified by four libraries through {ROTATIONS} rotations")


def test_an_emergency_removes_the_current_key(deployed):
    issuer = deployed.url
    compromised = fetch_access_token(issuer)
    kid = jwt.get_unverified_header(compromised)["kid"]
    report = rotate(deployed, emergency=kid)
    assert report["changed"] and report["current"] != kid and kid not in report["previous"]
    assert rotate(deployed, emergency=kid)["changed"] is False
    deadline = time.monotonic() + 60
    while kid in [key["kid"] for key in fetch_keys(deployed).json()["keys"]]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with pytest.raises(jwt.PyJWKClientError):
        jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json").get_signing_key_from_jwt(compromised)
    assert jwt.get_unverified_header(fetch_access_token(issuer))["kid"] == report["current"]


def test_the_log_has_the_ids_of_keys_but_no_secrets(deployed):
    lines = "\n".join(deployed.log("RotateLogGroup"))
    assert '"event":"keys","outcome":"done"' in lines
    secret = deployed.cloud.client("secretsmanager").get_secret_value(SecretId=deployed.resources["SigningSecret"])
    document = json.loads(secret["SecretString"])
    for hidden in (document["current"]["private_key"], document["refresh"]["current"], "PRIVATE KEY"):
        assert hidden not in lines


def test_an_update_keeps_the_keys_and_a_new_algorithm_is_used_for_the_next_key(deployed):
    def document():
        secret = deployed.cloud.client("secretsmanager").get_secret_value(SecretId=deployed.resources["SigningSecret"])
        return json.loads(secret["SecretString"])

    before = document()
    stack.deploy(deployed.cloud, {"RefreshGrace": 5}, NAME)
    assert document() == before
    stack.deploy(deployed.cloud, {"RefreshGrace": 5, "SigningAlgorithm": "ES256"}, NAME)
    after = document()
    assert after["current"] == before["current"]
    assert after["next"]["alg"] == "ES256" and after["next"]["kid"] != before["next"]["kid"]


def test_deleting_the_stack_keeps_the_keys_and_the_tables(deployed):
    cloudformation = deployed.cloud.client("cloudformation")
    cloudformation.delete_stack(StackName=NAME)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=NAME, WaiterConfig={"Delay": 1})
    secrets, dynamodb = deployed.cloud.client("secretsmanager"), deployed.cloud.client("dynamodb")
    assert secrets.get_secret_value(SecretId=deployed.resources["SigningSecret"])["SecretString"]
    tables = dynamodb.list_tables()["TableNames"]
    assert {deployed.resources["ClientsTable"], deployed.resources["UsersTable"]} <= set(tables)
    assert deployed.resources["GrantsTable"] not in tables
