"""S-603: the permissions of the deployed roles, by policy evaluation and by calls with their credentials."""

import json

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from local_cloud.program import REGION

ACCOUNT = "000000000000"
SERVICES = ("apigatewayv2", "cloudformation", "dynamodb", "iam", "kms", "lambda", "logs", "scheduler",
            "secretsmanager", "sts", "xray")
# Actions without an API operation of the same name.
OTHER_ACTIONS = {f"dynamodb:PartiQL{verb}" for verb in ("Select", "Insert", "Update", "Delete")}
OTHER_ACTIONS |= {"dynamodb:ConditionCheckItem", "lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "iam:PassRole"}
WRITES_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
# The permissions of each role on each resource. Updates of users and the use of KMS have conditions, tested below.
PERMISSIONS = {
    "ApiRole": {
        "ClientsTable": {"dynamodb:GetItem"},
        "UsersTable": {"dynamodb:GetItem"},
        "GrantsTable": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        "SigningSecret": {"secretsmanager:GetSecretValue"},
        "ApiLogGroup": WRITES_LOGS,
    },
    "RotateRole": {
        "SigningSecret": {"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"},
        "RotateLogGroup": WRITES_LOGS,
    },
    "ScheduleRole": {"RotateFunction": {"lambda:InvokeFunction"}},
}


def all_actions():
    session = botocore.session.get_session()
    models = {service: session.get_service_model(service) for service in SERVICES}
    named = {f"{model.signing_name}:{operation}" for model in models.values() for operation in model.operation_names}
    return named | OTHER_ACTIONS


def arns(stack):
    """Returns the ARNs of the stack's resources, and ARNs of resources that the stack does not have."""
    names = stack.resources
    arn = f"{REGION}:{ACCOUNT}"
    found = {table: f"arn:aws:dynamodb:{arn}:table/{names[table]}" for table in names if table.endswith("Table")}
    groups = [group for group in names if group.endswith("LogGroup")]
    found |= {group: f"arn:aws:logs:{arn}:log-group:{names[group]}:log-stream:any" for group in groups}
    functions = ("ApiFunction", "RotateFunction")
    found |= {function: f"arn:aws:lambda:{arn}:function:{names[function]}" for function in functions}
    found |= {role: f"arn:aws:iam::{ACCOUNT}:role/{names[role]}" for role in names if role.endswith("Role")}
    secrets = stack.cloud.client("secretsmanager")
    found["SigningSecret"] = secrets.describe_secret(SecretId=names["SigningSecret"])["ARN"]
    return found | {
        "another table": f"arn:aws:dynamodb:{arn}:table/{names['GrantsTable']}-2",
        "an index of a table": f"{found['UsersTable']}/index/any",
        "another secret": f"arn:aws:secretsmanager:{arn}:secret:another-AbCdEf",
        "another log": f"arn:aws:logs:{arn}:log-group:another:log-stream:any",
        "a KMS key": f"arn:aws:kms:{arn}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "anything": "*",
    }


def policies(stack, role):
    """Returns the policy documents of a role."""
    iam, name = stack.cloud.client("iam"), stack.resources[role]
    assert not iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return [iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in inline]


def is_allowed(documents, action, resource, **context):
    """Returns true if the emulator's IAM allows the action.

    Calls its evaluator directly, because its SimulatePrincipalPolicy ignores the condition keys.
    """
    context = {key.replace("_", ":").lower(): value for key, value in context.items()}
    request = EvalContext("arn:aws:sts::000000000000:assumed-role/any/any", "AssumedRole", ACCOUNT, action, resource,
                          REGION, service_context=context)
    return evaluate(request, [parse_policy_document(document) for document in documents]).decision == "Allow"


@pytest.mark.parametrize("role", PERMISSIONS)
def test_s_603_each_role_has_exactly_its_permissions(shared_stack, role):
    documents, known = policies(shared_stack, role), all_actions()
    for statement in [statement for document in documents for statement in document["Statement"]]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert statement["Effect"] == "Allow" and set(actions) <= known, "no NotAction, no pattern, no other service"
    allowed = {
        name: {action for action in known if is_allowed(documents, action, arn)}
        for name, arn in arns(shared_stack).items()
    }
    assert {name: actions for name, actions in allowed.items() if actions} == PERMISSIONS[role]


@pytest.mark.parametrize(("function", "role", "service"), [
    ("ApiFunction", "ApiRole", "lambda"),
    ("RotateFunction", "RotateRole", "lambda"),
    (None, "ScheduleRole", "scheduler"),
])
def test_s_603_each_role_is_assumed_by_its_service_and_used_by_its_function(shared_stack, function, role, service):
    role = shared_stack.cloud.client("iam").get_role(RoleName=shared_stack.resources[role])["Role"]
    [statement] = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
    if function:
        functions = shared_stack.cloud.client("lambda")
        used = functions.get_function_configuration(FunctionName=shared_stack.resources[function])["Role"]
        assert used == role["Arn"]


@pytest.fixture(scope="module")
def as_api(shared_stack):
    """Creates AWS clients with the credentials of the API function."""
    cloud = shared_stack.cloud
    role = cloud.client("iam").get_role(RoleName=shared_stack.resources["ApiRole"])["Role"]["Arn"]
    assumed = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    session = boto3.Session(
        assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"], REGION,
    )
    return lambda service: session.client(service, endpoint_url=cloud.endpoint)


def is_permitted(call, **parameters):
    """Makes a call. Returns false if it fails with AccessDenied."""
    try:
        call(**parameters)
    except ClientError as error:
        return "AccessDenied" not in error.response["Error"]["Code"]
    return True


# Updates of a user that does not exist: the condition fails, so an allowed update changes nothing.
UNKNOWN_USER = {"username": {"S": "unknown"}}
VALUES = {":new": {"S": "new"}, ":old": {"S": "old"}}
HASH = {"UpdateExpression": "SET password_hash = :new", "ConditionExpression": "password_hash = :old"}


@pytest.mark.parametrize("update", [
    HASH,
    HASH | {"ConditionExpression": "attribute_exists(username) AND password_hash = :old"},
    HASH | {"UpdateExpression": "SET password_hash = :new, session_generation = :new"},
])
def test_s_603_the_function_may_replace_a_password_hash(shared_stack, as_api, update):
    table = shared_stack.resources["UsersTable"]
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        as_api("dynamodb").update_item(TableName=table, Key=UNKNOWN_USER, ExpressionAttributeValues=VALUES, **update)


@pytest.mark.parametrize("update", [
    HASH | {"UpdateExpression": "SET password_hash = :new, enabled = :new"},
    HASH | {"UpdateExpression": "SET scopes = :new"},
    HASH | {"UpdateExpression": "SET #a = :new", "ExpressionAttributeNames": {"#a": "user_id"}},
    HASH | {"UpdateExpression": "SET password_hash = :new REMOVE dealer"},
    HASH | {"UpdateExpression": "SET dealer.id = :new"},
    HASH | {"ConditionExpression": "password_hash = :old AND enabled = :old"},
    HASH | {"ConditionExpression": "attribute_not_exists(claims) AND password_hash = :old"},
])
def test_s_603_the_function_may_change_no_other_attribute_of_a_user(shared_stack, as_api, update):
    table = shared_stack.resources["UsersTable"]
    with pytest.raises(ClientError, match="AccessDenied"):
        as_api("dynamodb").update_item(TableName=table, Key=UNKNOWN_USER, ExpressionAttributeValues=VALUES, **update)


def test_s_603_an_update_of_users_without_attributes_is_denied(shared_stack):
    documents, table = policies(shared_stack, "ApiRole"), arns(shared_stack)["UsersTable"]
    update = "dynamodb:UpdateItem"
    assert is_allowed(documents, update, table, dynamodb_Attributes=["username", "password_hash"])
    assert not is_allowed(documents, update, table, dynamodb_Attributes=["username", "password_hash", "enabled"])
    assert not is_allowed(documents, update, table)


def test_s_603_the_function_may_make_its_calls_and_no_others(shared_stack, as_api):
    names, dynamodb = shared_stack.resources, as_api("dynamodb")
    clients, users, grants = names["ClientsTable"], names["UsersTable"], names["GrantsTable"]
    client, grant = {"client_id": {"S": "unknown"}}, {"id": {"S": "unknown"}}
    assert is_permitted(dynamodb.get_item, TableName=clients, Key=client)
    assert is_permitted(dynamodb.get_item, TableName=users, Key=UNKNOWN_USER)
    assert is_permitted(dynamodb.get_item, TableName=grants, Key=grant)
    assert is_permitted(dynamodb.put_item, TableName=grants, Item=grant)
    assert is_permitted(dynamodb.update_item, TableName=grants, Key=grant, UpdateExpression="REMOVE revoked")
    secret = {"SecretId": names["SigningSecret"]}
    assert is_permitted(as_api("secretsmanager").get_secret_value, **secret)

    denied = [
        (dynamodb.put_item, {"TableName": clients, "Item": client}),
        (dynamodb.update_item, {"TableName": clients, "Key": client, "UpdateExpression": "REMOVE secrets"}),
        (dynamodb.put_item, {"TableName": users, "Item": UNKNOWN_USER}),
        (dynamodb.delete_item, {"TableName": users, "Key": UNKNOWN_USER}),
        (dynamodb.delete_item, {"TableName": grants, "Key": grant}),
        *((operation, {"TableName": table}) for table in (clients, users, grants)
          for operation in (dynamodb.scan, dynamodb.describe_table, dynamodb.delete_table)),
        (dynamodb.execute_statement, {"Statement": f'SELECT * FROM "{users}"'}),
        (dynamodb.batch_get_item, {"RequestItems": {users: {"Keys": [UNKNOWN_USER]}}}),
        (dynamodb.transact_write_items, {"TransactItems": [{"Put": {"TableName": users, "Item": UNKNOWN_USER}}]}),
        (as_api("secretsmanager").put_secret_value, secret | {"SecretString": "mine"}),
        (as_api("secretsmanager").list_secrets, {}),
        (as_api("lambda").invoke, {"FunctionName": names["RotateFunction"]}),
        (as_api("logs").delete_log_group, {"logGroupName": names["ApiLogGroup"]}),
        (as_api("iam").list_roles, {}),
    ]
    assert [str(parameters) for call, parameters in denied if is_permitted(call, **parameters)] == []
    stored = shared_stack.cloud.client("secretsmanager").get_secret_value(**secret)["SecretString"]
    assert "current" in json.loads(stored)
