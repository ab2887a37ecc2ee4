"""The public cases, through the API's URL and under `cargo lambda watch`: each request has one right answer."""

import base64

import pytest

from conftest import CASES
from http_client import request
from verification import claims

# What the gateway, the emulator or the connection adds or changes.
CARRIED = {"apigw-requestid", "connection", "content-length", "date", "server", "transfer-encoding", "vary"}


def send(service, case):
    asked = case["request"]
    body = base64.b64decode(asked["body_base64"]) if "body_base64" in asked else asked.get("body", "").encode()
    return request(service.token_url, asked["method"], asked["path"], asked["headers"], body)


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["id"])
def test_the_case_has_its_one_right_answer(service, case):
    answer, expect = send(service, case), case["expect"]
    assert answer.status == expect["status"], answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for name in expect.get("header_present", []):
        assert name in answer.headers
    for name in expect.get("present", []):
        assert name in answer.json
    for name in expect.get("absent", []):
        assert name not in answer.json
    if "error" in expect:
        assert answer.json["error"] == expect["error"]
        assert list(answer.json) == ["error", "error_description"]
    if "scope" in expect:
        assert answer.json["scope"] == expect["scope"]
    if answer.status == 200:
        version = expect.get("token_version", 2)
        token = answer.json["access_token"]
        audience = client_id(case) if version == 1 else None
        verified = claims(token, service, audience, version)
        assert verified["exp"] > 0
        for name, length in expect.get("claims_length", {}).items():
            assert len(verified[name]) == length
        assert ("scope" in answer.json) == (version == 2)


def test_alike_cases_have_the_same_answer(service):
    groups = {}
    for case in CASES["cases"]:
        if group := case["expect"].get("same_as"):
            answer = send(service, case)
            headers = {name: value for name, value in answer.headers.items() if name not in CARRIED}
            groups.setdefault(group, []).append((answer.status, headers, answer.body))
    assert len(groups) >= 2
    for answers in groups.values():
        assert len(answers) > 1 and all(answer == answers[0] for answer in answers)


def client_id(case):
    """The client of a case. All cases of token version 1 have one of these two."""
    text = str(case["request"])
    return next(one for one in ("billing-cron", "autonomy-web") if one in text)
