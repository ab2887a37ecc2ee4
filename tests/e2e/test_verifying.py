"""docs/verifying.md: each example as it stands there, on tokens that are good and on those that are not."""

import json
import re
import subprocess
import time

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from asking import access_token
from conftest import OTHER_AUDIENCE, ROOT, run, signing_key

PAGE = (ROOT / "docs/verifying.md").read_text()


def example(heading):
    """The code under a heading, to the letter."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.search(r"```\w+\n(.*?)```", section, re.DOTALL)[1]


@pytest.fixture(scope="module")
def tokens(issuer, issuer_stack):
    """Makes the tokens that each example must accept, and those that it must reject, as of now."""
    good, of_other = access_token(issuer), access_token(issuer, OTHER_AUDIENCE)
    of_version_1 = access_token(issuer, accept="version=1")
    claims, header = jwt.decode(good, options={"verify_signature": False}), jwt.get_unverified_header(good)
    own, foreign = signing_key(issuer_stack), rsa.generate_private_key(public_exponent=65537, key_size=2048)
    body, signature = good.rsplit(".", 1)
    flipped = signature[:-20] + ("A" if signature[-20] != "A" else "B") + signature[-19:]
    public = requests.get(f"{issuer}/.well-known/jwks.json", timeout=60).json()["keys"][0]

    def signed(issued_at=0, expires_at=3600):
        """Signed with the issuer's own key, with times relative to now."""
        now = int(time.time())
        times = {"iat": now + issued_at, "nbf": now + issued_at, "exp": now + expires_at}
        return jwt.encode(claims | times, own, "RS256", headers=header)

    def make():
        return [
            good,
            # By a clock that is up to 30 s behind or ahead.
            signed(issued_at=20),
            signed(expires_at=-10),
        ], [
            signed(issued_at=90),
            signed(expires_at=-60),
            f"{body}.{flipped}",
            of_other,
            of_version_1,
            jwt.encode(claims, foreign, "RS256", headers=header),
            jwt.encode(claims, None, "none", headers={"kid": header["kid"], "typ": "at+jwt"}),
            # The public key taken for a shared secret.
            jwt.encode(claims, public["n"], "HS256", headers={"kid": header["kid"], "typ": "at+jwt"}),
            "no.token.at-all",
        ]

    return make


def settings(issuer, tokens):
    jwks = requests.get(f"{issuer}/.well-known/jwks.json", timeout=60).json()
    good, bad = tokens
    return {"issuer": issuer, "audience": issuer, "jwks": jwks, "tokens": good + bad}


def expected(tokens):
    good, bad = tokens
    return [True] * len(good) + [False] * len(bad)


def test_py_jwt(issuer, tokens):
    scope = {"issuer": issuer, "audience": issuer}
    exec(example("Python: PyJWT"), scope)  # noqa: S102 - our own page

    def accepts(token):
        try:
            return scope["verify"](token)["sub"] == "demo-service"
        except jwt.PyJWTError:
            return False

    good, bad = tokens()
    assert [accepts(token) for token in good + bad] == expected((good, bad))


@pytest.mark.parametrize(("heading", "before"), [
    ("Node.js: jose", ""),
    # Its own way to fetch takes https alone, which a local cloud has not.
    ("Node.js: aws-jwt-verify", "verifier.cacheJwks(jwks)\n"),
])
def test_node(heading, before, issuer, tokens, tmp_path):
    script = ROOT / "tests/e2e/node" / f"example-{tmp_path.name}.mjs"
    script.write_text(
        "const { issuer, audience, jwks, tokens } = JSON.parse(process.env.COUNTERSIGN)\n"
        + example(heading) + before + "const found = []\n"
        + "for (const token of tokens) found.push(await verify(token).then(() => true, () => false))\n"
        + "console.log(JSON.stringify(found))\n"
    )
    made = tokens()
    try:
        assert run(["node", script], settings(issuer, made)) == expected(made)
    finally:
        script.unlink()


def test_jsonwebtoken(issuer, tokens):
    assert example("Rust: jsonwebtoken") in (ROOT / "tests/e2e/verify.rs").read_text()
    command = ["cargo", "build", "--quiet", "--locked", "--example", "verify", "--message-format=json"]
    messages = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    program = next(path for path in (json.loads(one).get("executable") for one in reversed(messages)) if path)
    made = tokens()
    found = run([program], settings(issuer, made))
    assert [claims is not None for claims in found] == expected(made)


def test_the_keys_and_tokens_are_as_firebase_php_jwt_asks(issuer, tokens):
    """Without PHP here, by its rules: JWK::parseKeySet and JWT::decode as they are written down."""
    keys = requests.get(f"{issuer}/.well-known/jwks.json", timeout=60).json()["keys"]
    assert keys
    for key in keys:
        assert key["alg"] == "RS256", "a key without alg is refused, and there is no default in the example"
        assert key["kty"] == "RSA" and key["n"] and key["e"], "RSA needs both"
        assert "d" not in key, "a private key is refused"
        assert isinstance(key["kid"], str)
    assert len({key["kid"] for key in keys}) == len(keys), "keys are found by kid"
    token = tokens()[0][0]
    header = jwt.get_unverified_header(token)
    assert header["kid"] in {key["kid"] for key in keys}
    assert header["alg"] == "RS256", "must be the key's"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert all(isinstance(claims[name], int) and claims[name] <= time.time() for name in ("nbf", "iat"))
    assert isinstance(claims["aud"], str), "the example compares it as a string"
