//! A run of all flows and of all steps of a browser through the router, whose lines are compared with what happened.

use std::collections::BTreeMap;

use serde_json::Value;

use testing::{CLIENT_CREDENTIALS, FLOWS, Flow, LogLines, Response, SERVICE, Scenario, TestApp, form};

use super::{counts, filters};
use crate::browser::steps::{self, STEPS, Step};

#[derive(Default)]
struct Happened(BTreeMap<String, usize>);

impl Happened {
    fn add(&mut self, series: &str) {
        *self.0.entry(series.to_owned()).or_default() += 1;
    }

    /// Adds what a response to a flow means for the metrics.
    fn add_response(&mut self, flow: Flow, response: &Response) {
        match flow.event() {
            "revoke" => return self.add("SessionsEnded"),
            "introspect" | "userinfo" => return,
            _ => {}
        }
        let error = response.body["error"].as_str();
        match (grant(flow), error) {
            (grant, None) => self.add(&format!("TokensIssued {grant}")),
            ("password", Some("invalid_grant")) => self.add("LoginsRejected"),
            (_, Some("invalid_client")) => self.add("ClientsRejected"),
            _ if response.status == 429 => self.add("Throttled"),
            _ => {}
        }
        match flow {
            Flow::ImportedHash | Flow::ResumeImportedHash => self.add("HashesUpgraded"),
            Flow::NewNetwork => self.add("NewNetworks"),
            Flow::Replay | Flow::CookieReplay | Flow::ReplayedCode => self.add("RefreshReplayed"),
            _ => {}
        }
    }
}

/// Sends the request of a step of a browser, and returns its lines without those of the preparation.
async fn run_step(step: Step, happened: &mut Happened) -> Vec<Value> {
    let mut scenario = steps::Scenario::prepare(step).await;
    let log = LogLines::collect();
    scenario.send().await;
    match step {
        Step::WrongPassword | Step::UnknownUser | Step::UnexpectedUser => happened.add("LoginsRejected"),
        Step::Blocked => happened.add("Throttled"),
        Step::ImportedHash => happened.add("HashesUpgraded"),
        _ => {}
    }
    log.lines()
}

fn grant(flow: Flow) -> &'static str {
    match flow {
        Flow::ClientCredentials
        | Flow::Assertion
        | Flow::Federated
        | Flow::ColdStart
        | Flow::Reload
        | Flow::Resume
        | Flow::WrongClientSecret
        | Flow::WrongImportedSecret
        | Flow::ImportedSecret
        | Flow::DisabledClient => "client_credentials",
        Flow::Password
        | Flow::PasswordOnly
        | Flow::WrongPassword
        | Flow::UnknownUser
        | Flow::BlockedGuess
        | Flow::NewNetwork
        | Flow::ImportedHash
        | Flow::ResumeImportedHash
        | Flow::CookieLogin => "password",
        Flow::Exchange | Flow::ReplayedCode => "authorization_code",
        _ => "refresh_token",
    }
}

/// Sends the request of a flow, and returns its lines without those of the preparation.
async fn run(flow: Flow, happened: &mut Happened) -> Vec<Value> {
    let log = LogLines::collect();
    let scenario = Scenario::prepare(flow).await;
    let before = log.lines().len();
    let response = scenario.start_and_send().await;
    happened.add_response(flow, &response);
    log.lines().split_off(before)
}

/// Requests a token of version 1, and then a token while the signing keys cannot be loaded.
async fn version_1_and_failed_load(happened: &mut Happened) -> Vec<Value> {
    let test = TestApp::start().await;
    let log = LogLines::collect();
    let request = || form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1);
    test.send(request().header("accept", "version=1").post()).await.assert_issued(1);
    happened.add("TokenVersion1Issued");
    test.cloud.put_secret("not a document of keys").unwrap();
    test.advance_clock(1000);
    test.send(request().post()).await.assert_issued(2);
    happened.add("KeyLoadFailures");
    for _ in 0..2 {
        happened.add("TokensIssued client_credentials");
    }
    log.lines()
}

#[tokio::test]
async fn s_606_each_metric_counts_what_happened_in_a_run_of_all_flows_and_steps() {
    let (mut lines, mut happened) = (Vec::new(), Happened::default());
    for &flow in FLOWS {
        lines.extend(run(flow, &mut happened).await);
    }
    for (step, _, _) in STEPS {
        lines.extend(run_step(*step, &mut happened).await);
    }
    lines.extend(version_1_and_failed_load(&mut happened).await);
    let counted = counts("ApiLogGroup", &lines);
    assert_eq!(counted, happened.0);
    let of_function = filters().into_iter().filter(|(_, filter)| filter.log_group == "ApiLogGroup");
    let is_counted = |name: &str| counted.keys().any(|series| series.split(' ').next() == Some(name));
    let not_counted: Vec<_> = of_function.map(|(name, _)| name).filter(|name| !is_counted(name)).collect();
    assert!(not_counted.is_empty(), "each metric needs a flow that it counts: {not_counted:?}");
}
