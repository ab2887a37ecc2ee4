"""Token requests by the demo clients and the demo user."""

import json

from http_client import request
from local_cloud.fixtures import DEMO

SERVICE, APPLICATION, *_ = DEMO["clients"]
[USER] = DEMO["users"]
LOGIN = {"grant_type": "password", "username": USER["username"], "password": USER["password"]}
SCOPE = "legacy:autonomy.read"


def fetch_token(issuer, client, accept="version=2", **parameters):
    """Returns the token response of an issuer. Fails if the request is rejected."""
    secret = client["secrets"][0]["secret"]
    body = {"client_id": client["client_id"], "client_secret": secret, **parameters}
    headers = {"content-type": "application/json", "accept": accept}
    response = request("POST", f"{issuer}/oauth/token", headers, json.dumps(body).encode())
    assert response.status == 200, response.body
    return response.json


def fetch_access_token(issuer, client=SERVICE, accept="version=2", scope=SCOPE):
    return fetch_token(issuer, client, accept, grant_type="client_credentials", scope=scope)["access_token"]
