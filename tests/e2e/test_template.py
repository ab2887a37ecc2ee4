"""Properties of template.yaml after SAM's translation, which is the form that CloudFormation gets."""

import graphlib
import json
import re
import subprocess
from fnmatch import fnmatchcase
from unittest.mock import Mock

import pytest
from samtranslator.translator.transform import transform

from cloudformation import resolve
from conftest import ROOT
from local_cloud.stack import template

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


def resources_of_type(translated, resource_type):
    return {name for name, resource in translated["Resources"].items() if resource["Type"] == resource_type}


def test_sam_accepts_the_template():
    done = subprocess.run(["make", "lint"], cwd=ROOT, capture_output=True, text=True, timeout=300)
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


ROLES = {"ApiRole", "RotateRole", "ScheduleRole"}
KEY = "arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"


def test_s_603_each_role_has_only_its_inline_policy(translated):
    """The permissions themselves are tested on the deployed stack, in test_permissions.py."""
    assert resources_of_type(translated, "AWS::IAM::Role") == ROLES
    assert not resources_of_type(translated, "AWS::IAM::Policy")
    assert not resources_of_type(translated, "AWS::IAM::ManagedPolicy")
    for parameters, boundary in [({}, None), ({"PermissionsBoundaryArn": BOUNDARY}, BOUNDARY)]:
        resources = resolve(translated, **parameters)
        for name in ROLES:
            role = resources[name]["Properties"]
            assert "ManagedPolicyArns" not in role and len(role["Policies"]) == 1
            assert role.get("PermissionsBoundary") == boundary


def test_s_603_optional_permissions_are_granted_only_if_their_parameter_is_set(translated):
    def optional(**parameters):
        return {
            (name, statement["Sid"])
            for name in ROLES for policy in resolve(translated, **parameters)[name]["Properties"]["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Resource"] == "*" or str(statement["Action"]).count("kms:")
        }

    assert optional() == set()
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


def test_s_603_only_the_api_may_invoke_the_function(translated):
    [permission] = resources_of_type(translated, "AWS::Lambda::Permission")
    permission = resolve(translated)[permission]["Properties"]
    assert permission["Action"] == "lambda:InvokeFunction"
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert not resources_of_type(translated, "AWS::Lambda::Url")
    arn = "arn:aws:execute-api:eu-west-2:000000000000"
    calls = ["POST/oauth/token", "GET/.well-known/*", "$default"]
    assert len(calls) == len(routes(translated))
    for call in calls:
        assert fnmatchcase(f"{arn}:${{Api}}/$default/{call}", permission["SourceArn"])
        assert not fnmatchcase(f"{arn}:another/$default/{call}", permission["SourceArn"])


def test_token_endpoint_and_published_documents_have_their_own_throttling_limits(translated):
    integration = {"Fn::Sub": "integrations/${ApiIntegration}"}
    assert routes(translated).keys() == {"$default", "POST /oauth/token", "GET /.well-known/{proxy+}"}
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
    token_url = translated["Outputs"]["TokenUrl"]["Value"]
    assert token_url["Fn::If"][:2] == ["HasDomain", {"Fn::Sub": "https://${DomainName}/oauth/token"}]


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


OWN = "countersign/countersign"


def own_metrics(translated):
    """Returns the metrics that the filters count, each with its dimension."""
    names = resources_of_type(translated, "AWS::Logs::MetricFilter")
    [*metrics] = [metric for name in names for metric in resolve(translated)[name]["Properties"]["MetricTransformations"]]
    assert all(metric["MetricNamespace"] == OWN for metric in metrics)
    return {metric["MetricName"]: [dimension["Key"] for dimension in metric.get("Dimensions", [])] for metric in metrics}


def alarms(translated, **parameters):
    """Returns the properties of all alarms of a deployment."""
    return {
        name: resource["Properties"] for name, resource in resolve(translated, **parameters).items()
        if resource["Type"] in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
    }


# Name, metric, statistic, seconds of a period, data points that breach, periods, comparison, threshold.
BASIC = {
    "FaultAlarm": ("AWS/ApiGateway", "5xx", "Sum", 60, 2, 5, ">", 0),
    "RotationAlarm": ("AWS/Lambda", "Errors", "Sum", 300, 1, 1, ">", 0),
    "RotationLateAlarm": ("AWS/Lambda", "Invocations", "Sum", 86400, 1, 1, "<", 1),
    "LatencyAlarm": ("AWS/ApiGateway", "IntegrationLatency", "p99", 60, 3, 5, ">", 1500),
    "CapacityAlarm": ("AWS/Lambda", "Throttles", "Sum", 60, 2, 5, ">", 0),
    "KeysAlarm": (OWN, "KeyLoadFailures", "Sum", 300, 2, 3, ">", 0),
}
FULL = BASIC | {
    "ReplayAlarm": (OWN, "RefreshReplayed", "Sum", 3600, 1, 1, ">=", 5),
    "LoginsRejectedAlarm": (OWN, "LoginsRejected", "Sum", 300, 3, 3, ">", 50),
    "ThrottledAlarm": (OWN, "Throttled", "Sum", 300, 1, 1, ">", 100),
    "GatewayThrottledAlarm": (OWN, "GatewayThrottled", "Sum", 300, 1, 1, ">", 100),
}
# Name, metric, dimensions, seconds of a period, data points that breach, periods, deviations, comparison.
BANDS = {
    "LoginsUnusualAlarm": ("LoginsRejected", {}, 300, 3, 3, 4, "GreaterThanUpperThreshold"),
    "MachineVolumeAlarm": (
        "TokensIssued", {"grant": "client_credentials"}, 900, 3, 4, 6, "LessThanLowerOrGreaterThanUpperThreshold",
    ),
    "UserVolumeAlarm": ("TokensIssued", {"grant": "password"}, 900, 3, 4, 6, "LessThanLowerOrGreaterThanUpperThreshold"),
}
COMPARISONS = {"GreaterThanThreshold": ">", "GreaterThanOrEqualToThreshold": ">=", "LessThanThreshold": "<"}
# The alarms that notify only through GuessingAlarm.
PARTS = {"LoginsUnusualAlarm", "LoginsRejectedAlarm", "ThrottledAlarm", "GatewayThrottledAlarm"}


def rule(alarm):
    periods = alarm["EvaluationPeriods"]
    return (
        alarm["Namespace"], alarm["MetricName"], alarm.get("Statistic") or alarm["ExtendedStatistic"], alarm["Period"],
        alarm.get("DatapointsToAlarm", periods), periods, COMPARISONS[alarm["ComparisonOperator"]], alarm["Threshold"],
    )


def test_watch_selects_the_alarms(translated):
    basic, full = alarms(translated, Watch="basic"), alarms(translated)
    assert {name: rule(alarm) for name, alarm in basic.items()} == BASIC
    assert {name: rule(alarm) for name, alarm in full.items() if "MetricName" in alarm} == FULL
    assert full.keys() == FULL.keys() | BANDS.keys() | {"GuessingAlarm"}
    for alarm in (alarm for alarm in full.values() if alarm.get("Namespace") == OWN):
        assert own_metrics(translated)[alarm["MetricName"]] == [] and "Dimensions" not in alarm
    # An idle deployment raises no alarm, except if the daily rotation does not run.
    missing = {name: alarm["TreatMissingData"] for name, alarm in full.items() if name != "GuessingAlarm"}
    assert {name for name, treat in missing.items() if treat != "notBreaching"} == {"RotationLateAlarm"}
    assert missing["RotationLateAlarm"] == "breaching"


def test_bands_are_learned_from_the_metrics_of_the_stack(translated):
    """The local cloud rejects metric math."""
    for name, (metric, dimensions, period, points, periods, deviations, comparison) in BANDS.items():
        alarm = alarms(translated)[name]
        [count, band] = alarm["Metrics"]
        statistic = count["MetricStat"]
        assert (statistic["Period"], statistic["Stat"]) == (period, "Sum")
        assert (statistic["Metric"]["Namespace"], statistic["Metric"]["MetricName"]) == (OWN, metric)
        assert {each["Name"]: each["Value"] for each in statistic["Metric"].get("Dimensions", [])} == dimensions
        assert own_metrics(translated)[metric] == list(dimensions)
        assert band["Expression"] == f"ANOMALY_DETECTION_BAND({count['Id']}, {deviations})"
        assert alarm["ThresholdMetricId"] == band["Id"] and alarm["ComparisonOperator"] == comparison
        assert (alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]), alarm["EvaluationPeriods"]) == (points, periods)


def test_guessing_combines_its_parts(translated):
    """The local cloud rejects composite alarms."""
    expression = alarms(translated)["GuessingAlarm"]["AlarmRule"]
    assert {name for name in re.findall(r'ALARM\("\$\{(\w+)\}"\)', expression)} == PARTS
    python = re.sub(r'ALARM\("\$\{(\w+)\}"\)', r"\1", expression).replace("AND", "and").replace("OR", "or")

    def rings(*parts):
        return eval(python, {name: name in parts for name in PARTS})

    assert rings("LoginsUnusualAlarm", "LoginsRejectedAlarm") and rings("ThrottledAlarm") and rings("GatewayThrottledAlarm")
    assert not rings("LoginsUnusualAlarm") and not rings("LoginsRejectedAlarm") and not rings()


TOPIC = "arn:aws:sns:eu-west-2:123456789012:alarms"


@pytest.mark.parametrize(("parameters", "notified"), [
    ({}, []),
    ({"AlarmTopicArn": TOPIC}, [TOPIC]),
    ({"AlarmEmail": "operators@example.com"}, [{"Ref": "AlarmTopic"}]),
    ({"AlarmEmail": "operators@example.com", "AlarmTopicArn": TOPIC}, [{"Ref": "AlarmTopic"}, TOPIC]),
])
def test_alarms_notify_the_email_address_and_the_topic(translated, parameters, notified):
    resources = resolve(translated, **parameters)
    for name, alarm in alarms(translated, **parameters).items():
        assert alarm.get("AlarmActions") == (None if name in PARTS else notified), name
        assert alarm.get("OKActions", notified) == notified
    assert ("AlarmTopic" in resources) == ("AlarmSubscription" in resources) == ("AlarmEmail" in parameters)
    if "AlarmEmail" in parameters:
        subscription = {"TopicArn": {"Ref": "AlarmTopic"}, "Protocol": "email", "Endpoint": "operators@example.com"}
        assert resources["AlarmSubscription"]["Properties"] == subscription


def test_the_description_of_an_alarm_ends_with_its_runbook(translated):
    page = (ROOT / "docs/deployment.md").read_text()
    for name, alarm in alarms(translated).items():
        link = alarm["AlarmDescription"].rsplit(" ", 1)[1]
        path, anchor = link.split("#")
        assert path == "docs/deployment.md", name
        section = re.search(rf"^### {anchor.replace('-', ' ')}\n(.*?)(?=^#)", page, re.IGNORECASE | re.MULTILINE | re.DOTALL)
        assert section, f"{name}: no section {anchor}"
        assert all(f"**{part}:**" in section[1] for part in ("Meaning", "First look", "Remedy")), anchor


# The members of a line of the audit log. Those with @ are CloudWatch's.
LINE = {
    "@timestamp", "client_id", "error", "event", "failures", "grant", "hash_ms", "jti", "kid", "lane", "level", "outcome",
    "reason", "request_id", "retry_after", "risk", "secret_id", "session", "source", "status", "store_ms", "timestamp",
    "total_ms", "upgraded", "user", "user_source", "version",
}
KEYWORDS = {"and", "as", "asc", "by", "coalesce", "count", "desc", "fields", "filter", "in", "ispresent", "limit", "max",
            "or", "sort", "stats"}


def test_saved_queries_use_the_members_of_a_line(translated):
    """The local cloud rejects saved queries."""
    queries = [each for each in resolve(translated).values() if each["Type"] == "AWS::Logs::QueryDefinition"]
    assert {query["Properties"]["Name"] for query in queries} == {
        f"countersign/{name}" for name in (
            "accounts and addresses with most failures", "clients with the password grant", "clients with token version 1",
            "one session from login to end", "rejections by reason and client", "secrets by last use", "slowest requests",
        )
    }
    for query in queries:
        assert query["Properties"]["LogGroupNames"] == [{"Ref": "ApiLogGroup"}]
        text = re.sub(r"^#.*\n", "", query["Properties"]["QueryString"])
        names = set(re.findall(r"@?[a-z]\w*", re.sub(r'"[^"]*"', "", text)))
        aliases = set(re.findall(r" as (\w+)", text))
        assert names <= LINE | KEYWORDS | aliases, text
        assert not [line for line in text.splitlines()[1:] if not line.startswith("| ")]
    watched = resolve(translated, Watch="basic").values()
    assert not [each for each in watched if each["Type"] in ("AWS::Logs::QueryDefinition", "AWS::CloudWatch::Dashboard")]


def widgets(translated, **parameters):
    """Returns the properties of the widgets of the dashboard."""
    [body, names] = resolve(translated, **parameters)["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for name, value in names.items():
        body = body.replace(f"${{{name}}}", value if isinstance(value, str) else value["Ref"])
    body = body.replace("${AWS::StackName}", "countersign").replace("${AWS::Region}", "eu-west-2")
    return json.loads(re.sub(r"\$\{(\w+)\}", r"\1", body))["widgets"]


def test_the_dashboard_shows_every_metric_of_the_stack(translated):
    """Names of resources stand for the resources, because the body is a text in which they are inserted."""
    shown, area = {}, set()
    for widget in widgets(translated):
        settings = widget["properties"]
        assert settings["region"] == "eu-west-2" and settings["period"] == 60 and settings["title"]
        cells = {(widget["x"] + x, widget["y"] + y) for x in range(widget["width"]) for y in range(widget["height"])}
        assert not cells & area and max(x for x, _ in cells) < 24, "widgets do not overlap"
        area |= cells
        for metric in settings["metrics"]:
            *path, label = metric
            assert label["label"]
            shown.setdefault(path[0], []).append(path[1:])
    own = {(name, *(["grant"] if dimensions else [])) for name, dimensions in own_metrics(translated).items()}
    assert {tuple(path[:2]) for path in shown.pop(OWN)} == own
    assert shown.pop("...") == [[]]
    assert {path[2] for path in shown.pop("AWS/DynamoDB")} == TABLES.keys()
    assert {tuple(path[1:]) for path in shown.pop("AWS/Lambda")} == {("FunctionName", "ApiFunction")}
    assert {tuple(path[1:]) for path in shown.pop("AWS/ApiGateway")} == {("ApiId", "Api")}
    assert not shown
    assert "earlier" in str(widgets(translated, ExistingUsersTable="earlier"))


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
        constraints = {"AllowedValues"}, {"AllowedPattern", "ConstraintDescription"}, {"MinValue", "MaxValue"}
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
    ("Issuer", ["https://a.b", "https://a.b:8443/c/d"], ["http://a.b", "https://a.b/", "https://a.b?c", "a.b"]),
    ("AlarmEmail", ["", "a.b+c@example.com"], ["a", "a@", "@a", "a b@c", "a@b@c"]),
    ("AlarmTopicArn", ["arn:aws:sns:eu-west-2:123456789012:alarms"], ["alarms", "arn:aws:sqs:eu-west-2:1:x"]),
    ("RefreshGrace", ["0", "5", "9", "10", "59", "60"], ["1", "4", "61", "05", "600", "-5", "5.5", ""]),
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
