"""Metrics, alarms, saved queries and the dashboard, on the translated template and on the local cloud."""

import json
import re

import pytest

from cloudformation import resolve
from conftest import ROOT
from local_cloud import stack
from test_template import TABLES, resources_of_type

OWN = "countersign/countersign"


def own_metrics(translated):
    """Returns the metrics that the filters count, each with its dimension."""
    names = resources_of_type(translated, "AWS::Logs::MetricFilter")
    filters = [properties for name, properties in resolve(translated).items() if name in names]
    metrics = [metric for each in filters for metric in each["Properties"]["MetricTransformations"]]
    assert all(metric["MetricNamespace"] == OWN for metric in metrics)
    return {metric["MetricName"]: [each["Key"] for each in metric.get("Dimensions", [])] for metric in metrics}


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
    "RotationLateAlarm": ("AWS/Lambda", "Invocations", "Sum", 21600, 5, 5, "<", 1),
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
OUTSIDE = "LessThanLowerOrGreaterThanUpperThreshold"
BANDS = {
    "LoginsUnusualAlarm": ("LoginsRejected", {}, 300, 3, 3, 4, "GreaterThanUpperThreshold"),
    "MachineVolumeAlarm": ("TokensIssued", {"grant": "client_credentials"}, 900, 3, 4, 6, OUTSIDE),
    "UserVolumeAlarm": ("TokensIssued", {"grant": "password"}, 900, 3, 4, 6, OUTSIDE),
    "CodeVolumeAlarm": ("TokensIssued", {"grant": "authorization_code"}, 900, 3, 4, 6, OUTSIDE),
}
COMPARISONS = {"GreaterThanThreshold": ">", "GreaterThanOrEqualToThreshold": ">=", "LessThanThreshold": "<"}
# The alarms that notify only through GuessingAlarm.
PARTS = {"LoginsUnusualAlarm", "LoginsRejectedAlarm", "ThrottledAlarm", "GatewayThrottledAlarm"}


def rule(alarm):
    periods = alarm["EvaluationPeriods"]
    return (
        alarm["Namespace"], alarm["MetricName"], alarm.get("ExtendedStatistic") or alarm["Statistic"], alarm["Period"],
        alarm.get("DatapointsToAlarm", periods), periods, COMPARISONS[alarm["ComparisonOperator"]], alarm["Threshold"],
    )


def test_watch_selects_the_alarms(translated):
    basic, full = (alarms(translated, Watch=watch, LoginPages="on") for watch in ("basic", "full"))
    assert {name: rule(alarm) for name, alarm in basic.items()} == BASIC
    assert {name: rule(alarm) for name, alarm in full.items() if "MetricName" in alarm} == FULL
    assert full.keys() == FULL.keys() | BANDS.keys() | {"GuessingAlarm"}
    assert full.keys() - alarms(translated).keys() == {"CodeVolumeAlarm"}
    for alarm in (alarm for alarm in full.values() if alarm.get("Namespace") == OWN):
        assert own_metrics(translated)[alarm["MetricName"]] == [] and "Dimensions" not in alarm
    # An idle deployment raises no alarm, except if the daily rotation does not run.
    missing = {name: alarm["TreatMissingData"] for name, alarm in full.items() if name != "GuessingAlarm"}
    assert {name for name, treat in missing.items() if treat != "notBreaching"} == {"RotationLateAlarm"}
    assert missing["RotationLateAlarm"] == "breaching"


def test_bands_are_learned_from_the_metrics_of_the_stack(translated):
    """The local cloud rejects metric math."""
    for name, (metric, dimensions, period, points, periods, deviations, comparison) in BANDS.items():
        alarm = alarms(translated, LoginPages="on")[name]
        [count, band] = alarm["Metrics"]
        statistic = count["MetricStat"]
        assert (statistic["Period"], statistic["Stat"]) == (period, "Sum")
        assert (statistic["Metric"]["Namespace"], statistic["Metric"]["MetricName"]) == (OWN, metric)
        assert {each["Name"]: each["Value"] for each in statistic["Metric"].get("Dimensions", [])} == dimensions
        assert own_metrics(translated)[metric] == list(dimensions)
        assert band["Expression"] == f"ANOMALY_DETECTION_BAND({count['Id']}, {deviations})"
        assert alarm["ThresholdMetricId"] == band["Id"] and alarm["ComparisonOperator"] == comparison
        assert alarm["EvaluationPeriods"] == periods and alarm.get("DatapointsToAlarm", periods) == points


def test_guessing_combines_its_parts(translated):
    """The local cloud rejects composite alarms."""
    expression = alarms(translated)["GuessingAlarm"]["AlarmRule"]
    assert {name for name in re.findall(r'ALARM\("\$\{(\w+)\}"\)', expression)} == PARTS
    python = re.sub(r'ALARM\("\$\{(\w+)\}"\)', r"\1", expression).replace("AND", "and").replace("OR", "or")

    def rings(*parts):
        return eval(python, {name: name in parts for name in PARTS})

    assert rings("LoginsUnusualAlarm", "LoginsRejectedAlarm")
    assert rings("ThrottledAlarm") and rings("GatewayThrottledAlarm")
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
    for name, alarm in alarms(translated, LoginPages="on").items():
        link = alarm["AlarmDescription"].rsplit(" ", 1)[1]
        path, anchor = link.split("#")
        assert path == "docs/deployment.md", name
        section = re.search(rf"(?ims)^### {anchor.replace('-', ' ')}\n(.*?)(?=^#)", page)
        assert section, f"{name}: no section {anchor}"
        assert all(f"**{part}:**" in section[1] for part in ("Meaning", "First look", "Remedy")), anchor


# The members of a line of the audit log. Those with @ are CloudWatch's.
LINE = {
    "@timestamp", "client_id", "error", "event", "failures", "grant", "hash_ms", "jti", "kid", "lane", "level",
    "outcome", "reason", "request_id", "retry_after", "risk", "secret_id", "session", "source", "status", "store_ms",
    "timestamp", "total_ms", "upgraded", "user", "user_source", "version",
}
KEYWORDS = {"and", "as", "asc", "by", "coalesce", "count", "desc", "fields", "filter", "in", "ispresent", "limit", "max",
            "or", "sort", "stats"}


def test_saved_queries_use_the_members_of_a_line(translated):
    """The local cloud rejects saved queries."""
    queries = [each for each in resolve(translated).values() if each["Type"] == "AWS::Logs::QueryDefinition"]
    assert {query["Properties"]["Name"] for query in queries} == {
        f"countersign/{name}" for name in (
            "accounts and addresses with most failures", "clients with the password grant",
            "clients with token version 1", "one session from login to end", "rejections by reason and client",
            "secrets by last use", "slowest requests",
        )
    }
    for query in queries:
        assert query["Properties"]["LogGroupNames"] == [{"Ref": "ApiLogGroup"}]
        text = re.sub(r"^#.*\n", "", query["Properties"]["QueryString"])
        names = set(re.findall(r"@?[a-z]\w*", re.sub(r'"[^"]*"', "", text)))
        aliases = set(re.findall(r" as (\w+)", text))
        assert names <= LINE | KEYWORDS | aliases, text
        assert not [line for line in text.splitlines()[1:] if not line.startswith("| ")]
    basic = {each["Type"] for each in resolve(translated, Watch="basic").values()}
    assert not basic & {"AWS::Logs::QueryDefinition", "AWS::CloudWatch::Dashboard"}


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


def test_filters_and_basic_alarms_are_deployed(shared_stack, translated):
    cloud, resources = shared_stack.cloud, shared_stack.resources
    deployed = {}
    for group in ("ApiLogGroup", "AccessLogGroup"):
        described = cloud.client("logs").describe_metric_filters(logGroupName=resources[group])["metricFilters"]
        for each in described:
            [metric] = each["metricTransformations"]
            assert metric["metricNamespace"] == f"countersign/{shared_stack.name}" and "defaultValue" not in metric
            deployed[metric["metricName"]] = (group, each["filterPattern"])
    assert deployed == {
        name: (properties["LogGroupName"]["Ref"], properties["FilterPattern"])
        for name in own_metrics(translated) for properties in [translated["Resources"][name]["Properties"]]
    }
    names = [resources[name] for name in BASIC]
    described = cloud.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert {alarm["AlarmName"]: rule(alarm) for alarm in described} == {resources[name]: BASIC[name] for name in BASIC}
    assert not (FULL.keys() - BASIC.keys() | BANDS.keys() | {"GuessingAlarm", "Dashboard"}) & resources.keys()


def test_the_dashboard_and_the_alarms_without_metric_math_are_deployed(cloud, translated):
    """The rest of Watch=full, which the local cloud rejects, is checked on the translated template."""
    full = resolve(translated, Watch="full")
    rest = [name for name in full if name == "Dashboard" or name in FULL.keys() - BASIC.keys()]
    parts = {name: translated["Resources"][name] for name in [*rest, "ApiFunction", "Api", "GrantsTable"]}
    body = json.dumps({"Parameters": translated["Parameters"], "Conditions": translated["Conditions"], "Resources": {
        name: part if name in rest else {"Type": "AWS::Logs::LogGroup"} for name, part in parts.items()
    }})
    parameters = {"ExistingClientsTable": "clients", "ExistingUsersTable": "users"}
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName="countersign-watch", TemplateBody=body, Parameters=parameters)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="countersign-watch", WaiterConfig={"Delay": 1})
    deployed = stack.Stack(cloud, "countersign-watch").resources
    dashboard = cloud.client("cloudwatch").get_dashboard(DashboardName="countersign-watch-eu-west-2")
    shown = json.loads(dashboard["DashboardBody"])["widgets"]
    assert [widget["properties"]["title"] for widget in shown] == [
        widget["properties"]["title"] for widget in widgets(translated)
    ]
    metrics = [metric for widget in shown for metric in widget["properties"]["metrics"]]
    tables = {metric[3] for metric in metrics if metric[0] == "AWS/DynamoDB"}
    assert tables == {"clients", "users", deployed["GrantsTable"]} and "${" not in dashboard["DashboardBody"]
    names = [deployed[name] for name in rest if name != "Dashboard"]
    assert len(cloud.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]) == 4


def test_s_608_the_audit_log_survives_its_stack(cloud):
    """Deletion protection is checked on the template, because the local cloud does not have it."""
    cloudformation = cloud.client("cloudformation")
    parts = stack.template()
    group = parts["Resources"]["ApiLogGroup"]
    body = json.dumps({"Parameters": parts["Parameters"], "Resources": {"ApiLogGroup": group}})
    cloudformation.create_stack(StackName="countersign-log", TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="countersign-log", WaiterConfig={"Delay": 1})
    name = stack.Stack(cloud, "countersign-log").resources["ApiLogGroup"]
    cloudformation.delete_stack(StackName="countersign-log")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="countersign-log", WaiterConfig={"Delay": 1})
    [kept] = cloud.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert kept["retentionInDays"] == 90
