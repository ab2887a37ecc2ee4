"""The examples of docs/verifying.md, run verbatim on valid and invalid tokens."""

import time

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from conftest import OTHER_AUDIENCE, ROOT, cargo_build, run, signing_key
from examples import example, run_in_node
from token_endpoint import fetch_access_token

@pytest.fixture(scope="module")
def tokens(issuer, issuer_stack):
    """Creates the valid and the invalid tokens, with times relative to the call."""
    valid, other_audience = fetch_access_token(issuer), fetch_access_token(issuer, OTHER_AUDIENCE)
    version_1 = fetch_access_token(issuer, accept="version=1")
    claims, header = jwt.decode(valid, options={"verify_signature": False}), jwt.get_unverified_header(valid)
    own, foreign = signing_key(issuer_stack), rsa.generate_private_key(public_exponent=65537, key_size=2048)
    body, signature = valid.rsplit(".", 1)
    flipped = signature[:-20] + ("A" if signature[-20] != "A" else "B") + signature[-19:]
    public = requests.get(f"{issuer}/.well-known/jwks.json", timeout=60).json()["keys"][0]

    def signed(issued_at=0, expires_at=3600):
        """Returns a token signed with the key of the issuer, with times relative to now."""
        now = int(time.time())
        times = {"iat": now + issued_at, "nbf": now + issued_at, "exp": now + expires_at}
        return jwt.encode(claims | times, own, "RS256", headers=header)

    def create():
        return [
            valid,
            # Within the tolerance of 30 s for a clock that is ahead or behind.
            signed(issued_at=20),
            signed(expires_at=-10),
        ], [
            signed(issued_at=90),
            signed(expires_at=-60),
            f"{body}.{flipped}",
            other_audience,
            version_1,
            jwt.encode(claims, foreign, "RS256", headers=header),
            jwt.encode(claims, None, "none", headers={"kid": header["kid"], "typ": "at+jwt"}),
            # Signed with the public key as a shared secret.
            jwt.encode(claims, public["n"], "HS256", headers={"kid": header["kid"], "typ": "at+jwt"}),
            "no.token.at-all",
        ]

    return create


def settings(issuer, tokens):
    jwks = requests.get(f"{issuer}/.well-known/jwks.json", timeout=60).json()
    valid, invalid = tokens
    return {"issuer": issuer, "audience": issuer, "jwks": jwks, "tokens": valid + invalid}


def expected(tokens):
    valid, invalid = tokens
    return [True] * len(valid) + [False] * len(invalid)


def test_py_jwt(issuer, tokens):
    scope = {"issuer": issuer, "audience": issuer}
    exec(example("verifying", "Python: PyJWT", "python"), scope)  # noqa: S102 - code of this repository

    def accepts(token):
        try:
            return scope["verify"](token)["sub"] == "demo-service"
        except jwt.PyJWTError:
            return False

    valid, invalid = tokens()
    assert [accepts(token) for token in valid + invalid] == expected((valid, invalid))


@pytest.mark.parametrize(("heading", "setup"), [
    ("Node.js: jose", ""),
    # The library fetches only over https, which a local cloud does not have.
    ("Node.js: aws-jwt-verify", "verifier.cacheJwks(jwks)\n"),
])
def test_node(heading, setup, issuer, tokens, tmp_path):
    code = (
        "const { issuer, audience, jwks, tokens } = JSON.parse(process.env.COUNTERSIGN)\n"
        + example("verifying", heading, "js") + setup + "const accepted = []\n"
        + "for (const token of tokens) accepted.push(await verify(token).then(() => true, () => false))\n"
        + "console.log(JSON.stringify(accepted))\n"
    )
    created = tokens()
    assert run_in_node(code, settings(issuer, created), tmp_path) == expected(created)


def test_jsonwebtoken(issuer, tokens):
    assert example("verifying", "Rust: jsonwebtoken", "rust") in (ROOT / "tests/e2e/verify.rs").read_text()
    created = tokens()
    results = run([cargo_build("verify", "--example", "verify")], settings(issuer, created))
    assert [claims is not None for claims in results] == expected(created)


def test_the_keys_and_tokens_meet_the_rules_of_firebase_php_jwt(issuer, tokens):
    """Checks the rules of JWK::parseKeySet and JWT::decode in Python, because the tests do not install PHP."""
    keys = requests.get(f"{issuer}/.well-known/jwks.json", timeout=60).json()["keys"]
    assert keys
    for key in keys:
        assert key["alg"] == "RS256", "rejects a key without alg, because the example sets no default"
        assert key["kty"] == "RSA" and key["n"] and key["e"], "RSA requires both"
        assert "d" not in key, "rejects a private key"
        assert isinstance(key["kid"], str)
    assert len({key["kid"] for key in keys}) == len(keys), "selects keys by kid"
    token = tokens()[0][0]
    header = jwt.get_unverified_header(token)
    assert header["kid"] in {key["kid"] for key in keys}
    assert header["alg"] == "RS256", "requires the alg of the key"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert all(isinstance(claims[name], int) and claims[name] <= time.time() for name in ("nbf", "iat"))
    assert isinstance(claims["aud"], str), "the example compares it as a string"
