"""A Lambda authorizer of an HTTP API (format 2.0, simple responses), which introspects access tokens (RFC 7662)."""

import hashlib
import json
import os
import re
import time
from base64 import b64encode
from functools import cache
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import quote, urlencode, urlsplit

import boto3

ENDPOINT = urlsplit(f"{os.environ['ISSUER']}/oauth/introspect")
CLIENT_ID = os.environ["CLIENT_ID"]
CLIENT_SECRET_ARN = os.environ["CLIENT_SECRET_ARN"]
AUDIENCE = os.environ["AUDIENCE"]
SCOPE = os.environ["SCOPE"]
# The longest time for which a revoked token is still accepted. The service allows at most 30 seconds.
CACHE_SECONDS = min(int(os.environ["CACHE_SECONDS"]), 30)
CACHE_SIZE = 1000
# For the connection, and for each read. The timeout of the function limits the whole invocation.
TIMEOUT_SECONDS = 3

BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,8192}=*)", re.IGNORECASE | re.ASCII)
# The members that the function behind the authorizer gets. Only a user's token has auth_time.
CONTEXT = ("sub", "client_id", "scope", "auth_time")

active_tokens = {}


class IntrospectionError(Exception):
    """An introspection without a result. It says nothing about the token."""


def handler(event, _):
    """Returns the decision about a request. If it raises an error, API Gateway rejects the request with 500."""
    credentials = BEARER.fullmatch(event["headers"].get("authorization", ""))
    claims = active_claims(credentials[1]) if credentials else None
    if not claims or not permits(claims):
        return {"isAuthorized": False}
    return {"isAuthorized": True, "context": {name: claims[name] for name in CONTEXT if name in claims}}


def permits(claims):
    """Returns true if an active token is an access token for this API with its scope."""
    # A refresh token has no token_type. A token with cnf is bound to a key or a certificate, which nothing here checks.
    is_bearer = claims.get("token_type") == "Bearer" and "cnf" not in claims
    return is_bearer and claims.get("aud") == AUDIENCE and SCOPE in claims["scope"].split(" ")


def active_claims(token):
    """Returns the content of an active token, from the cache or from the service, or None if it is not active."""
    # Not time.monotonic(), which can stop while Lambda suspends the execution environment.
    key, now = hashlib.sha256(token.encode()).digest(), time.time()
    if key in active_tokens:
        end, claims = active_tokens[key]
        if now < end:
            return claims
        del active_tokens[key]

    claims = introspect(token)
    if claims["active"] is not True:
        return None
    if len(active_tokens) >= CACHE_SIZE:
        del active_tokens[next(iter(active_tokens))]
    active_tokens[key] = (min(claims["exp"], now + CACHE_SECONDS), claims)
    return claims


def introspect(token):
    """Returns the introspection response. Every status other than 200 is an error."""
    status, body = post(token)
    if status == 401:
        # The secret may have been replaced since this execution environment loaded it.
        authorization.cache_clear()
        status, body = post(token)
    if status != 200:
        raise IntrospectionError(f"the introspection endpoint returned {status}")
    return json.loads(body)


def post(token):
    """Sends the introspection request, and returns the status and the body. Follows no redirect."""
    connection_type = {"https": HTTPSConnection, "http": HTTPConnection}[ENDPOINT.scheme]
    connection = connection_type(ENDPOINT.netloc, timeout=TIMEOUT_SECONDS)
    headers = {"Authorization": authorization(), "Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request("POST", ENDPOINT.path, urlencode({"token": token}), headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@cache
def authorization():
    """Loads the secret of the client, and returns the header with the credentials (RFC 6749 section 2.3.1)."""
    response = boto3.client("secretsmanager").get_secret_value(SecretId=CLIENT_SECRET_ARN)
    credentials = f"{quote(CLIENT_ID, safe='')}:{quote(response['SecretString'].strip(), safe='')}"
    return f"Basic {b64encode(credentials.encode()).decode()}"
