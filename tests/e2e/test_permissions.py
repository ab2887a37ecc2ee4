"""S-603: what the roles of the deployed stack may do, by evaluating every action, and by calls with their credentials."""

import json

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from local.program import REGION

ACCOUNT = "000000000000"
SERVICES = ("apigatewayv2", "cloudformation", "dynamodb", "iam", "kms", "lambda", "logs", "scheduler",
            "secretsmanager", "sts", "xray")
# Actions that no operation of the API is named after.
OTHER_ACTIONS = {f"dynamodb:PartiQL{verb}" for verb in ("Select", "Insert", "Update", "Delete")}
OTHER_ACTIONS |= {"dynamodb:ConditionCheckItem", "lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "iam:PassRole"}
WRITES_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
# By role, what it may do to which resource of the stack. Updates of users, and KMS, depend on more: see below.
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


def every_action():
    session = botocore.session.get_session()
    models = {service: session.get_service_model(service) for service in SERVICES}
    named = {f"{model.signing_name}:{operation}" for model in models.values() for operation in model.operation_names}
    return named | OTHER_ACTIONS


def arns(stack):
    """The ARNs of the stack's resources, and one of each kind that is not the stack's."""
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
        "an index of it": f"{found['UsersTable']}/index/any",
        "another secret": f"arn:aws:secretsmanager:{arn}:secret:another-AbCdEf",
        "another log": f"arn:aws:logs:{arn}:log-group:another:log-stream:any",
        "a KMS key": f"arn:aws:kms:{arn}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "anything": "*",
    }


def policies(stack, role):
    iam, name = stack.cloud.client("iam"), stack.resources[role]
    assert not iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return [iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in inline]


def allows(documents, action, resource, **context):
    """The decision of the local cloud's IAM. It simulates without the keys that conditions ask for, hence in this process."""
    context = {key.replace("_", ":").lower(): value for key, value in context.items()}
    request = EvalContext("arn:aws:sts::000000000000:assumed-role/any/any", "AssumedRole", ACCOUNT, action, resource,
                          REGION, service_context=context)
    return evaluate(request, [parse_policy_document(one) for one in documents]).decision == "Allow"


@pytest.mark.parametrize("role", PERMISSIONS)
def test_s_603_each_role_may_do_what_it_must_and_nothing_else(deployment, role):
    stack = deployment.stack
    documents, known = policies(stack, role), every_action()
    for statement in [statement for one in documents for statement in one["Statement"]]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert statement["Effect"] == "Allow" and set(actions) <= known, "no NotAction, no pattern, no other service"
    allowed = {
        name: {action for action in known if allows(documents, action, arn)} for name, arn in arns(stack).items()
    }
    assert {name: actions for name, actions in allowed.items() if actions} == PERMISSIONS[role]


@pytest.mark.parametrize(("function", "role", "service"), [
    ("ApiFunction", "ApiRole", "lambda"), ("RotateFunction", "RotateRole", "lambda"), (None, "ScheduleRole", "scheduler"),
])
def test_s_603_a_role_is_for_its_own_function(deployment, function, role, service):
    stack = deployment.stack
    role = stack.cloud.client("iam").get_role(RoleName=stack.resources[role])["Role"]
    [statement] = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
    if function:
        functions = stack.cloud.client("lambda")
        used = functions.get_function_configuration(FunctionName=stack.resources[function])["Role"]
        assert used == role["Arn"]


@pytest.fixture(scope="module")
def as_api(deployment):
    """Clients of AWS's services with the credentials that the API's function has."""
    cloud = deployment.stack.cloud
    role = cloud.client("iam").get_role(RoleName=deployment.stack.resources["ApiRole"])["Role"]["Arn"]
    got = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    session = boto3.Session(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"], REGION)
    return lambda service: session.client(service, endpoint_url=cloud.endpoint)


def permitted(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        return "AccessDenied" not in error.response["Error"]["Code"]
    return True


# What an UpdateItem of a user may hold; the key, `username`, is always in it. Its condition fails, so nothing changes.
NOBODY = {"username": {"S": "nobody"}}
VALUES = {":new": {"S": "new"}, ":old": {"S": "old"}}
HASH = {"UpdateExpression": "SET password_hash = :new", "ConditionExpression": "password_hash = :old"}


@pytest.mark.parametrize("update", [
    HASH,
    HASH | {"ConditionExpression": "attribute_exists(username) AND password_hash = :old"},
    HASH | {"UpdateExpression": "SET password_hash = :new, session_generation = :new"},
])
def test_s_603_the_api_may_replace_a_password_hash(deployment, as_api, update):
    table = deployment.stack.resources["UsersTable"]
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        as_api("dynamodb").update_item(TableName=table, Key=NOBODY, ExpressionAttributeValues=VALUES, **update)


@pytest.mark.parametrize("update", [
    HASH | {"UpdateExpression": "SET password_hash = :new, enabled = :new"},
    HASH | {"UpdateExpression": "SET scopes = :new"},
    HASH | {"UpdateExpression": "SET #a = :new", "ExpressionAttributeNames": {"#a": "user_id"}},
    HASH | {"UpdateExpression": "SET password_hash = :new REMOVE dealer"},
    HASH | {"UpdateExpression": "SET dealer.id = :new"},
    HASH | {"ConditionExpression": "password_hash = :old AND enabled = :old"},
    HASH | {"ConditionExpression": "attribute_not_exists(claims) AND password_hash = :old"},
])
def test_s_603_the_api_may_change_nothing_else_of_a_user(deployment, as_api, update):
    table = deployment.stack.resources["UsersTable"]
    with pytest.raises(ClientError, match="AccessDenied"):
        as_api("dynamodb").update_item(TableName=table, Key=NOBODY, ExpressionAttributeValues=VALUES, **update)


def test_s_603_an_update_of_users_that_names_no_attribute_is_not_allowed(deployment):
    documents, table = policies(deployment.stack, "ApiRole"), arns(deployment.stack)["UsersTable"]
    update = "dynamodb:UpdateItem"
    assert allows(documents, update, table, dynamodb_Attributes=["username", "password_hash"])
    assert not allows(documents, update, table, dynamodb_Attributes=["username", "password_hash", "enabled"])
    assert not allows(documents, update, table)


def test_s_603_what_the_api_reads_and_writes_is_allowed_and_what_it_does_not_is_denied(deployment, as_api):
    names, dynamodb = deployment.stack.resources, as_api("dynamodb")
    clients, users, grants = names["ClientsTable"], names["UsersTable"], names["GrantsTable"]
    client, grant = {"client_id": {"S": "nobody"}}, {"id": {"S": "nothing"}}
    assert permitted(dynamodb.get_item, TableName=clients, Key=client)
    assert permitted(dynamodb.get_item, TableName=users, Key=NOBODY)
    assert permitted(dynamodb.get_item, TableName=grants, Key=grant)
    assert permitted(dynamodb.put_item, TableName=grants, Item=grant)
    assert permitted(dynamodb.update_item, TableName=grants, Key=grant, UpdateExpression="REMOVE revoked")
    secret = {"SecretId": names["SigningSecret"]}
    assert permitted(as_api("secretsmanager").get_secret_value, **secret)

    denied = [
        (dynamodb.put_item, {"TableName": clients, "Item": client}),
        (dynamodb.update_item, {"TableName": clients, "Key": client, "UpdateExpression": "REMOVE secrets"}),
        (dynamodb.put_item, {"TableName": users, "Item": NOBODY}),
        (dynamodb.delete_item, {"TableName": users, "Key": NOBODY}),
        (dynamodb.delete_item, {"TableName": grants, "Key": grant}),
        *((operation, {"TableName": table}) for table in (clients, users, grants)
          for operation in (dynamodb.scan, dynamodb.describe_table, dynamodb.delete_table)),
        (dynamodb.execute_statement, {"Statement": f'SELECT * FROM "{users}"'}),
        (dynamodb.batch_get_item, {"RequestItems": {users: {"Keys": [NOBODY]}}}),
        (dynamodb.transact_write_items, {"TransactItems": [{"Put": {"TableName": users, "Item": NOBODY}}]}),
        (as_api("secretsmanager").put_secret_value, secret | {"SecretString": "mine"}),
        (as_api("secretsmanager").list_secrets, {}),
        (as_api("lambda").invoke, {"FunctionName": names["RotateFunction"]}),
        (as_api("logs").delete_log_group, {"logGroupName": names["ApiLogGroup"]}),
        (as_api("iam").list_roles, {}),
    ]
    assert [str(parameters) for call, parameters in denied if permitted(call, **parameters)] == []
    stored = deployment.stack.cloud.client("secretsmanager").get_secret_value(**secret)["SecretString"]
    assert "current" in json.loads(stored)
