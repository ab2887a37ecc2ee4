"""`countersign doctor` on a new stack, and on a stack with one defect."""

import json
import shlex
from contextlib import contextmanager

import pytest
from botocore import xform_name
from botocore.model import StructureShape

from cli import CommandLine
from conftest import deploy_cli_stack
from local_cloud import fixtures
from token_endpoint import SERVICE

TABLES = ("clients", "users", "grants")


@pytest.fixture(scope="module")
def cli_stack(cloud, build_folder):
    """A new stack, because these tests expect one without other findings."""
    deployed = deploy_cli_stack(cloud, "countersign-doctor")
    # This stack has neither a domain for cookies nor login pages for codes, which doctor reports.
    for client in fixtures.DEMO["clients"]:
        if client.get("refresh_token_cookie") or "authorization_code" in client["grant_types"]:
            key = {"client_id": {"S": client["client_id"]}}
            deployed.cloud.client("dynamodb").delete_item(TableName=deployed.resources["ClientsTable"], Key=key)
    return deployed


@pytest.fixture(scope="module")
def countersign(cli_stack, countersign):
    """The CLI with one endpoint for each service, as on AWS. One endpoint for all services is that of an emulator for it."""
    environment = dict(countersign.environment)
    endpoint = environment.pop("AWS_ENDPOINT_URL")
    services = ("CLOUDFORMATION", "DYNAMODB", "SECRETS_MANAGER", "STS")
    environment |= {f"AWS_ENDPOINT_URL_{service}": endpoint for service in services}
    return CommandLine(countersign.program, environment, cli_stack.name)


def problems(report):
    return [finding for finding in report["findings"] if finding["level"] != "ok"]


@pytest.fixture(scope="module")
def first_report(cli_stack, countersign):
    """The report on the new stack, on which the commands of all findings have been run afterwards."""
    report = countersign.json("--url", cli_stack.url, "doctor", code=3)
    for finding in problems(report):
        run_aws_command(cli_stack, finding["fix"])
    return report


def run_aws_command(deployed, command):
    """Makes the call of an `aws` command, whose names and shorthand syntax botocore describes."""
    program, service, operation, *words = shlex.split(command.strip("`"))
    assert program == "aws"
    client = deployed.cloud.client(service)
    method = operation.replace("-", "_")
    members = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape.members
    names = {f"--{xform_name(name, '-')}": name for name in members}
    parameters = {}
    while words:
        name, shape = names[words[0]], members[names[words.pop(0)]]
        if shape.type_name == "boolean":
            parameters[name] = True
        elif isinstance(shape, StructureShape):
            pairs = dict(pair.split("=") for pair in words.pop(0).split(","))
            parameters[name] = {key: {"true": True}.get(value, value) for key, value in pairs.items()}
        else:
            parameters[name] = words.pop(0)
    getattr(client, method)(**parameters)


def test_a_new_stack_is_healthy_after_the_suggested_commands(cli_stack, countersign, first_report):
    """The local CloudFormation drops these settings of the tables. The local DynamoDB applies them."""
    names = {table: cli_stack.resources[f"{table.title()}Table"] for table in TABLES}
    dropped = {(table, "is not encrypted with a KMS key") for table in TABLES}
    dropped |= {(table, "has no point-in-time recovery") for table in TABLES if table != "grants"}
    dropped.add(("grants", "does not delete expired items"))
    expected = {("warning", f"table {table}", f"{names[table]} {problem}") for table, problem in dropped}
    found = problems(first_report)
    assert {(finding["level"], finding["check"], finding["finding"]) for finding in found} == expected
    healthy = [finding["check"] for finding in first_report["findings"] if finding["level"] == "ok"]
    assert healthy == ["stack", "endpoint", "clock", "secret", "rotation", "published keys", "clients", "users"]

    report = countersign.json("--url", cli_stack.url, "doctor", "--no-users")
    assert report["worst"] == "ok" and all(finding["fix"] is None for finding in report["findings"])
    text = countersign("--url", cli_stack.url, "doctor", "--no-users").stdout
    assert text.count("has the expected settings") == len(TABLES) and "->" not in text


@contextmanager
def invalid_secret(deployed):
    secrets, name = deployed.cloud.client("secretsmanager"), deployed.resources["SigningSecret"]
    before = secrets.get_secret_value(SecretId=name)["SecretString"]
    secrets.put_secret_value(SecretId=name, SecretString="not a key")
    try:
        yield "error", "secret", "replace it with a valid one"
    finally:
        secrets.put_secret_value(SecretId=name, SecretString=before)


@contextmanager
def client_without_scopes(deployed):
    scopeless = {name: value for name, value in SERVICE.items() if name not in ("scopes", "default_scopes")}
    scopeless["client_id"] = "scopeless"
    fixtures.seed(deployed, {"clients": [scopeless], "users": []})
    try:
        yield "warning", "clients", "scopeless: no scopes, so no tokens"
    finally:
        key = {"client_id": {"S": "scopeless"}}
        deployed.cloud.client("dynamodb").delete_item(TableName=deployed.resources["ClientsTable"], Key=key)


@contextmanager
def table_without_backups(deployed):
    dynamodb, table = deployed.cloud.client("dynamodb"), deployed.resources["UsersTable"]

    def set_recovery(enabled):
        settings = {"PointInTimeRecoveryEnabled": enabled}
        dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=settings)

    set_recovery(False)
    try:
        yield "warning", "table users", f"{table} has no point-in-time recovery"
    finally:
        set_recovery(True)


@contextmanager
def table_without_deletion_protection(deployed):
    dynamodb, table = deployed.cloud.client("dynamodb"), deployed.resources["ClientsTable"]
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    try:
        yield "warning", "table clients", f"{table} is not protected from deletion"
    finally:
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)


@pytest.mark.parametrize("defect", [
    invalid_secret, client_without_scopes, table_without_backups, table_without_deletion_protection,
])
@pytest.mark.usefixtures("first_report")
def test_doctor_finds_the_defect_and_nothing_else(cli_stack, countersign, defect):
    arguments = ["--url", cli_stack.url, "doctor", "--no-users", "--json"]
    with defect(cli_stack) as (level, check, text):
        done = countersign(*arguments, code=1 if level == "error" else 3)
    [found] = problems(json.loads(done.stdout))
    assert (found["level"], found["check"]) == (level, check)
    assert text in f"{found['finding']}; {found['fix']}"
    assert ("1 error; each finding says how to fix it" in done.stderr) == (level == "error")
    assert problems(json.loads(countersign(*arguments).stdout)) == []


@pytest.mark.usefixtures("first_report")
def test_an_api_that_does_not_respond_is_an_error(countersign):
    report = countersign.json("--url", "http://127.0.0.1:1", "doctor", "--no-users", code=1)
    assert [finding["check"] for finding in problems(report)] == ["endpoint", "published keys"]
    for finding in problems(report):
        assert finding["level"] == "error"
        assert "http://127.0.0.1:1/.well-known/" in finding["finding"] and "did not respond" in finding["finding"]
