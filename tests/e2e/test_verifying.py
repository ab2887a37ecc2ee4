"""The examples of docs/verifying.md, run verbatim on valid and invalid tokens."""

import time

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from conftest import OTHER_AUDIENCE, ROOT, cargo_build, run, signing_key
from examples import example, run_in_node
from token_endpoint import APPLICATION, LOGIN, SCOPE, fetch_access_token, fetch_token

OTHER_SCOPE = "legacy:autonomy.write"


@pytest.fixture(scope="module")
def tokens(issuer, issuer_stack):
    """Returns a function that creates tokens with times relative to the call, each with its outcome: its party, or a status."""
    valid, other_audience = fetch_access_token(issuer), fetch_access_token(issuer, OTHER_AUDIENCE)
    version_1 = fetch_access_token(issuer, accept="version=1")
    users = [fetch_token(issuer, APPLICATION, **LOGIN, scope=scope)["access_token"] for scope in (SCOPE, OTHER_SCOPE)]
    claims, header = jwt.decode(valid, options={"verify_signature": False}), jwt.get_unverified_header(valid)
    own, foreign = signing_key(issuer_stack), rsa.generate_private_key(public_exponent=65537, key_size=2048)
    body, signature = valid.rsplit(".", 1)
    flipped = signature[:-20] + ("A" if signature[-20] != "A" else "B") + signature[-19:]
    public = requests.get(f"{issuer}/.well-known/jwks.json", timeout=60).json()["keys"][0]

    def signed(issued_at=0, expires_at=3600, **others):
        """Returns a token of the service signed with the key of the issuer, with times relative to now."""
        now = int(time.time())
        times = {"iat": now + issued_at, "nbf": now + issued_at, "exp": now + expires_at}
        return jwt.encode(claims | times | others, own, "RS256", headers=header)

    def create():
        return [
            (valid, "service"),
            (users[0], "user"),
            # A user with the id of the client.
            (signed(auth_time=int(time.time())), "user"),
            # Within the tolerance of 30 s for a clock that is ahead or behind.
            (signed(issued_at=20), "service"),
            (signed(expires_at=-10), "service"),
            (fetch_access_token(issuer, scope=f"{OTHER_SCOPE} {SCOPE}"), "service"),
            (fetch_access_token(issuer, scope=OTHER_SCOPE), "403"),
            (users[1], "403"),
            (signed(scope=f"{SCOPE}er x{SCOPE}"), "403"),
            (signed(scope=""), "403"),
            (signed(issued_at=90), "401"),
            (signed(expires_at=-60), "401"),
            (f"{body}.{flipped}", "401"),
            (other_audience, "401"),
            (version_1, "401"),
            (jwt.encode(claims, foreign, "RS256", headers=header), "401"),
            (jwt.encode(claims, None, "none", headers={"kid": header["kid"], "typ": "at+jwt"}), "401"),
            # Signed with the public key as a shared secret.
            (jwt.encode(claims, public["n"], "HS256", headers={"kid": header["kid"], "typ": "at+jwt"}), "401"),
            ("no.token.at-all", "401"),
        ]

    return create


def settings(issuer, created):
    jwks = requests.get(f"{issuer}/.well-known/jwks.json", timeout=60).json()
    tokens = [token for token, _ in created]
    return {"issuer": issuer, "audience": issuer, "jwks": jwks, "scope": SCOPE, "tokens": tokens}


def expected(created):
    return [outcome for _, outcome in created]


def test_py_jwt(issuer, tokens):
    names = {"issuer": issuer, "audience": issuer}
    exec(example("verifying", "Python: PyJWT", "python"), names)  # noqa: S102 - code of this repository

    def outcome(token):
        try:
            claims = names["verify"](token, SCOPE)
        except jwt.PyJWTError:
            return "401"
        except PermissionError:
            return "403"
        return "user" if names["user_id"](claims) else "service"

    created = tokens()
    assert [outcome(token) for token, _ in created] == expected(created)


def test_a_verifier_of_two_issuers_uses_only_the_keys_of_the_issuer_of_the_token(issuer, issuer_stack):
    own, old = signing_key(issuer_stack), rsa.generate_private_key(public_exponent=65537, key_size=2048)
    old_issuer, now = "https://old.example", int(time.time())

    def verify_old(token, scope):
        claims = jwt.decode(token, old.public_key(), algorithms=["RS256"], issuer=old_issuer, audience=issuer)
        return claims if scope in claims["scope"].split() else None

    names = {"issuer": issuer, "audience": issuer, "old_issuer": old_issuer, "verify_old": verify_old}
    exec(example("verifying", "Python: PyJWT", "python"), names)  # noqa: S102 - code of this repository
    exec(example("migrating", "Accept two issuers", "python"), names)  # noqa: S102

    valid = fetch_access_token(issuer)
    header = jwt.get_unverified_header(valid)

    def signed(key, claimed):
        claims = {"iss": claimed, "aud": issuer, "sub": "1", "scope": SCOPE, "iat": now, "nbf": now, "exp": now + 600}
        return jwt.encode(claims, key, "RS256", headers={"kid": header["kid"], "typ": "at+jwt"})

    assert names["verify_either"](valid, SCOPE)["sub"] == "demo-service"
    assert names["verify_either"](signed(own, issuer), SCOPE)["iss"] == issuer
    assert names["verify_either"](signed(old, old_issuer), SCOPE)["iss"] == old_issuer
    for key, claimed in [(own, old_issuer), (old, issuer), (own, "https://third.example"), (old, "https://third.example")]:
        with pytest.raises(jwt.PyJWTError):
            names["verify_either"](signed(key, claimed), SCOPE)


@pytest.mark.parametrize(("heading", "setup", "scope_error"), [
    ("Node.js: jose", "", "InsufficientScope"),
    # The library fetches only over https, which a local cloud does not have.
    (
        "Node.js: aws-jwt-verify",
        "import { JwtInvalidScopeError } from 'aws-jwt-verify/error'\nverifier.cacheJwks(jwks)\n",
        "JwtInvalidScopeError",
    ),
])
def test_node(heading, setup, scope_error, issuer, tokens, tmp_path):
    code = (
        "const { issuer, audience, jwks, scope, tokens } = JSON.parse(process.env.COUNTERSIGN)\n"
        + example("verifying", heading, "js") + setup + f"""
const party = (claims) => (userId(claims) ? 'user' : 'service')
const status = (error) => (error instanceof {scope_error} ? '403' : '401')
const outcomes = []
for (const token of tokens) outcomes.push(await verify(token, scope).then(party, status))
console.log(JSON.stringify(outcomes))
"""
    )
    created = tokens()
    assert run_in_node(code, settings(issuer, created), tmp_path) == expected(created)


def test_jsonwebtoken(issuer, tokens):
    assert example("verifying", "Rust: jsonwebtoken", "rust") in (ROOT / "tests/e2e/verify.rs").read_text()
    # Built before the tokens are created, because their times are relative to now.
    program = cargo_build("verify", "--example", "verify")
    created = tokens()
    assert run([program], settings(issuer, created)) == expected(created)


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
    token, _ = tokens()[0]
    header = jwt.get_unverified_header(token)
    assert header["kid"] in {key["kid"] for key in keys}
    assert header["alg"] == "RS256", "requires the alg of the key"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert all(isinstance(claims[name], int) and claims[name] <= time.time() for name in ("nbf", "iat"))
    assert isinstance(claims["aud"], str), "the example compares it as a string"
