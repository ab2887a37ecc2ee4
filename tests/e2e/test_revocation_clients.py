"""OAuth client libraries introspect and revoke tokens at the deployed endpoints, which they find in the metadata."""

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session

from conftest import run
from token_endpoint import APPLICATION, SERVICE, USER

LOGIN = {"username": USER["username"], "password": USER["password"]}
SCOPES = sorted(SERVICE["default_scopes"])


def identity(client):
    return {"id": client["client_id"], "secret": client["secrets"][0]["secret"]}


def check(issuer, results):
    """Checks the introspections of an access token and a refresh token of a user, and of a service's token."""
    for result in results:
        access, refresh, service = result["before"]
        assert [token["active"] for token in result["before"]] == [True] * 3
        assert [sorted(token["scope"].split()) for token in result["before"]] == [SCOPES] * 3
        assert [token["sub"] for token in result["before"]] == [USER["user_id"], USER["user_id"], "demo-service"]
        assert [token["client_id"] for token in result["before"]] == ["demo-app", "demo-app", "demo-service"]
        assert [token.get("token_type") for token in result["before"]] == ["Bearer", None, "Bearer"]
        assert [token.get("aud") for token in result["before"]] == [issuer, None, issuer]
        assert "auth_time" in access and "auth_time" in refresh and "auth_time" not in service
        assert result["after"] == [{"active": False}] * 3


def test_openid_client_and_oauth4webapi(issuer):
    settings = {"issuer": issuer, "application": identity(APPLICATION), "service": identity(SERVICE), "user": LOGIN}
    results = run(["node", "tests/e2e/node/revocation.mjs"], settings)
    assert len(results) == 4
    check(issuer, results)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib(issuer, method):
    metadata = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=60).json()

    def session(client):
        known = identity(client)
        return OAuth2Session(
            known["id"], known["secret"], token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method, token_endpoint=metadata["token_endpoint"],
        )

    app, service = session(APPLICATION), session(SERVICE)
    login = app.fetch_token(grant_type="password", **LOGIN)
    own = service.fetch_token(grant_type="client_credentials")
    tokens = [
        (app, login["access_token"], "access_token"),
        (app, login["refresh_token"], "refresh_token"),
        (service, own["access_token"], "access_token"),
    ]

    def introspect():
        endpoint = metadata["introspection_endpoint"]
        responses = [client.introspect_token(endpoint, token, hint) for client, token, hint in tokens]
        assert [response.status_code for response in responses] == [200] * 3
        return [response.json() for response in responses]

    def revoke(client, token, hint):
        return client.revoke_token(metadata["revocation_endpoint"], token, hint)

    foreign = revoke(service, login["refresh_token"], "refresh_token")
    assert (foreign.status_code, foreign.json()["error"]) == (400, "invalid_grant")
    before = introspect()
    # Any token of the login ends the login, also with the wrong hint.
    assert revoke(app, login["access_token"], "refresh_token").status_code == 200
    assert revoke(service, own["access_token"], "access_token").status_code == 200
    check(issuer, [{"before": before, "after": introspect()}])
