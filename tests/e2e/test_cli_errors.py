"""Errors of the CLI: missing permissions, missing resources, wrong arguments."""

import json
import re

import pytest

from cli import NAME, stored_item
from conftest import ROOT
from local_cloud.program import REGION


def create_iam_user(deployed, name, *actions):
    """Creates an IAM user with exactly these permissions, and returns its credentials as environment variables."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return create_iam_user_with(deployed, name, {"Version": "2012-10-17", "Statement": [statement]})


def create_iam_user_with(deployed, name, policy):
    iam = deployed.cloud.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def test_an_error_names_the_missing_permission_and_nothing_is_written(cli_stack, countersign):
    reader = create_iam_user(
        cli_stack, "reader", "cloudformation:DescribeStacks", "dynamodb:GetItem", "dynamodb:Scan",
    )
    assert "demo-service" in countersign("client", "list", environment=reader).stdout
    before = stored_item(cli_stack, "ClientsTable", client_id="demo-service")
    # The error of the local cloud does not name the resource. The error of AWS does.
    for action, *arguments in [
        ("dynamodb:PutItem", "client", "create", "forbidden", "--scope", "billing:*"),
        ("dynamodb:PutItem", "user", "create", "forbidden@example.com", "--no-password"),
        ("dynamodb:UpdateItem", "client", "rotate-secret", "demo-service"),
        ("dynamodb:DeleteItem", "client", "delete", "demo-service", "--yes"),
        ("dynamodb:DeleteItem", "user", "unlock", "john.smith@itccompliance.co.uk"),
        ("secretsmanager:GetSecretValue", "key", "list"),
    ]:
        denied = countersign(*arguments, code=1, environment=reader)
        assert f"permission denied: your role lacks {action}; add it to the role's policy" in denied.stderr
        assert denied.stdout == "", "no secret of a client that was not created"
    assert stored_item(cli_stack, "ClientsTable", client_id="forbidden") is None
    assert stored_item(cli_stack, "UsersTable", username="forbidden@example.com") is None
    assert stored_item(cli_stack, "ClientsTable", client_id="demo-service") == before
    stranger = create_iam_user(cli_stack, "stranger", "dynamodb:*")
    denied = countersign("client", "list", code=1, environment=stranger)
    assert "your role lacks cloudformation:DescribeStacks" in denied.stderr


def test_the_policy_of_the_page_is_for_clients_only(cli_stack, countersign):
    [policy] = re.findall(r"```json\n(.*?)```", (ROOT / "docs/cli.md").read_text(), re.DOTALL)
    for placeholder, value in [("111122223333", "000000000000"), ("/countersign", f"/{NAME}")]:
        policy = policy.replace(placeholder, value)
    manager = create_iam_user_with(cli_stack, "manager", json.loads(policy))
    for arguments in [
        ("client", "create", "managed", "--grant-type", "client_credentials", "--scope", "a"),
        ("client", "rotate-secret", "managed"),
        ("client", "list"),
        ("client", "delete", "managed", "--yes"),
    ]:
        countersign(*arguments, environment=manager)
    for arguments in [("user", "create", "managed@example.com", "--no-password"), ("key", "list")]:
        assert "your role lacks" in countersign(*arguments, code=1, environment=manager).stderr


def test_a_profile_option_takes_precedence_over_credentials_in_the_environment(cli_stack, countersign, tmp_path):
    """The AWS CLI has the same precedence. The credentials in the environment may belong to another account."""
    # `client create` scans the users, because a client id must not be a username.
    reader = create_iam_user(cli_stack, "profiled", "cloudformation:DescribeStacks", "dynamodb:Scan")
    profiles = tmp_path / "credentials"
    profiles.write_text("[reader]\n" + "".join(f"{name.lower()} = {value}\n" for name, value in reader.items()))
    environment = {"AWS_SHARED_CREDENTIALS_FILE": str(profiles)}
    denied = countersign("--profile", "reader", "client", "create", "unprofiled", code=1, environment=environment)
    assert "your role lacks dynamodb:PutItem" in denied.stderr
    assert stored_item(cli_stack, "ClientsTable", client_id="unprofiled") is None
    countersign("--profile", "unknown", "client", "list", code=1, environment=environment)


def test_apply_prints_the_secrets_that_it_created_before_an_error(cli_stack, countersign, tmp_path):
    actions = ["cloudformation:DescribeStacks", "dynamodb:GetItem", "dynamodb:Scan", "dynamodb:PutItem"]
    writer = create_iam_user(cli_stack, "writer", *actions)
    file = tmp_path / "clients.toml"
    file.write_text('[clients.a-new-one]\nscopes = ["a"]\n[clients.demo-service]\nname = "Another name"\n')
    partial = countersign("apply", file, "--yes", "--json", code=1, environment=writer)
    assert "1 of 2 changes applied" in partial.stderr
    [created] = json.loads(partial.stdout)
    assert created["client_id"] == "a-new-one" and created["client_secret"].startswith("cs_")


INVALID_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "invalid"}


@pytest.mark.parametrize(("stack", "arguments", "options", "message"), [
    ("countersing", "client list", {}, f"stack countersing not found in {REGION}"),
    (NAME, "--region us-east-1 client list", {}, f"stack {NAME} not found in us-east-1"),
    (None, "client list", {}, "no deployment is named"),
    (NAME, "client list", {"environment": INVALID_CREDENTIALS}, "InvalidClientTokenId"),
    (NAME, "client create demo-app", {}, "client demo-app already exists"),
    (NAME, "client show unknown", {}, "client unknown not found"),
    (NAME, "client delete demo-app", {}, "confirm with --yes"),
    (NAME, "user set-password unknown@example.com", {"input": "plum-kettle-orbit-fern"}, "user unknown@example.com not found"),
    (NAME, "key rotate --emergency=unknown --yes", {}, "key unknown not found"),
    (NAME, "import users missing.jsonl", {}, "cannot read missing.jsonl"),
    (NAME, "plan missing.toml", {}, "cannot read missing.toml"),
])
def test_an_error_is_one_line_with_the_reason(countersign, stack, arguments, options, message):
    failed = countersign.on_stack(stack)(*arguments.split(), code=1, **options)
    [line] = [line for line in failed.stderr.splitlines() if "changing the stack" not in line]
    assert message in line and failed.stdout == ""


@pytest.mark.parametrize(("arguments", "message"), [
    ("client create colon:ed", "A-Z"),
    ("client explode", "unrecognized subcommand"),
    ("", "Usage"),
])
def test_wrong_arguments_exit_with_code_2(countersign, arguments, message):
    failed = countersign(*arguments.split(), code=2)
    assert message in failed.stderr and failed.stdout == ""
