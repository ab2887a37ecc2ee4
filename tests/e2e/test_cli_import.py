"""`countersign import`: imported users and clients log in with their existing passwords and secrets."""

import base64
import csv
import hashlib
import json
import time

import argon2
import bcrypt
import jwt
import pytest

from cli import stored_item, token_status
from token_endpoint import APPLICATION, SCOPE, fetch_token

USERS = 10_000
PASSWORD = "pässwörd-of-an-imported-user"


def password_hashes():
    """Returns hashes of one password by the name of the scheme, in the formats of other systems."""

    def pbkdf2(digest, salt, rounds):
        return base64.b64encode(hashlib.pbkdf2_hmac(digest, PASSWORD.encode(), salt, rounds)).decode()

    def passlib(text):
        return text.rstrip("=").replace("+", ".")

    salt = b"sixteen bytes >>"
    return {
        "argon2id": argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD),
        # Laravel.
        "bcrypt": "$2y$" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode().removeprefix("$2b$"),
        # Django, and passlib.
        "pbkdf2-sha256": "pbkdf2_sha256$600000$bYq3nXtR8wLk2m$" + pbkdf2("sha256", b"bYq3nXtR8wLk2m", 600_000),
        "pbkdf2-sha512": f"$pbkdf2-sha512$25000${passlib(base64.b64encode(salt).decode())}$"
        + passlib(pbkdf2("sha512", salt, 25_000)),
    }


def counts(schemes, **nonzero):
    """Returns the part of an import's report with these counts for each scheme."""
    return {scheme: {"new": 0, "replaced": 0, "existing": 0} | nonzero for scheme in schemes}


def write_lines(file, records):
    file.write_text("".join(f"{json.dumps(record)}\n" for record in records))


def log_in(deployed, username):
    return fetch_token(
        deployed.url, APPLICATION, grant_type="password", scope=SCOPE, username=username, password=PASSWORD,
    )


def test_ten_thousand_imported_users_log_in_with_their_existing_password(cli_stack, countersign, tmp_path, capsys):
    hashes = password_hashes()
    each = USERS // len(hashes)
    file = tmp_path / "users.jsonl"
    write_lines(file, [
        {"username": f"{scheme}-{number}@example.com", "user_id": f"{scheme}/{number}", "password_hash": hashed,
         "scopes": ["legacy:*"], "dealer": {"id": number}}
        for number in range(each) for scheme, hashed in hashes.items()
    ])
    before = countersign.json("import", "status")
    assert before["waiting"] == 0

    began = time.monotonic()
    report = countersign.json("import", "users", file)
    took = time.monotonic() - began
    assert report["schemes"] == counts(hashes, new=each) and report["rejected"] == []
    with capsys.disabled():
        print(f"\nthe import: {USERS:,} users in {took:.1f} s, {USERS / took:,.0f} a second")
    status = countersign.json("import", "status")
    assert (status["users"], status["waiting"]) == (before["users"] + USERS, USERS)
    assert status["waiting_by_scheme"] == dict.fromkeys(hashes, each)

    for scheme in hashes:
        username = f"{scheme}-7@example.com"
        # On a busy machine an upgrade can exceed its time limit. The next login repeats it.
        for _ in range(10):
            response = log_in(cli_stack, username)
            assert jwt.decode(response["access_token"], options={"verify_signature": False})["sub"] == f"{scheme}/7"
            stored = stored_item(cli_stack, "UsersTable", username=username)["password_hash"]["S"]
            if stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$"):
                break
        assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$"), scheme
        log_in(cli_stack, username)
    left = f"{USERS - len(hashes)} of {before['users'] + USERS} users have a hash that their next login replaces"
    assert left in countersign("import", "status").stdout

    repeated = countersign.json("import", "users", file)
    assert repeated["schemes"] == counts(hashes, existing=each)
    assert left in countersign("import", "status").stdout, "a repeated import keeps the replaced hashes"


def test_clients_imported_from_csv_keep_their_secrets(cli_stack, countersign, tmp_path):
    plain, old = "n7Wq2LxZ0aTfB4kRmV9cYpE6hJ1sUdG8oXiK3tQy", "an-older-secret"
    hashed = bcrypt.hashpw(old.encode(), bcrypt.gensalt(4)).decode()
    file = tmp_path / "clients.csv"
    with file.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["client_id", "secret", "secret_hash", "grant_types", "scopes", "default_scopes", "system",
                         "enabled"])
        common = ["client_credentials", "legacy:autonomy.* legacy:reports", "legacy:autonomy.read", '{"id": "a, b"}']
        writer.writerow(["passport-web", plain, "", *common, ""])
        writer.writerow(["passport-cron", "", hashed, *common, "TRUE"])
        writer.writerow(["passport-disabled", plain, "", *common, "false"])
        writer.writerow(["passport-invalid", plain, hashed, *common, ""])
    done = countersign("import", "clients", file, "--json", code=3)
    report = json.loads(done.stdout)
    assert report["schemes"] == counts(["argon2id"], new=2) | counts(["bcrypt"], new=1)
    assert [line["reason"] for line in report["rejected"]] == ["the line has both a secret and a secret_hash; remove one"]
    assert plain not in done.stdout + done.stderr and hashed not in done.stdout + done.stderr
    statuses = [token_status(cli_stack, client_id, secret) for client_id, secret in [
        ("passport-web", plain), ("passport-cron", old), ("passport-disabled", plain), ("passport-invalid", plain),
    ]]
    assert statuses == [200, 200, 401, 401]
    client = countersign.json("client", "show", "passport-web")
    assert (client["scopes"], client["system"]) == (["legacy:autonomy.*", "legacy:reports"], {"id": "a, b"})
    assert stored_item(cli_stack, "ClientsTable", client_id="passport-invalid") is None


@pytest.mark.parametrize(("text", "number"), [
    ("username,enabled\nanna@example.com,true\nber ta,true\n", 3),
    # The line ends of Excel and of Python's csv module.
    ("username,enabled\r\nanna@example.com,true\r\nber ta,true\r\n", 3),
    ("username,enabled\nanna@example.com,true\n\n\nber ta,true\n", 5),
], ids=["plain", "crlf", "blank lines"])
def test_an_invalid_csv_line_is_reported_with_its_line_number(countersign, tmp_path, text, number):
    file = tmp_path / "users.csv"
    file.write_bytes(text.encode())
    report = countersign.json("import", "users", file, "--dry-run", code=3)
    assert [line["line"] for line in report["rejected"]] == [number]


def test_a_user_with_empty_scopes_is_not_imported(cli_stack, countersign, tmp_path):
    """DynamoDB has no empty sets, and a missing set would allow every scope of the client."""
    file = tmp_path / "users.jsonl"
    hashed = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    write_lines(file, [{"username": "scopeless@example.com", "password_hash": hashed, "scopes": []}])
    [rejected] = countersign.json("import", "users", file, code=3)["rejected"]
    assert "the scopes are empty" in rejected["reason"]
    assert stored_item(cli_stack, "UsersTable", username="scopeless@example.com") is None


def test_a_line_that_dynamodb_rejects_is_reported_and_the_others_are_imported(cli_stack, countersign, tmp_path):
    """Stopping would stop each repetition of the import at the same line."""
    file = tmp_path / "users.jsonl"
    lines = [{"username": f"line-{number}@example.com", "dealer": {"id": number}} for number in range(100)]
    lines[0]["dealer"]["id"] = 1e200
    write_lines(file, lines)
    report = countersign.json("import", "users", file, code=3)
    assert [line["line"] for line in report["rejected"]] == [1]
    assert stored_item(cli_stack, "UsersTable", username="line-99@example.com")
