"""The public cases, sent to the URL of the API and to the function under `cargo lambda watch`."""

import base64

import pytest

from conftest import CASES
from http_client import request
from verification import verify

# Headers that the gateway, the emulator or the connection adds or changes.
TRANSPORT_HEADERS = {
    "apigw-requestid", "connection", "content-length", "date", "server", "transfer-encoding", "vary",
}


def send(service, case):
    sent = case["request"]
    body = base64.b64decode(sent["body_base64"]) if "body_base64" in sent else sent.get("body", "").encode()
    return request(sent["method"], service.url + sent["path"], sent["headers"], body)


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["id"])
def test_case_gets_the_expected_response(service, case):
    response, expect = send(service, case), case["expect"]
    assert response.status == expect["status"], response.body
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    assert response.headers["x-content-type-options"] == "nosniff"
    for name in expect.get("header_present", []):
        assert name in response.headers
    for name in expect.get("present", []):
        assert name in response.json
    for name in expect.get("absent", []):
        assert name not in response.json
    if "error" in expect:
        assert response.json["error"] == expect["error"]
        assert list(response.json) == ["error", "error_description"]
    if "scope" in expect:
        assert response.json["scope"] == expect["scope"]
    if response.status == 200:
        version = expect.get("token_version", 2)
        audience = client_id(case) if version == 1 else None
        claims = verify(response.json["access_token"], service, audience, version)
        assert claims["exp"] > 0
        for name, length in expect.get("claims_length", {}).items():
            assert len(claims[name]) == length
        assert ("scope" in response.json) == (version == 2)


def test_cases_of_one_group_get_the_same_response(service):
    groups = {}
    for case in CASES["cases"]:
        if group := case["expect"].get("same_as"):
            response = send(service, case)
            headers = {name: value for name, value in response.headers.items() if name not in TRANSPORT_HEADERS}
            groups.setdefault(group, []).append((response.status, headers, response.body))
    assert len(groups) >= 2
    for responses in groups.values():
        assert len(responses) > 1 and all(response == responses[0] for response in responses)


def client_id(case):
    """Returns the client of a case. All cases of token version 1 have one of these two."""
    text = str(case["request"])
    return next(name for name in ("billing-cron", "autonomy-web") if name in text)
