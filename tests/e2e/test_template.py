"""Properties of template.yaml after SAM's translation, which is the form that CloudFormation gets."""

import graphlib
import json
import re
import subprocess
from fnmatch import fnmatchcase

import pytest

from cloudformation import resolve
from conftest import ROOT

TABLES = {"ClientsTable": "Retain", "UsersTable": "Retain", "GrantsTable": "Delete"}


def properties(translated, logical_id):
    return translated["Resources"][logical_id]["Properties"]


def resources_of_type(translated, resource_type):
    return {name for name, resource in translated["Resources"].items() if resource["Type"] == resource_type}


def test_sam_accepts_the_template():
    done = subprocess.run(["make", "lint"], cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr


def test_resources_have_no_circular_dependency(translated):
    """CloudFormation rejects a cycle, which the linter does not detect."""
    resources = translated["Resources"]

    def dependencies(part):
        if isinstance(part, list):
            return {name for element in part for name in dependencies(element)}
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
                names |= dependencies(value)
        return names

    graph = {name: dependencies(resource) & resources.keys() for name, resource in resources.items()}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(resources)


ROLES = {"ApiRole", "RotateRole", "ScheduleRole", "ReleaseRole"}
RELEASE = {"Release": "42"}
KEY = "arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"


def test_s_603_each_role_has_only_its_inline_policy(translated):
    """The permissions themselves are tested on the deployed stack, in test_permissions.py."""
    assert resources_of_type(translated, "AWS::IAM::Role") == ROLES
    assert not resources_of_type(translated, "AWS::IAM::Policy")
    assert not resources_of_type(translated, "AWS::IAM::ManagedPolicy")
    for parameters, boundary in [({}, None), ({"PermissionsBoundaryArn": BOUNDARY}, BOUNDARY)]:
        resources = resolve(translated, **parameters, **RELEASE)
        for name in ROLES:
            role = resources[name]["Properties"]
            assert "ManagedPolicyArns" not in role and len(role["Policies"]) == 1
            assert role.get("PermissionsBoundary") == boundary


def test_s_603_optional_permissions_are_granted_only_if_their_parameter_is_set(translated):
    def optional(**parameters):
        return {
            (name, statement["Sid"])
            for name, role in resolve(translated, **parameters).items() if name in ROLES
            for policy in role["Properties"]["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Resource"] == "*" or str(statement["Action"]).count("kms:")
        }

    assert optional() == set()
    assert optional(**RELEASE) == {("ReleaseRole", "ReadAlarm")}
    assert optional(Tracing="Active") == {("ApiRole", "SendTraces")}
    assert optional(KmsKeyArn=KEY) == {("ApiRole", "DecryptTablesAndSecret"), ("RotateRole", "DecryptAndEncryptSecret")}


def test_keys_are_generated_with_the_stack_and_rotated_on_a_schedule(translated):
    keys, schedule = properties(translated, "SigningKeys"), properties(translated, "RotationSchedule")
    assert keys["ServiceToken"] == {"Fn::GetAtt": ["RotateFunction", "Arn"]}
    assert keys["SigningAlgorithm"] == {"Ref": "SigningAlgorithm"}, "a changed algorithm must update the resource"
    assert schedule["ScheduleExpression"] == "rate(1 day)", "the next run makes up for a failed one"
    assert schedule["Target"]["Arn"] == {"Fn::GetAtt": ["RotateFunction", "Arn"]}
    event = schedule["Target"]["Input"]["Fn::Sub"].replace("${RotationDays}", "30")
    assert json.loads(event) == {"action": "rotate", "after_days": 30}
    assert translated["Parameters"]["RotationDays"]["Default"] == 30
    # Longer than API Gateway caches a key set, plus the caches of the function.
    public_for = translated["Parameters"]["KeyPublicFor"]
    assert public_for["MinValue"] > 7200 + 2 * translated["Parameters"]["KeysMaxAge"]["MaxValue"] - 1


def routes(translated):
    names = resources_of_type(translated, "AWS::ApiGatewayV2::Route")
    return {properties(translated, name)["RouteKey"]: properties(translated, name) for name in names}


@pytest.mark.parametrize(("parameters", "targets"), [({}, ["ApiFunction"]), (RELEASE, ["ApiAlias", "ApiFunction"])])
def test_s_603_only_the_api_may_invoke_the_function(translated, parameters, targets):
    resources = resolve(translated, **parameters).values()
    permissions = [each["Properties"] for each in resources if each["Type"] == "AWS::Lambda::Permission"]
    assert sorted(permission["FunctionName"]["Ref"] for permission in permissions) == targets
    assert not resources_of_type(translated, "AWS::Lambda::Url")
    arn = "arn:aws:execute-api:eu-west-2:000000000000"
    calls = ["POST/oauth/token", "POST/oauth/introspect", "GET/.well-known/*", "$default"]
    assert len(calls) == len(routes(translated))
    for permission in permissions:
        assert permission["Action"] == "lambda:InvokeFunction"
        assert permission["Principal"] == "apigateway.amazonaws.com"
        for call in calls:
            assert fnmatchcase(f"{arn}:${{Api}}/$default/{call}", permission["SourceArn"])
            assert not fnmatchcase(f"{arn}:another/$default/{call}", permission["SourceArn"])


def test_without_a_release_the_api_invokes_the_function_and_codedeploy_is_not_used(translated):
    by_default, released = resolve(translated), resolve(translated, **RELEASE)
    assert released.keys() - by_default.keys() == {
        "ApiVersion", "ApiAlias", "AliasPermission", "ReleaseApplication", "ReleaseGroup", "ReleaseRole",
    }
    assert not by_default.keys() - released.keys()
    changed = {name for name in by_default if by_default[name] != released[name]}
    assert changed == {"ApiFunction", "ApiIntegration"}, "the rotation function has no version"
    assert by_default["ApiFunction"]["Properties"]["Description"] == "Handles requests of the HTTP API"
    uri = by_default["ApiIntegration"]["Properties"]["IntegrationUri"]
    assert uri.endswith("/functions/${ApiFunction.Arn}/invocations")


def test_a_release_moves_requests_to_a_new_version_and_back_if_the_error_alarm_is_raised(translated):
    resources = resolve(translated, **RELEASE)
    version, alias, group = resources["ApiVersion"], resources["ApiAlias"], resources["ReleaseGroup"]["Properties"]
    # Each name changes the function, so that a version can be published, and the version, so that it is replaced.
    assert version["Properties"] == {"FunctionName": {"Ref": "ApiFunction"}, "Description": "release 42"}
    assert resources["ApiFunction"]["Properties"]["Description"].endswith("release 42")
    assert version["UpdateReplacePolicy"] == version["DeletionPolicy"] == "Delete", "old versions do not accumulate"
    assert alias["Properties"]["FunctionVersion"] == {"Fn::GetAtt": ["ApiVersion", "Version"]}
    assert alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"] == {
        "ApplicationName": {"Ref": "ReleaseApplication"}, "DeploymentGroupName": {"Ref": "ReleaseGroup"},
    }
    integration = resources["ApiIntegration"]["Properties"]
    assert integration["IntegrationUri"].endswith("/functions/${ApiAlias}/invocations")
    assert "${AliasPermission}" in integration["Description"], "the permission exists before the first request"
    assert group["AlarmConfiguration"] == {"Enabled": True, "Alarms": [{"Name": {"Ref": "FaultAlarm"}}]}
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    minutes = int(re.fullmatch(r"CodeDeployDefault\.LambdaCanary10Percent(\d+)Minutes", group["DeploymentConfigName"])[1])
    assert minutes >= 2 * resources["FaultAlarm"]["Properties"]["EvaluationPeriods"]
    assert translated["Resources"]["ReleaseRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
        "Service": "codedeploy.amazonaws.com",
    }


def test_token_requests_introspections_and_published_documents_have_their_own_throttling_limits(translated):
    integration = {"Fn::Sub": "integrations/${ApiIntegration}"}
    keys = {"$default", "POST /oauth/token", "POST /oauth/introspect", "GET /.well-known/{proxy+}"}
    assert routes(translated).keys() == keys
    assert all(route["Target"] == integration for route in routes(translated).values())
    stage = translated["Resources"]["ApiStage"]
    # API Gateway rejects settings of a route that does not exist yet.
    limited = {properties(translated, name)["RouteKey"] for name in stage["DependsOn"]}
    assert limited == stage["Properties"]["RouteSettings"].keys() == routes(translated).keys() - {"$default"}
    limits = {"TokenRate": 7, "TokenBurst": 6, "ThrottlingRate": 9, "ThrottlingBurst": 8}
    stage = resolve(translated, **limits)["ApiStage"]["Properties"]
    other_limits = {"ThrottlingRateLimit": 9, "ThrottlingBurstLimit": 8}
    assert stage["DefaultRouteSettings"] == other_limits
    assert stage["RouteSettings"] == {
        "POST /oauth/token": {"ThrottlingRateLimit": 7, "ThrottlingBurstLimit": 6},
        "POST /oauth/introspect": {"ThrottlingRateLimit": 7, "ThrottlingBurstLimit": 6},
        "GET /.well-known/{proxy+}": other_limits,
    }
    defaults = {name: translated["Parameters"][name]["Default"] for name in limits}
    assert defaults == {"TokenRate": 500, "TokenBurst": 250, "ThrottlingRate": 1000, "ThrottlingBurst": 500}


@pytest.mark.parametrize("event", sorted((ROOT / "events").glob("*.json")), ids=lambda event: event.stem)
def test_a_sample_event_has_the_route_of_its_request(translated, event):
    event = json.loads(event.read_text())
    request = f"{event['requestContext']['http']['method']} {event['rawPath']}"
    patterns = {key: key.replace("{proxy+}", "?*") for key in routes(translated)}
    route = next((key for key, pattern in patterns.items() if fnmatchcase(request, pattern)), "$default")
    assert event["routeKey"] == event["requestContext"]["routeKey"] == route


DOMAIN = {"DomainName": "login.example.com", "CertificateArn": "arn:aws:acm:eu-west-2:123456789012:certificate/12ab-34"}
# Resource types that accept requests with TLS settings other than those of an HTTP API.
OTHER_ENDPOINTS = ("AWS::ApiGateway::", "AWS::CloudFront::", "AWS::ElasticLoadBalancingV2::", "AWS::Lambda::Url")


PROXY = {"Issuer": "https://login.example.com", "DefaultUrl": "off"}


@pytest.mark.parametrize(("parameters", "disabled"), [
    ({}, False), ({"Issuer": PROXY["Issuer"]}, False), (PROXY, True), (DOMAIN, True),
])
def test_a_domain_or_a_proxy_can_be_the_only_way_to_the_api(translated, parameters, disabled):
    api = resolve(translated, **parameters)["Api"]["Properties"]
    assert api["DisableExecuteApiEndpoint"] is disabled


@pytest.mark.parametrize("domain", [{}, DOMAIN])
def test_s_106_every_endpoint_requires_tls(translated, domain):
    """API Gateway enforces TLS 1.2 at all endpoints of HTTP APIs (developer guide, "Security policy for HTTP APIs")."""
    resources = resolve(translated, **domain)
    by_type = {}
    for name, resource in resources.items():
        assert not resource["Type"].startswith(OTHER_ENDPOINTS)
        by_type.setdefault(resource["Type"], {})[name] = resource["Properties"]
    [api] = by_type["AWS::ApiGatewayV2::Api"].values()
    assert api["ProtocolType"] == "HTTP"
    [permission] = by_type["AWS::Lambda::Permission"].values()
    assert permission["Principal"] == "apigateway.amazonaws.com" and ":${Api}/" in permission["SourceArn"]
    assert api["DisableExecuteApiEndpoint"] == bool(domain), "a domain disables the default URL of the API"
    domains = by_type.get("AWS::ApiGatewayV2::DomainName", {})
    mappings = by_type.get("AWS::ApiGatewayV2::ApiMapping", {})
    assert len(domains) == len(mappings) == (1 if domain else 0)
    for custom in domains.values():
        [configuration] = custom["DomainNameConfigurations"]
        assert custom["DomainName"] == domain["DomainName"]
        assert configuration["SecurityPolicy"] == "TLS_1_2"
        assert configuration["CertificateArn"] == domain["CertificateArn"]


def test_a_custom_domain_is_the_issuer(translated):
    issuer = properties(translated, "ApiFunction")["Environment"]["Variables"]["ISSUER"]
    assert issuer["Fn::If"][:2] == ["HasDomain", {"Fn::Sub": "https://${DomainName}"}]
    assert translated["Outputs"]["Issuer"]["Value"] == issuer
    for output, path in [("TokenUrl", "/oauth/token"), ("JwksUrl", "/.well-known/jwks.json")]:
        domain, otherwise = translated["Outputs"][output]["Value"]["Fn::If"][1:]
        assert domain == {"Fn::Sub": f"https://${{DomainName}}{path}"}
        proxy, default = otherwise["Fn::If"][1:]
        assert proxy == {"Fn::Sub": f"${{Issuer}}{path}"}, "the default URL may be disabled"
        assert default["Fn::Sub"].endswith(f".${{AWS::URLSuffix}}{path}")


def test_the_tables_are_retained_encrypted_and_recoverable(translated):
    assert resources_of_type(translated, "AWS::DynamoDB::Table") == TABLES.keys()
    for name, policy in TABLES.items():
        resource = resolve(translated)[name]
        table = resource["Properties"]
        assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == policy
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["SSESpecification"] == {"SSEEnabled": True}
        # Restoring the grants table would make revoked logins valid again.
        recovery = {"PointInTimeRecoveryEnabled": policy == "Retain"}
        assert table["PointInTimeRecoverySpecification"] == recovery
        assert table.get("DeletionProtectionEnabled", False) == (policy == "Retain")
    assert properties(translated, "GrantsTable")["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at", "Enabled": True,
    }
    secret = resolve(translated)["SigningSecret"]
    assert secret["DeletionPolicy"] == secret["UpdateReplacePolicy"] == "Retain"
    assert "KmsKeyId" not in secret["Properties"]


def test_a_kms_key_encrypts_the_tables_and_the_secret(translated):
    resources = resolve(translated, KmsKeyArn=KEY)
    for name in TABLES:
        encryption = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}
        assert resources[name]["Properties"]["SSESpecification"] == encryption
    assert resources["SigningSecret"]["Properties"]["KmsKeyId"] == KEY


@pytest.mark.parametrize(("table", "variable"), [("ClientsTable", "CLIENTS_TABLE"), ("UsersTable", "USERS_TABLE")])
def test_an_existing_table_replaces_the_table_of_the_stack(translated, table, variable):
    adopted = resolve(translated, **{f"Existing{table}": "earlier"})
    assert table not in adopted and len(adopted) == len(resolve(translated)) - 1
    assert adopted["ApiFunction"]["Properties"]["Environment"]["Variables"][variable] == "earlier"
    assert f"'{table}'" not in str(adopted) and ":table/earlier" in str(adopted["ApiRole"])
    output = translated["Outputs"][f"{table}Name"]["Value"]
    assert output == {"Fn::If": [f"Makes{table}", {"Ref": table}, {"Ref": f"Existing{table}"}]}


def test_the_template_names_no_region_and_no_account(translated):
    text = json.dumps(translated["Resources"])
    assert not re.search(r"\b(us|eu|ap|sa|ca|me|af)-[a-z]+-\d\b|\b\d{12}\b", text)


def test_every_log_group_has_the_retention_of_the_parameter(translated):
    groups = resources_of_type(translated, "AWS::Logs::LogGroup")
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
    # requestTimeEpoch and path have no query string. $context.integration.* and similar variables are not used.
    assert set(written.values()) == {
        "error.message", "httpMethod", "identity.sourceIp", "identity.userAgent", "integrationErrorMessage",
        "integrationLatency", "integrationStatus", "path", "protocol", "requestId", "requestTimeEpoch",
        "responseLatency", "responseLength", "status",
    }


def test_lambda_logs_its_own_lines_only_if_an_invocation_failed(translated):
    logging = properties(translated, "ApiFunction")["LoggingConfig"]
    levels = logging["LogFormat"], logging["SystemLogLevel"], logging["ApplicationLogLevel"]
    assert levels == ("JSON", "WARN", "INFO")


def test_tracing_and_reserved_concurrency_are_off_by_default(translated):
    function = resolve(translated)["ApiFunction"]["Properties"]
    assert function["TracingConfig"] == {"Mode": "PassThrough"}
    assert "ReservedConcurrentExecutions" not in function
    limited = resolve(translated, ReservedConcurrency="5", Tracing="Active", MemorySize=512, Architecture="arm64")
    function = limited["ApiFunction"]["Properties"]
    assert function["ReservedConcurrentExecutions"] == "5"
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["Architectures"] == ["arm64"] and function["MemorySize"] == 512


def test_every_parameter_is_described_constrained_and_used(translated):
    used = str(translated["Resources"]) + str(translated["Conditions"]) + str(translated["Rules"])
    groups = translated["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(translated["Parameters"])
    for name, parameter in translated["Parameters"].items():
        assert parameter["Description"] and "Default" in parameter
        constraints = {"AllowedValues"}, {"AllowedPattern", "ConstraintDescription"}, {"MinValue", "MaxValue"}, {"MaxLength"}
        assert any(constraint <= parameter.keys() for constraint in constraints), name
        assert f"'Ref': '{name}'" in used or f"${{{name}}}" in used, name
        if "AllowedValues" in parameter:
            assert parameter["Default"] in parameter["AllowedValues"]
        if "AllowedPattern" in parameter:
            assert re.search(parameter["AllowedPattern"], parameter["Default"])


@pytest.mark.parametrize(("name", "valid", "invalid"), [
    ("DomainName", ["login.example.com", "a-b.c.uk"],
     ["Login.example.com", "https://x.y", "x", "a..b", "-a.b", "a.b/"]),
    ("CertificateArn", ["arn:aws:acm:eu-west-2:123456789012:certificate/12ab-34"], ["certificate", "arn:aws:iam::1:x"]),
    ("Issuer", ["https://a.b", "https://a.b:8443/c/d", "http://127.0.0.1:4566/a"],
     ["http://a.b", "http://127.0.0.1.b", "https://a.b/", "https://a.b?c", "a.b"]),
    ("AlarmEmail", ["", "a.b+c@example.com"], ["a", "a@", "@a", "a b@c", "a@b@c"]),
    ("AlarmTopicArn", ["arn:aws:sns:eu-west-2:123456789012:alarms"], ["alarms", "arn:aws:sqs:eu-west-2:1:x"]),
    ("RefreshGrace", ["0", "5", "9", "10", "59", "60"], ["1", "4", "61", "05", "600", "-5", "5.5", ""]),
    ("Release", ["", "42", "2026-11-26_a.1"], ["a b", "a/b", "x" * 65]),
    ("ReservedConcurrency", ["", "1", "1000"], ["0", "01", "-1", "1e3", "x"]),
    ("KmsKeyArn", [KEY], ["key", KEY.replace(":key/", ":alias/"), KEY.replace("kms", "s3")]),
    ("PermissionsBoundaryArn", [BOUNDARY, "arn:aws:iam::aws:policy/x/y"], ["boundary", "arn:aws:iam::1:role/x"]),
    ("ExistingClientsTable", ["", "countersign-ClientsTable-1AB"], ["ab", "a/b", "arn:aws:dynamodb:x:1:table/abc"]),
    ("ExistingUsersTable", ["", "countersign-UsersTable-1AB"], ["ab", "a/b", "arn:aws:dynamodb:x:1:table/abc"]),
])
def test_a_parameter_accepts_only_valid_values(translated, name, valid, invalid):
    pattern = translated["Parameters"][name]["AllowedPattern"]
    assert all(re.search(pattern, value) for value in valid)
    assert not any(re.search(pattern, value) for value in invalid)
