"""The official SDKs of MCP connect to a server, and get its tokens from the issuer that the metadata of the server names."""

import asyncio
import json

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm
from mcp import Client
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider, PrivateKeyJWTOAuthProvider, SignedJWTParameters,
)
from mcp.client.streamable_http import streamable_http_client

import mcp_server
from conftest import Service, run, signing_key
from local_cloud import fixtures

ID, SECRET, SCOPE = "mcp-agent", "cs_mcp-agent-secret-00000000000000000000000000001", "vehicles:read"


@pytest.fixture(scope="module")
def key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(params=[True, False], ids=["challenge-names-metadata", "well-known-path"])
def server(issuer_stack, key, request):
    """A server that is a resource of the client, which has a secret and a key."""
    service = Service(issuer_stack.url, issuer_stack.url, signing_key(issuer_stack).public_key())
    with mcp_server.started(service, SCOPE, request.param) as server:
        jwk = json.dumps(ECAlgorithm.to_jwk(key.public_key(), as_dict=True))
        client = {
            "client_id": ID, "name": "MCP agent", "enabled": True, "grant_types": ["client_credentials"],
            "scopes": [SCOPE, "vehicles:write"], "default_scopes": ["vehicles:write"], "resources": [server.url],
            "secrets": [{"id": "5e0a91c3", "secret": SECRET, "created_at": 0}],
            "jwks": [{"kid": "agent", "alg": "ES256", "jwk": jwk, "created_at": 0}],
        }
        fixtures.seed(issuer_stack, {"clients": [client], "users": []})
        yield server


def check(server, connected):
    """Checks the connections with a secret and with a key: each used one token, for this server and its scope."""
    assert connected == [mcp_server.NAME, mcp_server.NAME]
    tokens = {claims["jti"]: claims for claims in server.claims}
    assert len(tokens) == 2
    for claims in tokens.values():
        assert (claims["aud"], claims["sub"], claims["scope"]) == (server.url, ID, SCOPE)


class Tokens:
    """The tokens of one connection, in the form that the SDK requires."""

    tokens = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens


async def connect(url, authentication):
    """Returns the name by which the server introduces itself."""
    async with httpx2.AsyncClient(auth=authentication) as http:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            return client.server_info.name


def test_s_1004_the_python_sdk_gets_a_token_unmodified(server, pem):
    identity = {"server_url": server.url, "client_id": ID, "issuer": server.service.issuer}
    assertion = SignedJWTParameters(issuer=ID, subject=ID, signing_key=pem, signing_algorithm="ES256")
    connected = [asyncio.run(connect(server.url, authentication)) for authentication in (
        ClientCredentialsOAuthProvider(**identity, storage=Tokens(), client_secret=SECRET),
        PrivateKeyJWTOAuthProvider(
            **identity, storage=Tokens(), assertion_provider=assertion.create_assertion_provider(),
        ),
    )]
    check(server, connected)


def test_s_1004_the_typescript_sdk_gets_a_token_unmodified(server, pem):
    settings = {"url": server.url, "issuer": server.service.issuer, "id": ID, "secret": SECRET, "key": pem}
    check(server, run(["node", "tests/e2e/node/mcp.mjs"], settings))
