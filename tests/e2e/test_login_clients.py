"""OAuth client libraries log a user in at the login pages of a deployed stack, with the examples of docs/login-pages.md."""

import os

import pytest

from conftest import ROOT, Service, cargo_build, run, set_variables, signing_key
from examples import example, run_in_node
from local_cloud import fixtures, stack
from local_cloud.program import free_port
from scripted_browser import sign_in
from verification import verify

PAGE = "login-pages"
USER = {"username": "login@itccompliance.co.uk", "user_id": "login", "password": "pässwörd", "enabled": True}
CODE = {"enabled": True, "grant_types": ["authorization_code", "refresh_token"]}
ORIGIN = "https://shop.example.com"


def confidential(client_id, redirect_uri):
    """Returns a client with a secret, as `countersign client create` makes it."""
    secret = f"cs_{client_id}-secret-".ljust(52, "0")
    return CODE | {
        "client_id": client_id, "secrets": [{"id": "1", "secret": secret}], "redirect_uris": [redirect_uri],
        "scopes": ["orders:*"],
    }


PUBLIC = CODE | {"token_endpoint_auth_method": "none"}
PORTAL = confidential("portal", "https://portal.example.com/callback") | {"first_party": True}
PARTNER = confidential("partner", "https://partner.example/callback")
DESK = PUBLIC | {"client_id": "desk", "redirect_uris": ["http://127.0.0.1/callback"], "scopes": ["orders:*"]}
SHOP = PUBLIC | {
    "client_id": "shop-web", "redirect_uris": [f"{ORIGIN}/callback"], "scopes": ["shop:*"], "first_party": True,
    "refresh_token_cookie": True, "allowed_origins": [ORIGIN],
}


@pytest.fixture(scope="module")
def login(cloud, build_folder):
    """A stack with login pages, whose issuer is its URL on this machine."""
    deployed = stack.deploy(cloud, {"LoginPages": "on"}, name="countersign-login-clients")
    fixtures.seed(deployed, {"clients": [PORTAL, PARTNER, DESK, SHOP], "users": [USER]})
    set_variables(deployed, "ApiFunction", ISSUER=deployed.url)
    return Service(deployed.url, deployed.url, signing_key(deployed).public_key())


def settings(login, client):
    secret = client["secrets"][0]["secret"] if "secrets" in client else None
    return {
        "issuer": login.issuer, "clientId": client["client_id"], "clientSecret": secret, "user": USER,
        "redirectUri": client["redirect_uris"][0], "port": free_port(), "origin": ORIGIN,
    }


def check(login, client, tokens, scope="orders:read"):
    claims = verify(tokens["access_token"], login)
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("login", client["client_id"], scope)
    assert ("refresh_token" in tokens) == ("refresh_token_cookie" not in client)


SETTINGS = "const { issuer, clientId, clientSecret, redirectUri, origin } = JSON.parse(process.env.COUNTERSIGN)\n"
LOG_IN = """
import { execFileSync } from 'node:child_process'
const { url, checks } = await begin()
const returned = execFileSync('python', ['tests/e2e/scripted_browser.py', url.href], { encoding: 'utf8' }).trim()
console.log(JSON.stringify(await finish(new URL(returned), checks)))
"""


def test_openid_client(login, tmp_path):
    options = "const options = { execute: [client.allowInsecureRequests] }\n"
    code = SETTINGS + options + example(PAGE, "A first-party application", "js") + LOG_IN
    check(login, PORTAL, run_in_node(code, settings(login, PORTAL), tmp_path))


def test_oauth4webapi(login, tmp_path):
    options = "const options = { [oauth.allowInsecureRequests]: true }\n"
    # Browsers send `Origin`, and Node.js does not.
    browser = """
const send = globalThis.fetch
globalThis.fetch = (url, init) => send(url, { ...init, headers: { ...Object.fromEntries(new Headers(init.headers)), origin } })
"""
    code = SETTINGS + options + browser + example(PAGE, "A single-page application", "js") + LOG_IN
    check(login, SHOP, run_in_node(code, settings(login, SHOP), tmp_path), "shop:read")


def test_app_auth(login, tmp_path, monkeypatch):
    # The library opens the browser with the command xdg-open.
    (tmp_path / "xdg-open").symlink_to(ROOT / "tests/e2e/scripted_browser.py")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    # The library logs to the console.
    code = """
const { issuer, clientId, port } = JSON.parse(process.env.COUNTERSIGN)
console.log = () => {}
""" + example(PAGE, "A native application", "js") + "process.stdout.write(JSON.stringify((await logIn()).toJson()))\n"
    check(login, DESK, run_in_node(code, settings(login, DESK), tmp_path))


@pytest.mark.parametrize(("heading", "client", "pages"), [
    ("A third-party application", PARTNER, ["login", "consent"]),
    ("Move off the password grant", PORTAL, ["login"]),
])
def test_python(login, monkeypatch, heading, client, pages):
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    values = settings(login, client)
    scope = {
        "issuer": login.issuer, "client_id": values["clientId"], "client_secret": values["clientSecret"],
        "redirect_uri": values["redirectUri"],
    }
    exec(example(PAGE, heading, "python"), scope)  # noqa: S102 - code of this repository
    url, *checks = scope["begin"]()
    returned, shown = sign_in(url, USER)
    assert shown == pages
    check(login, client, scope["finish"](returned, *checks))


def test_the_oauth2_crate(login):
    program = cargo_build("oauth2_code_client", "--example", "oauth2_code_client")
    check(login, PORTAL, run([program], settings(login, PORTAL)))


def test_go_oauth2(login, monkeypatch):
    # The folder of Debian's Go packages, which are not modules.
    monkeypatch.setenv("GOPATH", "/usr/share/gocode")
    monkeypatch.setenv("GO111MODULE", "off")
    check(login, PORTAL, run(["go", "run", "tests/e2e/oauth2_client.go"], settings(login, PORTAL)))
