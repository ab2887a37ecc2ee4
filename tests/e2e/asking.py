"""Tokens for the demo's clients and its user."""

import json

from http_client import request
from local.fixtures import DEMO

SERVICE, APPLICATION = DEMO["clients"]
[USER] = DEMO["users"]
LOGIN = {"grant_type": "password", "username": USER["username"], "password": USER["password"]}
SCOPE = "legacy:autonomy.read"


def token(issuer, client, accept="version=2", **parameters):
    """The answer of an issuer's token endpoint, which must be a token."""
    secret = client["secrets"][0]["secret"]
    body = {"client_id": client["client_id"], "client_secret": secret, **parameters}
    headers = {"content-type": "application/json", "accept": accept}
    answer = request(f"{issuer}/oauth/token", "POST", "/oauth/token", headers, json.dumps(body).encode())
    assert answer.status == 200, answer.body
    return answer.json


def access_token(issuer, client=SERVICE, accept="version=2", scope=SCOPE):
    return token(issuer, client, accept, grant_type="client_credentials", scope=scope)["access_token"]
