"""`countersign key`: the function uses the keys that it lists and rotates."""

import time

import jwt
import requests

from token_endpoint import fetch_access_token


def signing_kid(deployed):
    """Returns the id of the key that signs a new token."""
    return jwt.get_unverified_header(fetch_access_token(deployed.url))["kid"]


def test_a_new_key_is_not_rotated_early_and_an_emergency_removes_the_current_key(cli_stack, countersign):
    before = signing_kid(cli_stack)
    listed = {key["stage"]: key["kid"] for key in countersign.json("key", "list")}
    assert listed.keys() == {"current", "next"} and listed["current"] == before
    text = countersign("key", "list").stdout
    assert "retires on 20" in text and "may sign from 20" in text and "PRIVATE" not in text
    assert "has not been public for long enough" in countersign("key", "rotate", code=3).stdout
    assert "confirm with --yes" in countersign("key", "rotate", "--emergency", code=1).stderr
    assert signing_kid(cli_stack) == before

    report = countersign.json("key", "rotate", "--emergency", "--yes")
    assert report["changed"] and report["current"] == listed["next"] and before not in report["previous"]
    deadline = time.monotonic() + 60
    while signing_kid(cli_stack) == before:
        assert time.monotonic() < deadline, "the function does not load the new keys within 60 s"
        time.sleep(0.2)
    assert signing_kid(cli_stack) == report["current"]
    published = requests.get(f"{cli_stack.url}/.well-known/jwks.json", timeout=60).json()["keys"]
    assert {key["kid"] for key in published} == {report["current"], report["next"]}
    assert countersign("key", "list").stdout.count("RS256") == 2
