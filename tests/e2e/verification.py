"""What an access token must be, by PyJWT and by jose."""

import json

import jwt

from conftest import ROOT, run


def claims(token, service, audience=None, structure=2):
    """The claims of a token that PyJWT accepts as a resource server should ask it to."""
    header = jwt.get_unverified_header(token)
    assert header["typ"] == {1: "JWT", 2: "at+jwt"}[structure] and header["kid"]
    required = ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"]
    return jwt.decode(
        token, service.public_key, algorithms=["RS256"], issuer=service.issuer,
        audience=audience or service.issuer, options={"require": required},
    )


def verify_by_jose(tokens, service):
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(service.public_key))
    settings = {"jwk": jwk, "issuer": service.issuer, "audience": service.issuer, "tokens": tokens}
    assert run(["node", "tests/e2e/node/jose.mjs"], settings) == len(tokens)
