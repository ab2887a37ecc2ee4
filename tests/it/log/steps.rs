//! The members of the line of each step of a browser (S-605).

use serde_json::json;

use super::fields::only_line;
use crate::browser::steps::{STEPS, Scenario, Step, outcome};
use testing::LogLines;

/// Returns the members that the line of a step has besides those of every decision.
fn members(step: Step) -> &'static str {
    match step {
        Step::UnknownClient => "error reason store_ms",
        Step::ForeignRedirectUri | Step::UnknownScope | Step::SilentWithoutSession => "client_id error reason store_ms",
        Step::ConsentPage => "client_id user store_ms",
        Step::Authorize | Step::Silent | Step::Consent => "client_id user session store_ms",
        Step::Login | Step::Renewal | Step::OtherUser => "grant client_id user lane failures hash_ms store_ms",
        Step::ImportedHash => "grant client_id user upgraded lane failures hash_ms store_ms",
        Step::WrongPassword | Step::UnexpectedUser => {
            "grant client_id user lane failures error reason hash_ms store_ms"
        }
        Step::UnknownUser => "grant client_id lane failures error reason hash_ms store_ms",
        Step::Blocked => "grant client_id lane failures retry_after error reason store_ms",
        Step::Cancel => "grant client_id error reason store_ms",
        Step::Deny => "client_id user error reason store_ms",
        Step::Account | Step::Remove | Step::Limit | Step::SignOutEverywhere => "user store_ms",
        Step::SignOut | Step::LogoutPage => "store_ms",
        Step::LoginPage | Step::PostedRequest | Step::Logout => "client_id store_ms",
        Step::ForeignForm => "error reason",
        Step::AccountWithoutSession | Step::LogoutWithoutSession => "",
    }
}

#[tokio::test]
async fn s_605_the_line_of_each_step_of_a_browser_has_exactly_the_members_that_its_decision_knows() {
    for (step, expected, event) in STEPS {
        let mut scenario = Scenario::prepare(*step).await;
        let log = LogLines::collect();
        let response = scenario.send().await;
        assert_eq!(outcome(&response), *expected, "{step:?}");
        let line = only_line(&log, members(*step));
        let is_rejected = line.get("error").is_some();
        let result = match () {
            () if step.issues_code() => "issued",
            () if is_rejected => "rejected",
            () => "done",
        };
        assert_eq!((&line["event"], &line["outcome"]), (&json!(event), &json!(result)), "{step:?}");
        assert_eq!((&line["status"], &line["level"]), (&json!(response.status), &json!("INFO")), "{step:?}");
        assert_eq!(line["route"].as_str(), scenario.target.split('?').next(), "{step:?}");
        let total = line["total_ms"].as_u64().unwrap();
        for part in ["store_ms", "hash_ms"] {
            assert!(line[part].as_u64().unwrap_or_default() <= total, "{step:?}: {line}");
        }
    }
}
