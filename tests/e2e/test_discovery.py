"""The metadata documents, read by OAuth libraries. None of the libraries accepts a document without a response type."""

import json

import requests
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata

from conftest import run
from token_endpoint import SERVICE


def test_authlib_accepts_both_documents(issuer):
    for name, parser in (
        ("oauth-authorization-server", AuthorizationServerMetadata), ("openid-configuration", OpenIDProviderMetadata),
    ):
        document = requests.get(f"{issuer}/.well-known/{name}", timeout=60)
        # Authlib requires https, which a local cloud does not have.
        parser(json.loads(document.text.replace(issuer, "https://login.example"))).validate()


def test_openid_client_finds_the_token_endpoint_in_both_documents(issuer):
    settings = {"issuer": issuer, "id": SERVICE["client_id"], "secret": SERVICE["secrets"][0]["secret"]}
    endpoints = run(["node", "tests/e2e/node/discovery.mjs"], settings)
    assert endpoints == [f"{issuer}/oauth/token"] * 2
