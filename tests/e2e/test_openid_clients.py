"""OpenID Connect libraries log a user in at a deployed stack, with the examples of docs/openid-connect.md."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import requests
import yaml

from conftest import ROOT, Service, cargo_build, run, set_variables, signing_key
from examples import example, run_in_node
from http_client import request
from local_cloud import fixtures, stack
from login_browser import browse
from scripted_browser import sign_in
from verification import verify

PAGE = "openid-connect"
CLAIMS = {
    "name": "Zoë Łukasiewicz", "given_name": "Zoë", "family_name": "Łukasiewicz", "locale": "en-GB", "updated_at": 1795219200,
    "email": "zoe@itccompliance.co.uk", "email_verified": True,
}
USER = {
    "username": "zoe@itccompliance.co.uk", "user_id": "1042", "password": "secret-password", "enabled": True, "claims": CLAIMS,
}
USERINFO = CLAIMS | {"sub": USER["user_id"], "preferred_username": USER["username"]}
SECRET = "cs_portal-secret-00000000000000000000000000000000012"
HOME = "https://portal.example.com/"
CODE = {
    "enabled": True, "grant_types": ["authorization_code", "refresh_token"],
    "scopes": ["openid", "profile", "email", "offline_access"],
}
PORTAL = CODE | {
    "client_id": "portal", "secrets": [{"id": "1", "secret": SECRET}], "first_party": True,
    "redirect_uris": [f"{HOME}callback"], "post_logout_redirect_uris": [HOME],
}
PARTNER = PORTAL | {"client_id": "partner", "first_party": False}
SHOP = CODE | {
    "client_id": "shop-web", "token_endpoint_auth_method": "none", "first_party": True,
    "allowed_origins": ["https://shop.example"], "redirect_uris": ["https://shop.example/callback"],
    "post_logout_redirect_uris": ["https://shop.example/"],
    # The library refreshes 60 seconds before the end.
    "access_token_ttl": 65,
}
# The host of a load balancer of the local cloud.
HOST = "intranet.alb.localhost"
INTRANET = PORTAL | {
    "client_id": "intranet", "require_pkce": False, "redirect_uris": [f"https://{HOST}/oauth2/idpresponse"],
    "scopes": ["openid", "profile", "email", "orders:read"],
}


@pytest.fixture(scope="module")
def login(cloud, build_folder):
    """A stack with login pages, whose issuer is its URL on this machine."""
    deployed = stack.deploy(cloud, {"LoginPages": "on"}, name="countersign-openid-clients")
    fixtures.seed(deployed, {"clients": [PORTAL, PARTNER, SHOP, INTRANET], "users": [USER]})
    set_variables(deployed, "ApiFunction", ISSUER=deployed.url)
    return Service(deployed.url, deployed.url, signing_key(deployed).public_key())


def settings(login, client):
    return {
        "issuer": login.issuer, "clientId": client["client_id"], "clientSecret": SECRET, "user": USER,
        "redirectUri": client["redirect_uris"][0], "postLogoutRedirectUri": HOME,
    }


def id_token_claims(login, client, tokens):
    """Verifies an ID token and its access token with PyJWT. Returns the claims of the ID token."""
    verify(tokens["access_token"], login)
    claims = jwt.decode(
        tokens["id_token"], login.public_key, algorithms=["RS256"], issuer=login.issuer, audience=client["client_id"],
    )
    hashed = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(hashed).decode().rstrip("=")
    return claims


def check(login, client, tokens, refreshed):
    """Checks the two token responses of a login and of its refresh."""
    first, second = (id_token_claims(login, client, response) for response in (tokens, refreshed))
    names = {"iss", "sub", "aud", "iat", "exp", "auth_time", "at_hash", "amr", "sid"}
    assert (first.keys(), second.keys()) == (names | {"nonce"}, names)
    for claim in ("sub", "auth_time", "amr", "sid"):
        assert first[claim] == second[claim]
    assert first["sub"] == USER["user_id"]
    assert tokens["refresh_token"] != refreshed["refresh_token"]


def test_openid_client(login, tmp_path):
    code = """
const { issuer, clientId, clientSecret, redirectUri, postLogoutRedirectUri } = JSON.parse(process.env.COUNTERSIGN)
const options = { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] }
""" + example(PAGE, "Node.js: openid-client 6.9", "js") + """
import { execFileSync } from 'node:child_process'
const { url, checks } = await begin()
const returned = execFileSync('python', ['tests/e2e/scripted_browser.py', url.href], { encoding: 'utf8' }).trim()
const { tokens, user } = await finish(new URL(returned), checks)
const refreshed = await refresh(tokens)
console.log(JSON.stringify({ tokens, user, refreshed, signOut: signOut(tokens) }))
"""
    result = run_in_node(code, settings(login, PORTAL), tmp_path)
    assert result["user"] == USERINFO
    check(login, PORTAL, result["tokens"], result["refreshed"])
    response = request("GET", result["signOut"], {}, None)
    assert (response.status, response.headers["location"]) == (303, HOME)


def test_openid_client_with_bound_tokens(login, tmp_path):
    code = """
const { issuer, clientId, clientSecret, redirectUri, postLogoutRedirectUri } = JSON.parse(process.env.COUNTERSIGN)
const options = { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] }
""" + example(PAGE, "Node.js: openid-client 6.9", "js") + example(PAGE, "Tokens that are bound to a key (DPoP)", "js") + """
import { execFileSync } from 'node:child_process'
const { url, checks } = await begin()
const returned = execFileSync('python', ['tests/e2e/scripted_browser.py', url.href], { encoding: 'utf8' }).trim()
const { tokens, user } = await finishBound(new URL(returned), checks)
const refreshed = await refreshBound(tokens)
console.log(JSON.stringify({ tokens, user, refreshed, jkt: await DPoP.calculateThumbprint() }))
"""
    result = run_in_node(code, settings(login, PORTAL), tmp_path)
    assert result["user"] == USERINFO
    check(login, PORTAL, result["tokens"], result["refreshed"])
    for tokens in (result["tokens"], result["refreshed"]):
        assert tokens["token_type"].lower() == "dpop"
        assert verify(tokens["access_token"], login)["cnf"] == {"jkt": result["jkt"]}
    # A bound token is not a bearer token.
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    response = requests.get(f"{login.url}/oauth/userinfo", headers=headers, timeout=60)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")


def test_the_flask_client_of_authlib(login, monkeypatch):
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    scope = {
        "issuer": login.issuer, "client_id": "partner", "client_secret": SECRET, "redirect_uri": PARTNER["redirect_uris"][0],
        "post_logout_redirect_uri": HOME, "secret_key": "secret", "__name__": "__main__",
    }
    exec(example(PAGE, "Python: Authlib 1.9 with Flask", "python"), scope)  # noqa: S102 - code of this repository
    application, browser = scope["app"].test_client(), {}

    def log_in():
        return sign_in(application.get("/login").location, USER, browser)

    def call(url):
        return application.get(url.removeprefix(HOME.rstrip("/")))

    returned, pages = log_in()
    assert pages == ["login", "consent"]
    # A response of another issuer does not use up the login.
    assert call(returned.replace("iss=", "iss=x")).status_code == 400
    finished = call(returned)
    assert (finished.status_code, finished.location) == (302, "/")
    with application.session_transaction() as session:
        assert session["user"] == USERINFO
        assert jwt.decode(session["id_token"], login.public_key, ["RS256"], audience="partner")["sub"] == USER["user_id"]
    # The browser session shows no page.
    assert log_in()[1] == []
    response = request("GET", application.get("/sign-out").location, browser, None)
    parts = urlsplit(response.headers["location"])
    assert (response.status, f"{parts.scheme}://{parts.netloc}{parts.path}") == (303, HOME)
    assert parse_qs(parts.query).keys() == {"state"}
    assert "max-age=0" in response.headers["set-cookie"].lower()
    assert log_in()[1] == ["login"]


def test_the_openidconnect_crate(login):
    assert example(PAGE, "Rust: openidconnect 4.1", "rust") in (ROOT / "tests/e2e/openidconnect/main.rs").read_text()
    program = cargo_build(
        "openidconnect_client", "--manifest-path", "tests/e2e/openidconnect/Cargo.toml", "--target-dir", "target",
    )
    result = run([program], settings(login, PORTAL))
    assert {name: value for name, value in result["user"].items() if value is not None} == USERINFO
    check(login, PORTAL, result["tokens"], result["refreshed"])


@pytest.mark.parametrize("scenario", ["redirect", "popup", "renewal"])
def test_s_826_oidc_client_ts_in_chromium(login, scenario):
    script = example(PAGE, "Browser: oidc-client-ts 3.5", "js")
    browse("oidc-client-ts", scenario, login.url, [SHOP], [USER], example=script, userinfo=USERINFO)


class Echo(BaseHTTPRequestHandler):
    """A server behind a gateway, which returns the headers of each request."""

    def do_GET(self):
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def target():
    """The port of the server behind the gateways."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def load_balancer(cloud, login, target):
    """A load balancer of the local cloud with the rule of the documentation. Returns a function that sends it a request."""
    balancing = cloud.client("elbv2")
    arn = balancing.create_load_balancer(Name=HOST.split(".")[0])["LoadBalancers"][0]["LoadBalancerArn"]
    group = balancing.create_target_group(
        Name="intranet", TargetType="ip", Protocol="HTTP", Port=target, VpcId="vpc-00000001",
    )["TargetGroups"][0]["TargetGroupArn"]
    balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": target}])
    rejected = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    listener = balancing.create_listener(
        LoadBalancerArn=arn, Protocol="HTTPS", Port=443, DefaultActions=[rejected],
        Certificates=[{"CertificateArn": "arn:aws:acm:eu-west-2:000000000000:certificate/intranet"}],
    )["Listeners"][0]["ListenerArn"]
    text = example(PAGE, "Application Load Balancer", "yaml").replace("https://login.example.com", login.url)
    for name, value in {"HttpsListener": listener, "TargetGroup": group, "ClientSecret": SECRET}.items():
        text = text.replace(f"!Ref {name}", json.dumps(value))
    balancing.create_rule(**yaml.safe_load(text)["Properties"])

    def send(path, cookie=""):
        return request("GET", f"{cloud.endpoint}{path}", {"host": f"{HOST}:443", "cookie": cookie}, None)

    return send


def test_an_application_load_balancer_of_the_local_cloud(load_balancer):
    challenge = load_balancer("/reports?year=2026")
    assert challenge.status == 302
    assert parse_qs(urlsplit(challenge.headers["location"]).query).keys() == {
        "client_id", "response_type", "scope", "redirect_uri", "state",
    }
    returned, _ = sign_in(challenge.headers["location"], USER)
    finished = load_balancer(returned.removeprefix(f"https://{HOST}"))
    assert finished.status == 302, finished.body
    page = load_balancer("/reports?year=2026", finished.headers["set-cookie"].split(";")[0])
    assert (page.status, page.json["x-amzn-oidc-identity"]) == (200, USER["user_id"])
    claims = page.json["x-amzn-oidc-data"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims)) == USERINFO


def intranet_tokens(login, scope, **authentication):
    """Gets tokens for the client without PKCE and without a nonce, as an ALB does."""
    redirect_uri = INTRANET["redirect_uris"][0]
    query = {"client_id": "intranet", "response_type": "code", "scope": scope, "redirect_uri": redirect_uri, "state": "s"}
    returned, _ = sign_in(f"{login.issuer}/oauth/authorize?{urlencode(query)}", USER)
    [code] = parse_qs(urlsplit(returned).query)["code"]
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    data = body | authentication.pop("data", {})
    response = requests.post(login.token_url, data=data, **authentication, timeout=60)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("authentication", [
    {"auth": ("intranet", SECRET)},
    {"data": {"client_id": "intranet", "client_secret": SECRET}},
], ids=["client_secret_basic", "client_secret_post"])
def test_a_client_without_pkce_and_nonce(login, authentication):
    tokens = intranet_tokens(login, "openid profile email", **authentication)
    assert "nonce" not in id_token_claims(login, INTRANET, tokens)
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    response = requests.get(f"{login.url}/oauth/userinfo", headers=headers, timeout=60)
    assert (response.status_code, response.json()) == (200, USERINFO)


def authorizer(cloud, login, target, audience):
    """Deploys an HTTP API with a JWT authorizer. Returns a function from a path and a token to the status."""
    apis = cloud.client("apigatewayv2")
    api = apis.create_api(Name="openid", ProtocolType="HTTP")["ApiId"]
    jwt_authorizer = apis.create_authorizer(
        ApiId=api, AuthorizerType="JWT", Name="jwt", IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": login.issuer, "Audience": audience},
    )["AuthorizerId"]
    integration = apis.create_integration(
        ApiId=api, IntegrationType="HTTP_PROXY", IntegrationMethod="GET", IntegrationUri=f"http://127.0.0.1:{target}/",
        PayloadFormatVersion="1.0",
    )["IntegrationId"]
    for path, scopes in {"/any": [], "/orders": ["orders:read"]}.items():
        apis.create_route(
            ApiId=api, RouteKey=f"GET {path}", AuthorizationType="JWT", AuthorizerId=jwt_authorizer,
            AuthorizationScopes=scopes, Target=f"integrations/{integration}",
        )
    apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)

    def status(path, token):
        url, headers = f"{cloud.endpoint}/_aws/execute-api/{api}{path}", {"authorization": f"Bearer {token}"}
        return requests.get(url, headers=headers, timeout=60).status_code

    return status


def test_the_jwt_authorizer_of_api_gateway_and_id_tokens(cloud, login, target):
    tokens = intranet_tokens(login, "openid orders:read", auth=("intranet", SECRET))
    access_token, id_token = tokens["access_token"], tokens["id_token"]
    status = authorizer(cloud, login, target, [login.issuer])
    assert [status(path, access_token) for path in ("/any", "/orders")] == [200, 200]
    assert [status(path, id_token) for path in ("/any", "/orders")] == [401, 401]
    # With the client id as an audience, only a scope keeps ID tokens out.
    status = authorizer(cloud, login, target, [login.issuer, "intranet"])
    assert [status(path, id_token) for path in ("/any", "/orders")] == [200, 403]
