"""The commands of docs/migrating.md, run verbatim on the exports of the page. The results are imported and tried."""

import json
import re
import sqlite3
import subprocess
import sys

import bcrypt
import jwt
import pytest

from cli import credentials
from conftest import ROOT
from http_client import request
from token_endpoint import APPLICATION, SCOPE, fetch_token

PASSWORD = "correct horse 9"
SECRET = "n7Wq2LxZ0aTfB4kRmV9cYpE6hJ1sUdG8oXiK3tQy"

# A program in place of mysql, which prints the rows of a statement on an SQLite database.
MYSQL = f"""#!{sys.executable}
import sqlite3, sys

*_, name, _, statement = sys.argv
database = sqlite3.connect(f"{{name}}.db")
database.create_function("concat", -1, lambda *parts: "".join(parts))
for row in database.execute(statement):
    print(*row, sep="\\t")
"""

# The blocks of each system to run, the ids of its users, those with a password, and the clients that are services.
SYSTEMS = {
    "Laravel Passport": ([0, 2], {}, set(), {"9f1c2d3e-passport": (SECRET, "orders:read")}),
    "Laravel Passport, before version 13": ([1, 2], {}, set(), {"7": (SECRET, "orders:read")}),
    "Keycloak": (
        [0], {"anna@example.com": "5b7f2a0e-8a1c-4b57-9d58-1f0c6c1b2a77"}, {"anna@example.com"},
        {"stock-sync": ("oXiK3tQyVr0bNw5eLz8mAf2dSg6hJk9p", "orders:read")},
    ),
    "Auth0": (
        [0, 1],
        {"berta@example.com": "auth0|5dea9f9c82dd7c0e76e4ec93", "carla@example.com": "auth0|carla"},
        {"berta@example.com", "carla@example.com"},
        {"AaiyAPdpYdesoKnqjj8HJqRn4T5titww": (
            "MG_TNT2ver-SylNat-_VeMmd-4m0Waba0jr1troztBniSChEw0glxEmgEi2Kw40H", "orders:read",
        )},
    ),
    "Amazon Cognito": (
        [0, 1],
        {
            "dora@example.com": "7c1f8a52-0c4e-4c3f-9a26-6f1d7b7d5e10",
            "erik@example.com": "0b9c5e0a-2f1d-4f7c-8f53-1f4b8d1c9e77",
        },
        set(),
        {"1example23456789": ("9hnp5a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0", "orders/read")},
    ),
    "Django": ([0], {}, set(), {"m3Kx8TqZ": (SECRET, "orders:read")}),
}
# The clients with users: their grant types, and the number of their redirect URIs.
CODE = ["authorization_code", "refresh_token"]
APPLICATIONS = {
    "Laravel Passport": {"a1b2c3d4-passport": (CODE, 2)},
    "Laravel Passport, before version 13": {"8": (["password", "refresh_token"], 1)},
    "Keycloak": {"shop-web": (CODE, 1)},
    "Auth0": {"Bx3pQ0vRkT7sYw1uZn5mLc9dFg2hJk4a": (CODE, 1)},
    "Amazon Cognito": {"2example23456789": (CODE, 1)},
    "Django": {"p9Lw2RsY": (CODE, 2)},
}
# Clients that get no token, with their secrets: a disabled one, and one that authenticates by a key.
REJECTED = {"Keycloak": {"old-sync": "wQ4vYt7ZsKc1HmR9nPx3JdLb6GfU0aEo", "signed-sync": "Tz5BqN8rVw2XkD6hMs0YgJ4pLc9FuA1e"}}


def blocks(system):
    """Returns the blocks of a section: language, name of the file, and text."""
    section = re.split(r"\n## ", (ROOT / "docs/migrating.md").read_text().split(f"\n## {system}\n")[1])[0]
    return re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


def create_table(folder, system):
    """Creates the table of Laravel Passport: with clients that move, and two that do not."""
    hashed = "$2y$" + bcrypt.hashpw(SECRET.encode(), bcrypt.gensalt(4)).decode().removeprefix("$2b$")
    database = sqlite3.connect(folder / "laravel.db")
    if system == "Laravel Passport":
        columns = "id, name, secret, grant_types, redirect_uris, revoked"
        rows = [
            ("9f1c2d3e-passport", "Stock sync", hashed, '["client_credentials"]', "[]", 0),
            ("a1b2c3d4-passport", "Shop", None, '["authorization_code","refresh_token","implicit"]',
             '["https://shop.example.com/callback","https:\\/\\/shop.example.com\\/other"]', 0),
            ("b2c3d4e5-passport", "Personal", hashed, '["personal_access"]', "[]", 0),
            ("c3d4e5f6-passport", "Revoked", hashed, '["client_credentials"]', "[]", 1),
        ]
    else:
        columns = "id, name, secret, redirect, personal_access_client, password_client, revoked"
        rows = [
            (7, "Stock sync", hashed, "", 0, 0, 0),
            (8, "Shop", hashed, "https://shop.example.com/callback", 0, 1, 0),
            (9, "Personal", hashed, "http://localhost", 1, 0, 0),
            (10, "Revoked", hashed, "", 0, 0, 1),
        ]
    database.execute(f"create table oauth_clients ({columns})")
    database.executemany(f"insert into oauth_clients values ({', '.join('?' * len(rows[0]))})", rows)
    database.commit()


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_export_of_each_system_is_imported(system, cli_stack, countersign, tmp_path):
    chosen, users, with_password, services = SYSTEMS[system]
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in [("mysql", MYSQL), ("countersign", f'#!/bin/sh\nexec {countersign.program} "$@"\n')]:
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    if system.startswith("Laravel"):
        create_table(tmp_path, system)
    found = blocks(system.split(",")[0])
    for _, name, text in found:
        if name:
            (tmp_path / name).write_text(text)
    commands = [text for language, _, text in found if language == "sh"]
    environment = countersign.environment | {
        "COUNTERSIGN_STACK": countersign.stack, "PATH": f"{programs}:{countersign.environment['PATH']}",
    }
    for number in chosen:
        command = ["bash", "-euo", "pipefail", "-c", commands[number]]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1200)
        assert done.returncode == 0, done.stdout + done.stderr

    rejected = REJECTED.get(system, {})
    for kind, count in [("users", len(users)), ("clients", len(services) + len(APPLICATIONS[system]) + len(rejected))]:
        if count:
            # Users of Laravel have numbers, too.
            report = countersign.json("import", kind, tmp_path / f"{kind}.jsonl", "--allow-shared-ids")
            assert (report["rejected"], report["lines"]) == ([], count)
    for username, user_id in users.items():
        stored = countersign.json("user", "show", username)
        assert stored["user_id"] == user_id
        if username in with_password:
            login = {"grant_type": "password", "username": username, "password": PASSWORD, "scope": SCOPE}
            token = fetch_token(cli_stack.url, APPLICATION, **login)["access_token"]
            assert jwt.decode(token, options={"verify_signature": False})["sub"] == user_id
        else:
            assert stored["claims"]["email"] == username
    for client_id, (secret, scope) in services.items():
        client = credentials(client_id, secret)
        assert fetch_token(cli_stack.url, client, grant_type="client_credentials", scope=scope)["scope"] == scope
    for client_id, secret in rejected.items():
        body = {"client_id": client_id, "client_secret": secret, "grant_type": "client_credentials", "scope": "orders:read"}
        headers = {"content-type": "application/json"}
        response = request("POST", f"{cli_stack.url}/oauth/token", headers, json.dumps(body).encode())
        assert response.status == 401, (client_id, response.body)
    for client_id, (grant_types, uris) in APPLICATIONS[system].items():
        client = countersign.json("client", "show", client_id)
        assert (client["grant_types"], len(client["redirect_uris"])) == (grant_types, uris)
