//! S-606: the metric filters of `template.yaml` over the log lines. The patterns are read from the template, and
//! evaluated on each line like AWS does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use countersign::client::GrantType;
use testing::cloud::TEMPLATE;

mod flows;
mod pattern;

use pattern::matches;

/// A filter of the template.
struct Filter {
    log_group: String,
    pattern: String,
    /// The one metric that the filter counts.
    metric: Value,
}

/// Returns the filters by the name of their metric.
fn filters() -> BTreeMap<String, Filter> {
    let resources = TEMPLATE["Resources"].as_object().unwrap().values();
    let filters = resources.filter(|resource| resource["Type"] == "AWS::Logs::MetricFilter").map(|resource| {
        let properties = &resource["Properties"];
        let [metric] = &properties["MetricTransformations"].as_array().unwrap()[..] else { panic!("{properties}") };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let filter = Filter {
            log_group: text(&properties["LogGroupName"]),
            pattern: text(&properties["FilterPattern"]),
            metric: metric.clone(),
        };
        (text(&metric["MetricName"]), filter)
    });
    filters.collect()
}

/// Returns how often each metric counts lines of a log group. A metric with a dimension is named with its value.
fn counts(log_group: &str, lines: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (name, filter) in filters().into_iter().filter(|(_, filter)| filter.log_group == log_group) {
        for line in lines.iter().filter(|line| matches(&filter.pattern, line)) {
            let series = match dimension(&filter) {
                // CloudWatch Logs counts no line that lacks the dimension.
                Some(member) if line[&member].is_null() => continue,
                Some(member) => format!("{name} {}", line[&member].as_str().unwrap()),
                None => name.clone(),
            };
            *counts.entry(series).or_default() += 1;
        }
    }
    counts
}

/// Returns the member of a line that is the dimension of the metric.
fn dimension(filter: &Filter) -> Option<String> {
    let [dimension] = &filter.metric["Dimensions"].as_array()?[..] else { panic!("more than one dimension") };
    Some(dimension["Value"].as_str().unwrap().strip_prefix("$.").unwrap().to_owned())
}

#[test]
fn s_606_the_metrics_of_the_audit_log_have_at_most_13_series_and_no_value_that_a_caller_chooses() {
    let mut series = 0;
    for (name, filter) in filters() {
        assert_eq!(filter.metric["MetricNamespace"], "countersign/${AWS::StackName}", "{name}");
        assert_eq!((&filter.metric["MetricValue"], &filter.metric["Unit"]), (&json!("1"), &json!("Count")), "{name}");
        assert_eq!(filter.metric.get("DefaultValue"), None, "{name} would cost something without data");
        let dimension = dimension(&filter);
        assert_eq!(dimension.as_deref(), (name == "TokensIssued").then_some("grant"), "{name}");
        if filter.log_group == "ApiLogGroup" {
            series += if dimension.is_some() { GrantType::ALL.len() } else { 1 };
        }
    }
    assert!(series <= 13, "{series}");
}

#[test]
fn the_dashboard_shows_the_tokens_of_each_grant() {
    let body = TEMPLATE["Resources"]["Dashboard"]["Properties"]["DashboardBody"][0].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let widgets = body["widgets"].as_array().unwrap().iter();
    let metrics = widgets.flat_map(|widget| widget["properties"]["metrics"].as_array().unwrap());
    let shown: BTreeSet<_> =
        metrics.filter(|metric| metric[1] == "TokensIssued").map(|metric| metric[3].as_str().unwrap()).collect();
    assert_eq!(shown, GrantType::ALL.map(GrantType::as_str).into());
}

/// Returns the members of a line, and others.
fn with(line: Value, others: &Value) -> Value {
    let Value::Object(mut members) = line else { panic!("{line}") };
    members.extend(others.as_object().unwrap().clone());
    Value::Object(members)
}

#[test]
fn each_line_is_counted_by_its_metrics() {
    let issued =
        |grant: &str| json!({"event": "token", "outcome": "issued", "status": 200, "version": 2, "grant": grant});
    let login = |others: Value| with(issued("password"), &others);
    let rejected = |grant: &str, status: u16, error: &str| {
        let line = json!({"event": "token", "outcome": "rejected", "grant": grant});
        with(line, &json!({"status": status, "error": error}))
    };
    let replay = with(rejected("refresh_token", 400, "invalid_grant"), &json!({"risk": "replay"}));
    let revocation = with(rejected("", 401, "invalid_client"), &json!({"event": "revoke"}));
    for (line, metrics) in [
        (issued("client_credentials"), &["TokensIssued client_credentials"][..]),
        (issued("refresh_token"), &["TokensIssued refresh_token"]),
        (login(json!({"version": 1})), &["TokenVersion1Issued", "TokensIssued password"]),
        (login(json!({"risk": "new_network"})), &["NewNetworks", "TokensIssued password"]),
        (login(json!({"risk": "after_failures"})), &["TokensIssued password"]),
        (login(json!({"upgraded": "bcrypt"})), &["HashesUpgraded", "TokensIssued password"]),
        (login(json!({"outcome": "failed", "status": 503, "error": "temporarily_unavailable"})), &[]),
        (rejected("password", 400, "invalid_grant"), &["LoginsRejected"]),
        (rejected("refresh_token", 400, "invalid_grant"), &[]),
        (rejected("password", 401, "invalid_client"), &["ClientsRejected"]),
        (rejected("password", 400, "invalid_scope"), &[]),
        (rejected("password", 429, "temporarily_unavailable"), &["Throttled"]),
        (replay, &["RefreshReplayed"]),
        (json!({"event": "keys", "outcome": "failed", "reason": "no response in time"}), &["KeyLoadFailures"]),
        (json!({"event": "keys", "outcome": "done"}), &[]),
        (json!({"event": "revoke", "outcome": "done", "status": 200}), &["SessionsEnded"]),
        (revocation, &["ClientsRejected"]),
        (json!({"event": "introspect", "outcome": "done", "status": 200}), &[]),
        (json!({"level": "ERROR", "message": "panic"}), &[]),
    ] {
        let counted = counts("ApiLogGroup", std::slice::from_ref(&line));
        assert_eq!(counted.keys().collect::<Vec<_>>(), metrics, "{line}");
        assert!(counted.values().all(|count| *count == 1), "{line}");
    }
}

/// The members of the access log are strings. Without an integration, the gateway writes a hyphen.
#[test]
fn a_429_of_the_gateway_is_counted_and_a_429_of_the_function_is_not() {
    let line = |status: &str, integration: &str| json!({"status": status, "integration_status": integration});
    for (line, count) in
        [(line("429", "-"), Some(1)), (line("429", "200"), None), (line("404", "-"), None), (line("200", "200"), None)]
    {
        assert_eq!(counts("AccessLogGroup", &[line]).get("GatewayThrottled").copied(), count);
    }
    let format = TEMPLATE["Resources"]["ApiStage"]["Properties"]["AccessLogSettings"]["Format"].as_str().unwrap();
    for member in [r#""status":"$context.status""#, r#""integration_status":"$context.integrationStatus""#] {
        assert!(format.contains(member), "{member}");
    }
}
