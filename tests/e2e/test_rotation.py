"""Keys that rotate by themselves: while tokens are asked for and verified all the time, nobody notices."""

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

from asking import APPLICATION, LOGIN, SERVICE, access_token, token
from conftest import ROOT, change_environment
from local import fixtures, stack

# Time as in production, but faster: how long anyone keeps the keys that he has seen, and how long a key must have been
# public. In between lie an environment's and a verifier's patience, and something for a slow machine.
MAX_AGE, PUBLIC_FOR = 2, 12
ROTATIONS = 5


@pytest.fixture(scope="module")
def deployed(cloud, built):
    """A stack of its own, which nobody gave a key, and whose issuer can be reached from here."""
    deployed = stack.deploy(cloud, name="countersign-keys")
    fixtures.seed(deployed, fixtures.DEMO)
    change_environment(deployed, "ApiFunction", ISSUER=issuer_of(deployed), KEYS_MAX_AGE=str(MAX_AGE))
    change_environment(deployed, "RotateFunction", KEY_PUBLIC_FOR=str(PUBLIC_FOR))
    return deployed


def issuer_of(deployed):
    return deployed.token_url.removesuffix("/oauth/token")


def rotate(deployed, **event):
    name = deployed.resources["RotateFunction"]
    event = json.dumps({"action": "rotate", **event}).encode()
    answer = deployed.cloud.client("lambda").invoke(FunctionName=name, Payload=event)
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def jwks(deployed):
    return requests.get(f"{issuer_of(deployed)}/.well-known/jwks.json", timeout=30)


class Verifiers:
    """Four resource servers, each with its own library and its own cache of the keys."""

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
            keys = requests.get(self.jwks_url, timeout=30).json()
            self.joserfc, self.joserfc_at = joserfc_jwk.KeySet.import_key_set(keys), time.monotonic()
        joserfc_jwt.decode(token, self.joserfc, algorithms=["RS256"])

        self.node.stdin.write(f"{token}\n")
        self.node.stdin.flush()
        assert json.loads(self.node.stdout.readline()) == []

    def close(self):
        self.node.stdin.close()
        self.node.wait(timeout=10)


def test_a_deployment_signs_at_once_and_does_not_rotate_too_early(deployed):
    kid = jwt.get_unverified_header(access_token(issuer_of(deployed)))["kid"]
    published = jwks(deployed)
    assert published.headers["cache-control"] == f"public, max-age={MAX_AGE}, stale-if-error=7200"
    kids = [key["kid"] for key in published.json()["keys"]]
    assert kids[0] == kid and len(kids) == 2, "the key that signs, and the next one"
    again = requests.get(published.url, headers={"if-none-match": published.headers["etag"]}, timeout=30)
    assert again.status_code == 304 and not again.content
    report = rotate(deployed)
    assert report["changed"] is False and "public for long enough" in report["reason"]
    assert [key["kid"] for key in jwks(deployed).json()["keys"]] == kids


def test_nobody_notices_five_rotations(deployed):
    issuer = issuer_of(deployed)
    done, faults, verified = threading.Event(), [], []

    def stream(grants):
        verifiers = Verifiers(issuer)
        try:
            refresh_token = None
            while not done.is_set():
                for grant in grants:
                    answer = grant(refresh_token)
                    refresh_token = answer.get("refresh_token", refresh_token)
                    verifiers.verify(answer["access_token"])
                    verified.append(answer["access_token"])
        except Exception as fault:  # noqa: BLE001 - whatever it is, the test fails by it
            faults.append(fault)
        finally:
            verifiers.close()

    def service(_):
        return token(issuer, SERVICE, grant_type="client_credentials")

    def login(_):
        return token(issuer, APPLICATION, **LOGIN)

    def refresh(refresh_token):
        return token(issuer, APPLICATION, grant_type="refresh_token", refresh_token=refresh_token)

    # One user stays logged in from the first key to the last.
    stayed = login(None)["refresh_token"]
    threads = [threading.Thread(target=stream, args=[grants]) for grants in ([service], [login, refresh, refresh])]
    for thread in threads:
        thread.start()
    kids = []
    try:
        for _ in range(ROTATIONS):
            deadline = time.monotonic() + PUBLIC_FOR + 60
            while not (report := rotate(deployed))["changed"]:
                assert time.monotonic() < deadline and not faults, faults
                time.sleep(0.5)
            kids.append(report["current"])
            stayed = refresh(stayed)["refresh_token"]
        time.sleep(2 * MAX_AGE)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not faults, faults
    assert len(set(kids)) == ROTATIONS
    assert refresh(stayed)["refresh_token"]
    signed = {jwt.get_unverified_header(one)["kid"] for one in verified}
    assert set(kids) <= signed, "every key has signed"
    # The first tokens are still good, by keys that sign no more.
    verifiers = Verifiers(issuer)
    try:
        verifiers.verify(verified[0])
    finally:
        verifiers.close()
    print(f"\n{len(verified)} tokens of all grants verified by four libraries through {ROTATIONS} rotations")


def test_an_emergency_drops_the_key_that_signs(deployed):
    issuer = issuer_of(deployed)
    compromised = access_token(issuer)
    kid = jwt.get_unverified_header(compromised)["kid"]
    report = rotate(deployed, emergency=kid)
    assert report["changed"] and report["current"] != kid and kid not in report["previous"]
    assert rotate(deployed, emergency=kid)["changed"] is False
    deadline = time.monotonic() + 60
    while kid in [key["kid"] for key in jwks(deployed).json()["keys"]]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with pytest.raises(jwt.PyJWKClientError):
        jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json").get_signing_key_from_jwt(compromised)
    assert jwt.get_unverified_header(access_token(issuer))["kid"] == report["current"]


def test_the_log_names_keys_and_has_nothing_else_of_them(deployed):
    lines = "\n".join(deployed.log("RotateLogGroup"))
    assert '"outcome":"keys"' in lines
    secret = deployed.cloud.client("secretsmanager").get_secret_value(SecretId=deployed.resources["SigningSecret"])
    document = json.loads(secret["SecretString"])
    for hidden in (document["current"]["private_key"], document["refresh"]["current"], "PRIVATE KEY"):
        assert hidden not in lines


def test_deploying_again_keeps_the_keys_and_another_algorithm_becomes_the_next_one(deployed):
    def document():
        secret = deployed.cloud.client("secretsmanager").get_secret_value(SecretId=deployed.resources["SigningSecret"])
        return json.loads(secret["SecretString"])

    before = document()
    stack.deploy(deployed.cloud, {"RefreshGrace": 5}, "countersign-keys")
    assert document() == before
    stack.deploy(deployed.cloud, {"RefreshGrace": 5, "SigningAlgorithm": "ES256"}, "countersign-keys")
    after = document()
    assert after["current"] == before["current"]
    assert after["next"]["alg"] == "ES256" and after["next"]["kid"] != before["next"]["kid"]


def test_deleting_the_stack_leaves_the_keys_and_the_tables(deployed):
    cloudformation = deployed.cloud.client("cloudformation")
    cloudformation.delete_stack(StackName="countersign-keys")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="countersign-keys", WaiterConfig={"Delay": 1})
    secrets, dynamodb = deployed.cloud.client("secretsmanager"), deployed.cloud.client("dynamodb")
    assert secrets.get_secret_value(SecretId=deployed.resources["SigningSecret"])["SecretString"]
    tables = dynamodb.list_tables()["TableNames"]
    assert {deployed.resources["ClientsTable"], deployed.resources["UsersTable"]} <= set(tables)
    assert deployed.resources["GrantsTable"] not in tables
