"""The stack's promises, asserted on the template as CloudFormation gets it from SAM's translation."""

import graphlib
import json
import re
import subprocess
from unittest.mock import Mock

import pytest
from samtranslator.translator.transform import transform

from conftest import ROOT
from local.stack import template

TABLES = {"ClientsTable": "Retain", "UsersTable": "Retain", "GrantsTable": "Delete"}


@pytest.fixture(scope="module")
def translated():
    source = template()
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://code/function.zip"
    return transform(source, {}, Mock(load=lambda: {}))


def properties(translated, logical_id):
    return translated["Resources"][logical_id]["Properties"]


def resources_of(translated, type_of):
    return {name for name, resource in translated["Resources"].items() if resource["Type"] == type_of}


def test_sam_finds_nothing_to_object_to():
    done = subprocess.run(["make", "lint"], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_resource_needs_itself(translated):
    """CloudFormation refuses a circle, and the linter does not see one."""
    resources = translated["Resources"]

    def needed(part):
        if isinstance(part, list):
            return {name for one in part for name in needed(one)}
        if not isinstance(part, dict):
            return set()
        names = set()
        for key, value in part.items():
            if key == "Ref":
                names.add(value)
            elif key == "Fn::GetAtt":
                names.add(value[0])
            elif key == "Fn::Sub":
                names |= {name.split(".")[0] for name in re.findall(r"\$\{([^}!]+)\}", str(value))}
            else:
                names |= needed(value)
        return names

    graph = {name: needed(resource) & resources.keys() for name, resource in resources.items()}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(resources)


RIGHTS = {
    "ApiRole": {
        "ClientsTable.Arn": {"dynamodb:GetItem"},
        "UsersTable.Arn": {"dynamodb:GetItem", "dynamodb:UpdateItem"},
        "GrantsTable.Arn": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        "SigningSecret.Id": {"secretsmanager:GetSecretValue"},
        "ApiLogGroup.Arn": {"logs:CreateLogStream", "logs:PutLogEvents"},
    },
    "RotateRole": {
        "SigningSecret.Id": {"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"},
        "RotateLogGroup.Arn": {"logs:CreateLogStream", "logs:PutLogEvents"},
    },
    "ScheduleRole": {"RotateFunction.Arn": {"lambda:InvokeFunction"}},
}


def test_s_603_each_role_may_do_what_it_must_and_nothing_else(translated):
    assert resources_of(translated, "AWS::IAM::Role") == RIGHTS.keys()
    assert not resources_of(translated, "AWS::IAM::Policy") | resources_of(translated, "AWS::IAM::ManagedPolicy")
    traced = []
    for name, rights in RIGHTS.items():
        role = properties(translated, name)
        assert "ManagedPolicyArns" not in role
        [assumed] = role["AssumeRolePolicyDocument"]["Statement"]
        service = "scheduler" if name == "ScheduleRole" else "lambda"
        assert assumed["Principal"] == {"Service": f"{service}.amazonaws.com"}
        [policy] = role["Policies"]
        allowed = {}
        for statement in policy["PolicyDocument"]["Statement"]:
            if "Fn::If" in statement:
                traced.append((name, statement["Fn::If"]))
                continue
            assert statement["Effect"] == "Allow" and statement.keys() == {"Sid", "Effect", "Action", "Resource"}
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            allowed.setdefault(".".join(statement["Resource"]["Fn::GetAtt"]), set()).update(actions)
        assert allowed == rights
        assert str(policy).count("*") == (1 if name == "ApiRole" else 0)
    # X-Ray knows no resources: these two actions are the one exception, and can be switched off.
    [(name, [condition, traces, otherwise])] = traced
    assert (name, condition, otherwise) == ("ApiRole", "IsTraced", {"Ref": "AWS::NoValue"})
    assert set(traces["Action"]) == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
    assert traces["Resource"] == "*"
    for function in ("Api", "Rotate"):
        assert properties(translated, f"{function}Function")["Role"] == {"Fn::GetAtt": [f"{function}Role", "Arn"]}


def test_keys_are_made_with_the_stack_and_rotated_by_a_schedule(translated):
    keys, schedule = properties(translated, "SigningKeys"), properties(translated, "RotationSchedule")
    assert keys["ServiceToken"] == {"Fn::GetAtt": ["RotateFunction", "Arn"]}
    assert keys["SigningAlgorithm"] == {"Ref": "SigningAlgorithm"}, "a change of it updates the resource"
    assert schedule["ScheduleExpression"] == "rate(1 day)", "one that fails is made up for"
    assert schedule["Target"]["Arn"] == {"Fn::GetAtt": ["RotateFunction", "Arn"]}
    event = schedule["Target"]["Input"]["Fn::Sub"].replace("${RotationDays}", "30")
    assert json.loads(event) == {"action": "rotate", "after_days": 30}
    assert translated["Parameters"]["RotationDays"]["Default"] == 30
    # Longer than API Gateway keeps a set, our caches and environments included.
    public_for = translated["Parameters"]["KeyPublicFor"]
    assert public_for["MinValue"] > 7200 + 2 * translated["Parameters"]["KeysMaxAge"]["MaxValue"] - 1


def test_s_603_only_the_api_may_invoke_the_function(translated):
    [permission] = resources_of(translated, "AWS::Lambda::Permission")
    permission = properties(translated, permission)
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"]["Fn::Sub"].endswith(":${Api}/*/$default")
    assert not resources_of(translated, "AWS::Lambda::Url")


def test_s_106_there_is_no_way_in_but_tls(translated):
    api, domain = properties(translated, "Api"), properties(translated, "Domain")
    assert api["ProtocolType"] == "HTTP", "HTTP APIs listen on TLS alone"
    assert api["DisableExecuteApiEndpoint"] == {"Fn::If": ["HasDomain", True, False]}
    [configuration] = domain["DomainNameConfigurations"]
    assert configuration["SecurityPolicy"] == "TLS_1_2"
    assert translated["Resources"]["Domain"]["Condition"] == "HasDomain"
    assert translated["Resources"]["DomainMapping"]["Condition"] == "HasDomain"


def test_the_own_domain_is_the_issuer(translated):
    issuer = properties(translated, "ApiFunction")["Environment"]["Variables"]["ISSUER"]
    assert issuer["Fn::If"][:2] == ["HasDomain", {"Fn::Sub": "https://${DomainName}"}]
    assert translated["Outputs"]["Issuer"]["Value"] == issuer
    token_url = translated["Outputs"]["TokenUrl"]["Value"]
    assert token_url["Fn::If"][:2] == ["HasDomain", {"Fn::Sub": "https://${DomainName}/oauth/token"}]


def test_the_tables_are_kept_encrypted_and_recoverable(translated):
    assert resources_of(translated, "AWS::DynamoDB::Table") == TABLES.keys()
    for name, policy in TABLES.items():
        resource, table = translated["Resources"][name], properties(translated, name)
        assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == policy
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["SSESpecification"] == {"SSEEnabled": True}
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table.get("DeletionProtectionEnabled", False) == (policy == "Retain")
    assert properties(translated, "GrantsTable")["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at", "Enabled": True,
    }
    secret = translated["Resources"]["SigningSecret"]
    assert secret["DeletionPolicy"] == secret["UpdateReplacePolicy"] == "Retain"


def test_every_log_ends_at_its_time(translated):
    groups = resources_of(translated, "AWS::Logs::LogGroup")
    assert groups == {"ApiLogGroup", "AccessLogGroup", "RotateLogGroup"}
    for name in groups:
        assert properties(translated, name)["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    for function in ("Api", "Rotate"):
        logging = properties(translated, f"{function}Function")["LoggingConfig"]
        assert logging["LogGroup"] == {"Ref": f"{function}LogGroup"}


def test_s_102_the_access_log_has_no_query_string(translated):
    settings = properties(translated, "ApiStage")["AccessLogSettings"]
    assert "${AccessLogGroup}" in settings["DestinationArn"]["Fn::Sub"]
    written = dict(re.findall(r'"(\w+)":"\$context\.([\w.]+)"', settings["Format"]))
    rest = re.sub(r'"\w+":"\$context\.[\w.]+"', "", settings["Format"])
    assert rest.replace(" ", "") == "{" + "," * (len(written) - 1) + "}", "one JSON object of strings"
    # requestTimeEpoch and path are known to be without it; $context.integration.* and the like are not used.
    assert set(written.values()) == {
        "error.message", "httpMethod", "identity.sourceIp", "identity.userAgent", "integrationErrorMessage",
        "integrationLatency", "integrationStatus", "path", "protocol", "requestId", "requestTimeEpoch",
        "responseLatency", "responseLength", "status",
    }


def test_the_stage_throttles_and_the_function_is_traced(translated):
    assert properties(translated, "ApiStage")["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": {"Ref": "ThrottlingRate"}, "ThrottlingBurstLimit": {"Ref": "ThrottlingBurst"},
    }
    function = properties(translated, "ApiFunction")
    assert function["TracingConfig"] == {"Mode": {"Ref": "Tracing"}}
    assert function["Architectures"] == [{"Ref": "Architecture"}]
    assert function["MemorySize"] == {"Ref": "MemorySize"}


def test_every_parameter_is_described_bounded_and_used(translated):
    used = str(translated["Resources"]) + str(translated["Conditions"]) + str(translated["Rules"])
    groups = translated["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(translated["Parameters"])
    for name, parameter in translated["Parameters"].items():
        assert parameter["Description"] and "Default" in parameter
        bounds = {"AllowedValues"}, {"AllowedPattern", "ConstraintDescription"}, {"MinValue", "MaxValue"}
        assert any(bound <= parameter.keys() for bound in bounds), name
        assert f"'Ref': '{name}'" in used or f"${{{name}}}" in used, name
        if "AllowedValues" in parameter:
            assert parameter["Default"] in parameter["AllowedValues"]
        if "AllowedPattern" in parameter:
            assert re.search(parameter["AllowedPattern"], parameter["Default"])


@pytest.mark.parametrize(("name", "good", "bad"), [
    ("DomainName", ["login.example.com", "a-b.c.uk"], ["Login.example.com", "https://x.y", "x", "a..b", "-a.b", "a.b/"]),
    ("CertificateArn", ["arn:aws:acm:eu-west-2:123456789012:certificate/12ab-34"], ["certificate", "arn:aws:iam::1:x"]),
    ("Issuer", ["https://a.b", "https://a.b:8443/c/d"], ["http://a.b", "https://a.b/", "https://a.b?c", "a.b"]),
    ("AlarmTopicArn", ["arn:aws:sns:eu-west-2:123456789012:alarms"], ["alarms", "arn:aws:sqs:eu-west-2:1:x"]),
])
def test_a_parameter_takes_what_is_meant_and_nothing_else(translated, name, good, bad):
    pattern = translated["Parameters"][name]["AllowedPattern"]
    assert all(re.search(pattern, value) for value in good)
    assert not any(re.search(pattern, value) for value in bad)
