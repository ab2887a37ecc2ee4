"""The operators' command line on a deployed stack: what it does holds at the API, what it may not do is not done."""

import base64
import csv
import hashlib
import json
import shlex
import subprocess
import threading
import time
from contextlib import contextmanager

import argon2
import bcrypt
import jwt
import pytest
import requests
from botocore import xform_name

from asking import APPLICATION, SCOPE, SERVICE, access_token, token
from conftest import ROOT, change_environment
from http_client import request
from local import fixtures, stack
from local.program import REGION

NAME = "countersign-operators"
# How long the function keeps the keys that it has seen, and how many users come from elsewhere.
MAX_AGE, USERS = 2, 10_000
PASSWORD = "pässwörd-from-elsewhere"
TABLES = ("clients", "users", "grants")


@pytest.fixture(scope="module")
def deployed(cloud, built):
    """A stack of its own, whose function soon sees another key."""
    deployed = stack.deploy(cloud, name=NAME)
    fixtures.seed(deployed, fixtures.DEMO)
    change_environment(deployed, "ApiFunction", KEYS_MAX_AGE=str(MAX_AGE))
    return deployed


@pytest.fixture(scope="module")
def program():
    """The command line, built as `cargo test` does it: with the example, cargo unifies the same features."""
    command = ["cargo", "build", "--quiet", "--locked", "--bin", "countersign", "--example", "verify"]
    command.append("--message-format=json")
    lines = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    messages = [message for message in map(json.loads, lines) if message["reason"] == "compiler-artifact"]
    return next(one["executable"] for one in messages if one["target"]["name"] == "countersign" and one["executable"])


@pytest.fixture(scope="module")
def countersign(deployed, program):
    """Runs the command line, which must end with a certain code."""
    inherited = deployed.cloud.environment()
    # What the shell that this runs in says of another deployment.
    inherited = {name: value for name, value in inherited.items() if not name.startswith("COUNTERSIGN_")}

    def countersign(*arguments, input="", code=0, name=NAME, **environment):
        named = ["--stack", name] if name else []
        done = subprocess.run(
            [program, *named, *map(str, arguments)], input=input, capture_output=True, text=True, timeout=300,
            cwd=ROOT, env=inherited | environment,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return countersign


@pytest.fixture(scope="module")
def url(deployed):
    """Where the API answers on this machine. Its issuer is a name that only AWS has."""
    return deployed.token_url.removesuffix("/oauth/token")


def answer(ran):
    return json.loads(ran.stdout)


def item(deployed, table, **key):
    """A record as it is stored, if it is."""
    key = {name: {"S": value} for name, value in key.items()}
    return deployed.cloud.client("dynamodb").get_item(TableName=deployed.resources[table], Key=key).get("Item")


def credentials(client_id, secret):
    return {"client_id": client_id, "secrets": [{"secret": secret}]}


def service_status(url, client_id, secret):
    """What the API answers to a service that asks for a token."""
    form = f"grant_type=client_credentials&client_id={client_id}&client_secret={secret}"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return request(f"{url}/oauth/token", "POST", "/oauth/token", headers, form.encode()).status


def kid_of(text):
    return jwt.get_unverified_header(text)["kid"]


def create(countersign, client_id, *more):
    """Makes a service, and yields its secret."""
    arguments = ["client", "create", client_id, "--grant-type", "client_credentials", "--scope", "billing:*"]
    made = answer(countersign(*arguments, "--default-scope", "billing:read", *more, "--json"))
    assert made["client_id"] == client_id
    return made["client_secret"]


# Check a deployment


def complaints(ran):
    return [finding for finding in answer(ran)["findings"] if finding["level"] != "ok"]


@pytest.fixture(scope="module")
def mended(deployed, countersign, url):
    """The first look at the new stack, and a stack on which what it found was mended as it says."""
    ran = countersign("--url", url, "doctor", "--json", code=3)
    for finding in complaints(ran):
        follow(deployed, finding["mend"])
    return ran


def follow(deployed, mend):
    """Does what a finding says, which is a command of `aws`: its names and short forms, as botocore has them."""
    aws, service, operation, *words = shlex.split(mend.strip("`"))
    assert aws == "aws"
    client = deployed.cloud.client(service)
    method = operation.replace("-", "_")
    members = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape.members
    names = {f"--{xform_name(name, '-')}": name for name in members}
    parameters = {}
    while words:
        name, shape = names[words[0]], members[names[words.pop(0)]]
        if shape.type_name == "boolean":
            parameters[name] = True
        elif shape.type_name == "structure":
            pairs = dict(pair.split("=") for pair in words.pop(0).split(","))
            parameters[name] = {key: {"true": True}.get(value, value) for key, value in pairs.items()}
        else:
            parameters[name] = words.pop(0)
    getattr(client, method)(**parameters)


def test_a_new_stack_is_well_and_each_finding_says_what_mends_it(deployed, countersign, url, mended):
    """The local cloud's CloudFormation drops these settings of a table; by DynamoDB's own calls it keeps them."""
    names = {table: deployed.resources[f"{table.title()}Table"] for table in TABLES}
    dropped = {(table, "is not encrypted by a key of KMS") for table in TABLES}
    dropped |= {(table, "has no point-in-time recovery") for table in TABLES if table != "grants"}
    dropped.add(("grants", "keeps what is over for ever"))
    expected = {("warning", f"table {table}", f"{names[table]} {what}") for table, what in dropped}
    assert {(one["level"], one["check"], one["finding"]) for one in complaints(mended)} == expected
    well = [one["check"] for one in answer(mended)["findings"] if one["level"] == "ok"]
    assert well == ["stack", "endpoint", "clock", "secret", "rotation", "published keys", "clients", "users"]

    report = answer(countersign("--url", url, "doctor", "--no-users", "--json"))
    assert report["worst"] == "ok" and all(one["mend"] is None for one in report["findings"])
    shown = countersign("--url", url, "doctor", "--no-users").stdout
    assert shown.count("is as it should be") == len(TABLES) and "->" not in shown


@contextmanager
def a_secret_that_is_garbage(deployed):
    secrets, name = deployed.cloud.client("secretsmanager"), deployed.resources["SigningSecret"]
    before = secrets.get_secret_value(SecretId=name)["SecretString"]
    secrets.put_secret_value(SecretId=name, SecretString="garbage, and no key")
    try:
        yield "fault", "secret", "put a good one in its place"
    finally:
        secrets.put_secret_value(SecretId=name, SecretString=before)


@contextmanager
def a_client_without_scopes(deployed):
    scopeless = {name: value for name, value in SERVICE.items() if name not in ("scopes", "default_scopes")}
    scopeless["client_id"] = "scopeless"
    fixtures.seed(deployed, {"clients": [scopeless], "users": []})
    try:
        yield "warning", "clients", "scopeless: no scopes, and so no tokens"
    finally:
        key = {"client_id": {"S": "scopeless"}}
        deployed.cloud.client("dynamodb").delete_item(TableName=deployed.resources["ClientsTable"], Key=key)


@contextmanager
def a_table_without_backups(deployed):
    dynamodb, table = deployed.cloud.client("dynamodb"), deployed.resources["UsersTable"]

    def switch(on):
        settings = {"PointInTimeRecoveryEnabled": on}
        dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=settings)

    switch(False)
    try:
        yield "warning", "table users", f"{table} has no point-in-time recovery"
    finally:
        switch(True)


@contextmanager
def a_table_that_can_be_deleted(deployed):
    dynamodb, table = deployed.cloud.client("dynamodb"), deployed.resources["ClientsTable"]
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    try:
        yield "warning", "table clients", f"{table} is not protected from deletion"
    finally:
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)


@pytest.mark.parametrize("broken", [
    a_secret_that_is_garbage, a_client_without_scopes, a_table_without_backups, a_table_that_can_be_deleted,
])
def test_the_doctor_finds_what_is_broken_and_nothing_else(deployed, countersign, url, mended, broken):
    doctor = ["--url", url, "doctor", "--no-users", "--json"]
    with broken(deployed) as (level, check, words):
        ran = countersign(*doctor, code=1 if level == "fault" else 3)
    [found] = complaints(ran)
    assert (found["level"], found["check"]) == (level, check)
    assert words in f"{found['finding']}; {found['mend']}"
    assert ("1 fault; each says how to fix it" in ran.stderr) == (level == "fault")
    assert complaints(countersign(*doctor)) == []


def test_an_api_that_nobody_answers_for_is_a_fault(countersign, mended):
    ran = countersign("--url", "http://127.0.0.1:1", "doctor", "--no-users", "--json", code=1)
    assert [one["check"] for one in complaints(ran)] == ["endpoint", "published keys"]
    for fault in complaints(ran):
        assert fault["level"] == "fault"
        assert "http://127.0.0.1:1/.well-known/" in fault["finding"] and "does not answer" in fault["finding"]


# Clients and their secrets


def test_a_new_client_gets_a_token_that_the_published_keys_verify(deployed, countersign, url):
    made = countersign(
        "client", "create", "billing-cron", "--name", "Billing cron job", "--grant-type", "client_credentials",
        "--scope", "billing:*", "--default-scope", "billing:read", "--access-token-ttl", "30m",
    )
    assert f"changing the stack {NAME} in account 000000000000, {REGION}" in made.stderr
    printed = dict(line.split() for line in made.stdout.splitlines())
    assert printed["client_secret"] not in made.stderr, "only once, and not where logs go"

    given = token(url, credentials(printed["client_id"], printed["client_secret"]), grant_type="client_credentials")
    key = jwt.PyJWKClient(f"{url}/.well-known/jwks.json").get_signing_key_from_jwt(given["access_token"])
    issuer = deployed.outputs["Issuer"]
    required = {"require": ["iss", "aud", "sub", "exp", "iat"]}
    verified = jwt.decode(
        given["access_token"], key, algorithms=["RS256"], issuer=issuer, audience=issuer, options=required,
    )
    assert (verified["sub"], verified["scope"]) == ("billing-cron", "billing:read")
    assert verified["exp"] - verified["iat"] == given["expires_in"] == 1800


class Stream:
    """Tokens that are asked for all the time, with a secret that can be changed meanwhile."""

    def __init__(self, url, client_id, secret):
        self.url, self.client_id, self.secret = url, client_id, secret
        self.got, self.faults, self.done = [], [], threading.Event()
        self.thread = threading.Thread(target=self.flow)

    def flow(self):
        try:
            while not self.done.is_set():
                secret = self.secret
                token(self.url, credentials(self.client_id, secret), grant_type="client_credentials")
                self.got.append(secret)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the test fails by it
            self.faults.append(fault)

    def flows_on(self):
        """Waits for some more tokens by the secret of now."""
        wanted, deadline = self.got.count(self.secret) + 5, time.monotonic() + 60
        while self.got.count(self.secret) < wanted:
            assert time.monotonic() < deadline and not self.faults, self.faults
            time.sleep(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def test_nobody_notices_that_a_secret_is_rotated(countersign, url, capsys):
    first = create(countersign, "nightly")
    with Stream(url, "nightly", first) as stream:
        stream.flows_on()
        rotated = countersign("client", "rotate-secret", "nightly", "--json")
        assert "dies at 20" in rotated.stderr
        stream.flows_on()
        stream.secret = second = answer(rotated)["client_secret"]
        stream.flows_on()
        old, new = answer(countersign("client", "show", "nightly", "--json"))["secrets"]
        assert old["live"] and new["live"] and new["expires_at"] is None
        countersign("client", "retire-secret", "nightly", old["id"])
        stream.flows_on()
    assert not stream.faults, stream.faults
    assert first != second and set(stream.got) == {first, second}
    assert (service_status(url, "nightly", first), service_status(url, "nightly", second)) == (401, 200)
    with capsys.disabled():
        print(f"\n{len(stream.got)} tokens through the rotation of a secret, and not one refusal")


def test_a_client_is_as_its_file_says_and_then_there_is_nothing_to_do(deployed, countersign, url, tmp_path):
    file = tmp_path / "clients.toml"
    file.write_text(
        '[clients.reports]\nname = "Reports"\ngrant_types = ["client_credentials"]\n'
        'scopes = ["reports:*"]\ndefault_scopes = ["reports:read"]\naccess_token_ttl = 600\n'
        '[clients.reports.system]\nid = 7\n'
    )
    [step] = answer(countersign("plan", file, "--json", code=3))
    assert (step["client_id"], step["step"]) == ("reports", "create")
    assert item(deployed, "ClientsTable", client_id="reports") is None, "a plan writes nothing"
    countersign("apply", file, code=1)
    assert item(deployed, "ClientsTable", client_id="reports") is None, "nobody said yes"
    [applied] = answer(countersign("apply", file, "--yes", "--json"))
    assert "demo-service" in countersign("plan", file).stderr, "others are left as they are"

    reports = credentials("reports", applied["client_secret"])
    given = token(url, reports, accept="version=1", grant_type="client_credentials")
    claims = jwt.decode(given["access_token"], options={"verify_signature": False})
    assert (claims["system"], given["expires_in"]) == ({"id": 7}, 600)

    file.write_text(file.read_text().replace("access_token_ttl = 600\n", ""))
    assert "access_token_ttl: 600 -> none" in countersign("plan", file, code=3).stdout
    assert "1 done" in countersign("apply", file, "--yes").stderr
    assert countersign("plan", file).stdout == "The clients are as the file says.\n"
    assert service_status(url, "reports", applied["client_secret"]) == 200, "secrets are not of the file"


# Tokens


def test_a_token_that_was_fetched_is_good_and_a_changed_one_is_not(deployed, countersign, url):
    secret, nowhere = SERVICE["secrets"][0]["secret"], "http://127.0.0.1:1"
    for structure in ("1", "2"):
        # Neither needs a stack, or AWS at all.
        got = countersign(
            "--url", url, "token", "get", "--client-id", SERVICE["client_id"], "--structure", structure,
            input=f"{secret}\n", name=None, AWS_ENDPOINT_URL=nowhere,
        )
        assert (got.stdout.count("\n"), got.stderr) == (1, ""), "so that a shell can take it"
        inspect = ["--url", url, "token", "inspect"]
        shown = countersign(*inspect, input=got.stdout, name=None, AWS_ENDPOINT_URL=nowhere)
        assert "The token is good." in shown.stdout and deployed.outputs["Issuer"] in shown.stdout
        head, claims, signature = got.stdout.strip().split(".")
        forged = f"{head}.{claims}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
        assert "Its signature is wrong" in countersign(*inspect, input=forged, code=3).stdout
    arguments = ["--url", url, "token", "get", "--client-id", SERVICE["client_id"]]
    refused = countersign(*arguments, input="cs_never-to-be-shown", code=1)
    assert "invalid_client" in refused.stderr and "never-to-be-shown" not in refused.stderr + refused.stdout


# Rights


def user_with(deployed, name, *actions):
    """The credentials of a new IAM user who may do this and nothing else."""
    iam = deployed.cloud.client("iam")
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def test_whoever_may_only_read_is_told_which_right_is_missing_and_nothing_is_written(deployed, countersign, url):
    reader = user_with(deployed, "reader", "cloudformation:DescribeStacks", "dynamodb:GetItem", "dynamodb:Scan")
    assert "demo-service" in countersign("client", "list", **reader).stdout
    before = item(deployed, "ClientsTable", client_id="demo-service")
    # Here the local cloud names no resource; AWS does.
    for action, *arguments in [
        ("dynamodb:PutItem", "client", "create", "forbidden", "--scope", "billing:*"),
        ("dynamodb:PutItem", "user", "create", "forbidden@example.com", "--no-password"),
        ("dynamodb:UpdateItem", "client", "rotate-secret", "demo-service"),
        ("dynamodb:DeleteItem", "client", "delete", "demo-service", "--yes"),
        ("secretsmanager:GetSecretValue", "key", "list"),
    ]:
        refused = countersign(*arguments, code=1, **reader)
        assert f"permission denied: your role lacks {action}" in refused.stderr
        assert refused.stdout == "", "no secret of a client that there is not"
    assert item(deployed, "ClientsTable", client_id="forbidden") is None
    assert item(deployed, "UsersTable", username="forbidden@example.com") is None
    assert item(deployed, "ClientsTable", client_id="demo-service") == before
    stranger = user_with(deployed, "stranger", "dynamodb:*")
    refused = countersign("client", "list", code=1, **stranger)
    assert "your role lacks cloudformation:DescribeStacks" in refused.stderr


def test_a_profile_that_is_named_counts_whatever_the_environment_has(deployed, countersign, tmp_path):
    """As with the AWS command line: the other one may be of another account."""
    # A new client's id must not be a user's: hence Scan.
    reader = user_with(deployed, "profiled", "cloudformation:DescribeStacks", "dynamodb:Scan")
    profiles = tmp_path / "credentials"
    profiles.write_text("[careful]\n" + "".join(f"{name.lower()} = {value}\n" for name, value in reader.items()))
    file = {"AWS_SHARED_CREDENTIALS_FILE": str(profiles)}
    refused = countersign("--profile", "careful", "client", "create", "unprofiled", code=1, **file)
    assert "your role lacks dynamodb:PutItem" in refused.stderr
    assert item(deployed, "ClientsTable", client_id="unprofiled") is None
    countersign("--profile", "careless", "client", "list", code=1, **file)


def test_secrets_that_were_made_before_a_failure_are_told_in_json_too(deployed, countersign, tmp_path):
    may = ["cloudformation:DescribeStacks", "dynamodb:GetItem", "dynamodb:Scan", "dynamodb:PutItem"]
    writer = user_with(deployed, "writer", *may)
    file = tmp_path / "clients.toml"
    file.write_text('[clients.a-new-one]\nscopes = ["a"]\n[clients.demo-service]\nname = "Another name"\n')
    half = countersign("apply", file, "--yes", "--json", code=1, **writer)
    assert "1 of 2 are done" in half.stderr
    [made] = answer(half)
    assert made["client_id"] == "a-new-one" and made["client_secret"].startswith("cs_")


NOBODY = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "nothing"}


@pytest.mark.parametrize(("code", "arguments", "options", "said"), [
    (1, "client list", {"name": "countersing"}, f"there is no stack countersing in {REGION}"),
    (1, "--region us-east-1 client list", {}, f"there is no stack {NAME} in us-east-1"),
    (1, "client list", {"name": None}, "no deployment is named"),
    (1, "client list", NOBODY, "InvalidClientTokenId"),
    (1, "client create demo-app", {}, "the id demo-app is taken"),
    (1, "client show nobody", {}, "there is no client nobody"),
    (1, "client delete demo-app", {}, "say --yes"),
    (1, "user set-password nobody@example.com", {"input": "a-good-password"}, "there is no user nobody@example.com"),
    (1, "key rotate --emergency=nothing --yes", {}, "there is no key nothing"),
    (1, "import users nowhere.jsonl", {}, "nowhere.jsonl cannot be read"),
    (1, "plan nowhere.toml", {}, "nowhere.toml cannot be read"),
    (2, "client create colon:ed", {}, "A-Z"),
    (2, "client explode", {}, "unrecognized subcommand"),
    (2, "", {}, "Usage"),
])
def test_what_cannot_be_is_refused_in_one_line_that_says_why(countersign, code, arguments, options, said):
    refused = countersign(*arguments.split(), code=code, **options)
    assert said in refused.stderr and refused.stdout == ""
    lines = [line for line in refused.stderr.splitlines() if "changing the stack" not in line]
    assert len(lines) == 1 or code == 2, refused.stderr


# Keys


def test_a_key_that_is_too_young_is_not_rotated_and_an_emergency_drops_one_at_once(countersign, url):
    before = kid_of(access_token(url))
    listed = {key["stage"]: key["kid"] for key in answer(countersign("key", "list", "--json"))}
    assert listed.keys() == {"current", "next"} and listed["current"] == before
    shown = countersign("key", "list").stdout
    assert "retires on 20" in shown and "may sign from 20" in shown and "PRIVATE" not in shown
    assert "has not been public for long enough" in countersign("key", "rotate", code=3).stdout
    assert "say --yes" in countersign("key", "rotate", "--emergency", code=1).stderr
    assert kid_of(access_token(url)) == before

    report = answer(countersign("key", "rotate", "--emergency", "--yes", "--json"))
    assert report["changed"] and report["current"] == listed["next"] and before not in report["previous"]
    # Longer than MAX_AGE if a reading failed lately, as that of a garbage secret: the next one is 15 seconds later.
    deadline = time.monotonic() + 60
    while kid_of(access_token(url)) == before:
        assert time.monotonic() < deadline, "the function does not notice"
        time.sleep(0.2)
    assert kid_of(access_token(url)) == report["current"]
    published = requests.get(f"{url}/.well-known/jwks.json", timeout=30).json()["keys"]
    assert {key["kid"] for key in published} == {report["current"], report["next"]}
    assert countersign("key", "list").stdout.count("RS256") == 2


# Users and clients from elsewhere


def hashes():
    """One password by four schemes, as other systems write them, each with the name that it is counted under."""

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
        "pbkdf2-sha256": f"pbkdf2_sha256$600000$bYq3nXtR8wLk2m$" + pbkdf2("sha256", b"bYq3nXtR8wLk2m", 600_000),
        "pbkdf2-sha512": f"$pbkdf2-sha512$25000${passlib(base64.b64encode(salt).decode())}$"
        + passlib(pbkdf2("sha512", salt, 25_000)),
    }


def counts(schemes, **what):
    return {scheme: {"new": 0, "replaced": 0, "was_there": 0} | what for scheme in schemes}


def test_ten_thousand_users_come_over_and_log_in_with_the_password_that_they_had(
    deployed, countersign, url, tmp_path, capsys,
):
    schemes = hashes()
    lines = [
        {"username": f"{scheme}-{number}@example.com", "user_id": f"{scheme}/{number}", "password_hash": hashed,
         "scopes": ["legacy:*"], "dealer": {"id": number}}
        for number in range(USERS // len(schemes)) for scheme, hashed in schemes.items()
    ]
    file = tmp_path / "users.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    others = answer(countersign("import", "status", "--json"))
    assert others["waiting"] == 0

    began = time.monotonic()
    done = countersign("import", "users", file, "--json")
    took = time.monotonic() - began
    assert answer(done)["schemes"] == counts(schemes, new=USERS // len(schemes)) and answer(done)["bad"] == []
    with capsys.disabled():
        print(f"\nthe import: {USERS:,} users in {took:.1f} s, {USERS / took:,.0f} a second")
    status = answer(countersign("import", "status", "--json"))
    assert (status["users"], status["waiting"]) == (others["users"] + USERS, USERS)
    assert status["waiting_by_scheme"] == dict.fromkeys(schemes, USERS // len(schemes))

    for scheme in schemes:
        username, login = f"{scheme}-7@example.com", {"grant_type": "password", "scope": SCOPE}
        given = token(url, APPLICATION, username=username, password=PASSWORD, **login)
        assert jwt.decode(given["access_token"], options={"verify_signature": False})["sub"] == f"{scheme}/7"
        stored = item(deployed, "UsersTable", username=username)["password_hash"]["S"]
        assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$"), scheme
        token(url, APPLICATION, username=username, password=PASSWORD, **login)
    left = f"{USERS - len(schemes)} of {others['users'] + USERS} users wait for their first login"
    assert left in countersign("import", "status").stdout

    again = answer(countersign("import", "users", file, "--json"))
    assert again["schemes"] == counts(schemes, was_there=USERS // len(schemes))
    assert left in countersign("import", "status").stdout, "whoever logged in keeps the new hash"


def test_clients_come_over_by_a_csv_with_the_secrets_that_they_had(deployed, countersign, url, tmp_path):
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
        writer.writerow(["passport-gone", plain, "", *common, "false"])
        writer.writerow(["passport-odd", plain, hashed, *common, ""])
    done = countersign("import", "clients", file, "--json", code=3)
    report = answer(done)
    assert report["schemes"] == counts(["argon2id"], new=2) | counts(["bcrypt"], new=1)
    assert [one["reason"] for one in report["bad"]] == ["it has both a secret and a secret_hash"]
    assert plain not in done.stdout + done.stderr and hashed not in done.stdout + done.stderr
    statuses = [service_status(url, client_id, secret) for client_id, secret in [
        ("passport-web", plain), ("passport-cron", old), ("passport-gone", plain), ("passport-odd", plain),
    ]]
    assert statuses == [200, 200, 401, 401]
    shown = answer(countersign("client", "show", "passport-web", "--json"))
    assert (shown["scopes"], shown["system"]) == (["legacy:autonomy.*", "legacy:reports"], {"id": "a, b"})
    assert item(deployed, "ClientsTable", client_id="passport-odd") is None


@pytest.mark.parametrize(("text", "number"), [
    ("username,enabled\nanna@example.com,true\nber ta,true\n", 3),
    # As Excel ends lines, and Python's csv.
    ("username,enabled\r\nanna@example.com,true\r\nber ta,true\r\n", 3),
    ("username,enabled\nanna@example.com,true\n\n\nber ta,true\n", 5),
], ids=["plain", "crlf", "blank lines"])
def test_a_bad_line_of_a_csv_is_named_by_the_number_that_an_editor_shows(countersign, tmp_path, text, number):
    file = tmp_path / "users.csv"
    file.write_bytes(text.encode())
    report = answer(countersign("import", "users", file, "--dry-run", "--json", code=3))
    assert [one["line"] for one in report["bad"]] == [number]


def test_a_user_of_no_scope_at_all_does_not_come_over_as_one_of_every_scope(deployed, countersign, url, tmp_path):
    """A table has no empty sets, and no set means whatever the client may."""
    file = tmp_path / "users.jsonl"
    hashed = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    file.write_text(json.dumps({"username": "nothing@example.com", "password_hash": hashed, "scopes": []}))
    [bad] = answer(countersign("import", "users", file, "--json", code=3))["bad"]
    assert "the scopes are empty" in bad["reason"]
    assert item(deployed, "UsersTable", username="nothing@example.com") is None


def test_a_line_that_no_table_takes_is_a_bad_one_and_the_others_go_in(deployed, countersign, tmp_path):
    """What stops the import would stop the same command again, for ever."""
    file = tmp_path / "users.jsonl"
    lines = [{"username": f"line-{number}@example.com", "dealer": {"id": number}} for number in range(100)]
    lines[0]["dealer"]["id"] = 1e200
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    report = answer(countersign("import", "users", file, "--json", code=3))
    assert [one["line"] for one in report["bad"]] == [1]
    assert item(deployed, "UsersTable", username="line-99@example.com")
