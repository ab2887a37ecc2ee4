"""A stack with every optional parameter set, on the existing tables of another stack."""

import pytest

from local_cloud import stack
from test_permissions import ACCOUNT, PERMISSIONS, arns, is_allowed, policies
from token_endpoint import APPLICATION, LOGIN, SERVICE, fetch_token

KEY = f"arn:aws:kms:eu-west-2:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
EMAIL, TOPIC = "operators@example.com", f"arn:aws:sns:eu-west-2:{ACCOUNT}:operators"
TAGS = {"team": "identity", "cost-center": "42"}


@pytest.fixture(scope="module")
def adopting_stack(cloud, build_folder, shared_stack):
    """A stack that adopts the tables which a deleted stack would leave."""
    existing = shared_stack.resources
    parameters = {
        "ExistingClientsTable": existing["ClientsTable"], "ExistingUsersTable": existing["UsersTable"],
        "KmsKeyArn": KEY, "PermissionsBoundaryArn": BOUNDARY, "ReservedConcurrency": 5, "Tracing": "Active",
        "AlarmEmail": EMAIL, "AlarmTopicArn": TOPIC,
    }
    tags = ["--tags", *(f"{name}={value}" for name, value in TAGS.items())]
    return stack.deploy(cloud, parameters, "countersign-options", tags)


def test_existing_tables_are_adopted_and_not_created(adopting_stack, shared_stack):
    assert "GrantsTable" in adopting_stack.resources
    assert not {"ClientsTable", "UsersTable"} & adopting_stack.resources.keys()
    for table in ("ClientsTable", "UsersTable"):
        assert adopting_stack.outputs[f"{table}Name"] == shared_stack.resources[table]
    assert fetch_token(adopting_stack.url, SERVICE, grant_type="client_credentials")
    assert fetch_token(adopting_stack.url, APPLICATION, **LOGIN)


def test_s_603_the_function_has_the_same_permissions_on_adopted_tables(adopting_stack, shared_stack):
    documents = policies(adopting_stack, "ApiRole")
    for table, actions in PERMISSIONS["ApiRole"].items():
        if table in ("ClientsTable", "UsersTable"):
            arn = arns(shared_stack)[table]
            assert all(is_allowed(documents, action, arn) for action in actions)
            assert not is_allowed(documents, "dynamodb:PutItem", arn)
    update, users = "dynamodb:UpdateItem", arns(shared_stack)["UsersTable"]
    assert is_allowed(documents, update, users, dynamodb_Attributes=["username", "password_hash"])
    assert not is_allowed(documents, update, users, dynamodb_Attributes=["scopes"])


def test_s_603_the_kms_key_is_used_only_through_its_services_and_traces_can_be_sent(adopting_stack):
    def via(role, action, service=None, key=KEY):
        context = {"kms_ViaService": f"{service}.eu-west-2.amazonaws.com"} if service else {}
        return is_allowed(policies(adopting_stack, role), f"kms:{action}", key, **context)

    for service in ("dynamodb", "secretsmanager"):
        assert via("ApiRole", "Decrypt", service)
    for action in ("Decrypt", "GenerateDataKey"):
        assert via("RotateRole", action, "secretsmanager") and not via("RotateRole", action, "dynamodb")
        assert not via("ScheduleRole", action, "secretsmanager")
    assert not via("ApiRole", "GenerateDataKey", "secretsmanager") and not via("ApiRole", "Encrypt", "dynamodb")
    assert not via("ApiRole", "Decrypt") and not via("ApiRole", "Decrypt", "s3")
    assert not via("ApiRole", "Decrypt", "dynamodb", KEY.replace("1234", "5678"))
    assert is_allowed(policies(adopting_stack, "ApiRole"), "xray:PutTraceSegments", "*")


def test_the_other_options_take_effect(adopting_stack, cloud):
    """Reserved concurrency and boundary are tested in test_template.py, because the local CloudFormation drops them."""
    function = cloud.client("lambda").get_function_configuration(FunctionName=adopting_stack.resources["ApiFunction"])
    assert function["TracingConfig"] == {"Mode": "Active"}
    secret = cloud.client("secretsmanager").describe_secret(SecretId=adopting_stack.resources["SigningSecret"])
    assert secret["KmsKeyId"] == KEY
    [described] = cloud.client("cloudformation").describe_stacks(StackName=adopting_stack.name)["Stacks"]
    assert {tag["Key"]: tag["Value"] for tag in described["Tags"]}.items() >= TAGS.items()


def test_alarms_notify_the_email_address_and_the_topic(adopting_stack, cloud):
    own = adopting_stack.resources["AlarmTopic"]
    [subscription] = cloud.client("sns").list_subscriptions_by_topic(TopicArn=own)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", EMAIL)
    names = [name for logical_id, name in adopting_stack.resources.items() if logical_id.endswith("Alarm")]
    alarms = cloud.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert len(alarms) == 6 and all(alarm["AlarmActions"] == [own, TOPIC] for alarm in alarms)
