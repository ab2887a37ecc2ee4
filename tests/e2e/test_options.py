"""A stack with every optional parameter set, on the tables of another."""

import pytest

from asking import APPLICATION, LOGIN, SERVICE, token
from local import stack
from test_permissions import ACCOUNT, PERMISSIONS, allows, arns, policies

KEY = f"arn:aws:kms:eu-west-2:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
TAGS = {"team": "identity", "cost-center": "42"}


@pytest.fixture(scope="module")
def adopting(cloud, built, deployment):
    """As after a stack was deleted: its tables of clients and users are still there."""
    old = deployment.stack.resources
    parameters = {
        "ExistingClientsTable": old["ClientsTable"], "ExistingUsersTable": old["UsersTable"], "KmsKeyArn": KEY,
        "PermissionsBoundaryArn": BOUNDARY, "ReservedConcurrency": 5, "Tracing": "Active",
    }
    tags = ["--tags", *(f"{name}={value}" for name, value in TAGS.items())]
    return stack.deploy(cloud, parameters, "countersign-options", tags)


def test_existing_tables_are_adopted_and_none_is_made(adopting, deployment):
    assert "GrantsTable" in adopting.resources
    assert not {"ClientsTable", "UsersTable"} & adopting.resources.keys()
    for table in ("ClientsTable", "UsersTable"):
        assert adopting.outputs[f"{table}Name"] == deployment.stack.resources[table]
    url = adopting.token_url.removesuffix("/oauth/token")
    assert token(url, SERVICE, grant_type="client_credentials") and token(url, APPLICATION, **LOGIN)


def test_s_603_the_function_may_do_the_same_to_adopted_tables(adopting, deployment):
    documents = policies(adopting, "ApiRole")
    for table, actions in PERMISSIONS["ApiRole"].items():
        if table in ("ClientsTable", "UsersTable"):
            arn = arns(deployment.stack)[table]
            assert all(allows(documents, action, arn) for action in actions)
            assert not allows(documents, "dynamodb:PutItem", arn)
    named = {"dynamodb_Attributes": ["username", "password_hash"]}
    assert allows(documents, "dynamodb:UpdateItem", arns(deployment.stack)["UsersTable"], **named)
    assert not allows(documents, "dynamodb:UpdateItem", arns(deployment.stack)["UsersTable"], dynamodb_Attributes=["scopes"])


def test_s_603_the_key_is_used_through_its_services_and_traces_can_be_sent(adopting):
    def via(role, action, service=None, key=KEY):
        context = {"kms_ViaService": f"{service}.eu-west-2.amazonaws.com"} if service else {}
        return allows(policies(adopting, role), f"kms:{action}", key, **context)

    for service in ("dynamodb", "secretsmanager"):
        assert via("ApiRole", "Decrypt", service)
    for action in ("Decrypt", "GenerateDataKey"):
        assert via("RotateRole", action, "secretsmanager") and not via("RotateRole", action, "dynamodb")
        assert not via("ScheduleRole", action, "secretsmanager")
    assert not via("ApiRole", "GenerateDataKey", "secretsmanager") and not via("ApiRole", "Encrypt", "dynamodb")
    assert not via("ApiRole", "Decrypt") and not via("ApiRole", "Decrypt", "s3")
    assert not via("ApiRole", "Decrypt", "dynamodb", KEY.replace("1234", "5678"))
    assert allows(policies(adopting, "ApiRole"), "xray:PutTraceSegments", "*")


def test_the_other_options_reach_what_they_are_for(adopting, cloud):
    """The local cloud's CloudFormation drops the reserved concurrency and the boundary: test_template.py has these."""
    function = cloud.client("lambda").get_function_configuration(FunctionName=adopting.resources["ApiFunction"])
    assert function["TracingConfig"] == {"Mode": "Active"}
    secret = cloud.client("secretsmanager").describe_secret(SecretId=adopting.resources["SigningSecret"])
    assert secret["KmsKeyId"] == KEY
    [described] = cloud.client("cloudformation").describe_stacks(StackName=adopting.name)["Stacks"]
    assert {tag["Key"]: tag["Value"] for tag in described["Tags"]}.items() >= TAGS.items()
