"""`countersign client`, `plan` and `apply`: their changes take effect at the API."""

import json
import threading
import time

import jwt

from cli import NAME, credentials, stored_item, token_status
from local_cloud.program import REGION
from token_endpoint import fetch_token


def test_a_new_client_gets_a_token_that_the_published_keys_verify(cli_stack, countersign):
    created = countersign(
        "client", "create", "billing-cron", "--name", "Billing cron job", "--grant-type", "client_credentials",
        "--scope", "billing:*", "--default-scope", "billing:read", "--access-token-ttl", "30m",
    )
    assert f"changing the stack {NAME} in account 000000000000, {REGION}" in created.stderr
    printed = dict(line.split() for line in created.stdout.splitlines())
    assert printed["client_secret"] not in created.stderr, "the secret is printed once, and never to stderr"

    client = credentials(printed["client_id"], printed["client_secret"])
    response = fetch_token(cli_stack.url, client, grant_type="client_credentials")
    key = jwt.PyJWKClient(f"{cli_stack.url}/.well-known/jwks.json").get_signing_key_from_jwt(response["access_token"])
    issuer = cli_stack.outputs["Issuer"]
    required = {"require": ["iss", "aud", "sub", "exp", "iat"]}
    claims = jwt.decode(
        response["access_token"], key, algorithms=["RS256"], issuer=issuer, audience=issuer, options=required,
    )
    assert (claims["sub"], claims["scope"]) == ("billing-cron", "billing:read")
    assert claims["exp"] - claims["iat"] == response["expires_in"] == 1800


class TokenRequests:
    """A thread that requests tokens all the time. `secret` can be changed meanwhile."""

    def __init__(self, url, client_id, secret):
        self.url, self.client_id, self.secret = url, client_id, secret
        self.succeeded, self.errors, self.done = [], [], threading.Event()
        self.thread = threading.Thread(target=self.repeat)

    def repeat(self):
        try:
            while not self.done.is_set():
                secret = self.secret
                fetch_token(self.url, credentials(self.client_id, secret), grant_type="client_credentials")
                self.succeeded.append(secret)
        except Exception as error:  # noqa: BLE001 - any exception in this thread must fail the test
            self.errors.append(error)

    def wait_for_more(self):
        """Waits until five more requests have succeeded with the current secret."""
        expected, deadline = self.succeeded.count(self.secret) + 5, time.monotonic() + 60
        while self.succeeded.count(self.secret) < expected:
            assert time.monotonic() < deadline and not self.errors, self.errors
            time.sleep(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def test_rotating_a_secret_fails_no_request(cli_stack, countersign, capsys):
    arguments = ["--grant-type", "client_credentials", "--scope", "billing:*", "--default-scope", "billing:read"]
    first = countersign.json("client", "create", "nightly", *arguments)["client_secret"]
    with TokenRequests(cli_stack.url, "nightly", first) as requests:
        requests.wait_for_more()
        rotated = countersign("client", "rotate-secret", "nightly", "--json")
        assert "expires at 20" in rotated.stderr
        requests.wait_for_more()
        requests.secret = second = json.loads(rotated.stdout)["client_secret"]
        requests.wait_for_more()
        old, new = countersign.json("client", "show", "nightly")["secrets"]
        assert old["active"] and new["active"] and new["expires_at"] is None
        countersign("client", "retire-secret", "nightly", old["id"])
        requests.wait_for_more()
    assert not requests.errors, requests.errors
    assert first != second and set(requests.succeeded) == {first, second}
    assert (token_status(cli_stack, "nightly", first), token_status(cli_stack, "nightly", second)) == (401, 200)
    with capsys.disabled():
        print(f"\n{len(requests.succeeded)} tokens during the rotation of a secret, no request failed")


def test_plan_and_apply_create_and_change_a_client_from_a_file(cli_stack, countersign, tmp_path):
    file = tmp_path / "clients.toml"
    file.write_text(
        '[clients.reports]\nname = "Reports"\ngrant_types = ["client_credentials"]\n'
        'scopes = ["reports:*"]\ndefault_scopes = ["reports:read"]\naccess_token_ttl = 600\n'
        '[clients.reports.system]\nid = 7\n'
    )
    [step] = countersign.json("plan", file, code=3)
    assert (step["client_id"], step["step"]) == ("reports", "create")
    assert stored_item(cli_stack, "ClientsTable", client_id="reports") is None, "plan must not write"
    countersign("apply", file, code=1)
    assert stored_item(cli_stack, "ClientsTable", client_id="reports") is None, "apply needs a confirmation"
    [applied] = countersign.json("apply", file, "--yes")
    assert "demo-service" in countersign("plan", file).stderr, "clients that the file does not have are left unchanged"

    client = credentials("reports", applied["client_secret"])
    response = fetch_token(cli_stack.url, client, accept="version=1", grant_type="client_credentials")
    claims = jwt.decode(response["access_token"], options={"verify_signature": False})
    assert (claims["system"], response["expires_in"]) == ({"id": 7}, 600)

    file.write_text(file.read_text().replace("access_token_ttl = 600\n", ""))
    assert "access_token_ttl: 600 -> none" in countersign("plan", file, code=3).stdout
    assert "1 applied" in countersign("apply", file, "--yes").stderr
    assert countersign("plan", file).stdout == "No changes.\n"
    assert token_status(cli_stack, "reports", applied["client_secret"]) == 200, "apply keeps the secrets"
