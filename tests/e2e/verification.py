"""Verification of access tokens by PyJWT and jose."""

import json

import jwt

from conftest import run


def verify(token, service, audience=None, version=2):
    """Verifies a token with PyJWT as a resource server should, and returns its claims."""
    header = jwt.get_unverified_header(token)
    assert header["typ"] == {1: "JWT", 2: "at+jwt"}[version] and header["kid"]
    required = ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"]
    return jwt.decode(
        token, service.public_key, algorithms=["RS256"], issuer=service.issuer,
        audience=audience or service.issuer, options={"require": required},
    )


def verify_with_jose(tokens, service):
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(service.public_key))
    settings = {"jwk": jwk, "issuer": service.issuer, "audience": service.issuer, "tokens": tokens}
    assert run(["node", "tests/e2e/node/jose.mjs"], settings) == len(tokens)
