//! Faults at every call of the steps of a browser. Each run is a step in a separate deployment, behind a fault proxy.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use testing::{Fault, FaultKind, FaultProxy, Response, TestApp, demo};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::browser::steps::{Ended, Scenario, Step, calls_of, outcome, steps_with_effect};
use crate::browser::{CASES, page, set_cookie};
use crate::support::start_api;

/// The faults of a call, each with its `lasting`. The test of the deadline has responses that never arrive.
const KINDS: [(FaultKind, bool); 4] = [
    (FaultKind::ResetAfter, false),
    (FaultKind::ResetAfter, true),
    (FaultKind::HangAfter, false),
    (FaultKind::Error(400, "ThrottlingException"), true),
];

/// The number of concurrent runs. Most of them wait.
const WORKERS: usize = 12;

/// Asserts that a server error promises nothing and that the step works afterwards. The scenario has recovered.
async fn assert_unavailable(mut scenario: Scenario, response: &Response, fault: &Fault) {
    let (step, run) = (scenario.step, &format!("{:?}: {fault:?}", scenario.step));
    // The address of the client is proven after the read of its record.
    if step == Step::Silent && response.status == 303 {
        assert_eq!(outcome(response), "temporarily_unavailable", "{run}");
    } else {
        assert_eq!((response.status, page(response).1.as_deref()), (503, Some("unavailable")), "{run}");
        assert_eq!(response.header("location"), None, "{run}");
    }
    assert_eq!((set_cookie(response), &scenario.browser.cookie), (None, &scenario.cookie), "{run}");
    let next = scenario.send().await;
    // A step that happened in spite of the error has ended the session to which the form belongs.
    let has_happened = step.ends() == Some(Ended::Session) && !step.signs_in() && outcome(&next) != step.outcome();
    if has_happened {
        scenario.assert_ended(run).await;
    } else {
        scenario.assert_effect(&next, run).await;
    }
}

/// Makes one run. Returns true if the response was a server error.
async fn run(step: Step, fault: Fault) -> bool {
    let mut scenario = Scenario::prepare(step).await;
    let run = format!("{step:?}: {fault:?}");
    scenario.proxy.arm([fault.clone()]);
    let response = scenario.send().await;
    scenario.recover().await;
    if outcome(&response) == step.outcome() {
        scenario.assert_effect(&response, &run).await;
        return false;
    }
    assert_unavailable(scenario, &response, &fault).await;
    true
}

/// Makes one run in which the response to a call never arrives, and in which only the deadline ends the request. Returns
/// true if the response was a server error.
async fn run_until_deadline(step: Step, fault: Fault) -> bool {
    let mut scenario = Scenario::prepare_with_deadline(step).await;
    let run = format!("{step:?}: {fault:?} until the deadline");
    scenario.proxy.arm([fault.clone()]);
    let began = Instant::now();
    let response = scenario.send().await;
    let took = began.elapsed();
    scenario.recover().await;
    if outcome(&response) == step.outcome() {
        scenario.assert_effect(&response, &run).await;
        return false;
    }
    assert!(took >= Duration::from_millis(3_700), "{run}: {took:?} is not the deadline");
    assert_unavailable(scenario, &response, &fault).await;
    true
}

/// Makes all runs. Returns their number, and the number of server errors.
async fn all(runs: impl IntoIterator<Item = impl Future<Output = bool> + Send + 'static>) -> (usize, usize) {
    let (mut count, mut unavailable, mut running) = (0, 0, JoinSet::new());
    for run in runs {
        if running.len() == WORKERS {
            unavailable += usize::from(running.join_next().await.unwrap().unwrap());
        }
        running.spawn(run);
        count += 1;
    }
    while let Some(result) = running.join_next().await {
        unavailable += usize::from(result.unwrap());
    }
    (count, unavailable)
}

#[tokio::test(flavor = "multi_thread")]
async fn s_830_a_fault_at_a_step_of_the_browser_is_a_page_and_no_effect_is_promised_without_its_items() {
    LazyLock::force(&CASES);
    let mut open = Vec::new();
    for step in steps_with_effect() {
        for (call, nth) in calls_of(step).await {
            let fault = |(kind, lasting)| Fault { call: call.clone(), nth, kind, lasting };
            open.extend(KINDS.map(|kind| (step, fault(kind))));
        }
    }
    let (count, unavailable) = all(open.into_iter().map(|(step, fault)| Box::pin(run(step, fault)))).await;
    assert!(unavailable > 0);
    println!("faults: S-830 steps of a browser: {count} combinations, {unavailable} of them with a server error");
}

/// The deadline drops the step after each of its calls was executed: also between the write of a session and the response.
#[tokio::test(flavor = "multi_thread")]
async fn s_830_the_deadline_after_a_call_of_a_browser_leaves_a_state_in_which_the_next_request_works() {
    LazyLock::force(&CASES);
    let mut open = Vec::new();
    for step in steps_with_effect() {
        for (call, nth) in calls_of(step).await {
            open.push((step, Fault { call, nth, kind: FaultKind::HangAfter, lasting: true }));
        }
    }
    let runs = open.into_iter().map(|(step, fault)| Box::pin(run_until_deadline(step, fault)));
    let (count, unavailable) = all(runs).await;
    assert!(unavailable > 0);
    println!("faults: S-830 deadline of a browser's request: {count} combinations, {unavailable} with a server error");
}

/// The process is stopped after the session of a login was stored, and continues after the deadline.
#[tokio::test]
async fn s_830_a_login_that_is_frozen_after_the_write_of_its_session_can_be_repeated() {
    const WRITE: &str = "PutItem GrantsTable";
    let test = TestApp::start().await;
    demo::seed(&test.cloud, &test.app.hasher).unwrap();
    let proxy = FaultProxy::before(&test).await;
    let mut function = start_api(proxy.address(), &[("LOGIN_PAGES", "on")]).await;
    let event = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let login = event(include_str!("../../../events/login_form.json"));
    let mut authorize = event(include_str!("../../../events/authorize_with_session.json"));
    proxy.arm([Fault { call: WRITE.to_owned(), nth: 1, kind: FaultKind::Slow(300), lasting: false }]);
    function.send(login.clone()).await;
    while !proxy.completed().iter().any(|call| call == WRITE) {
        sleep(Duration::from_millis(5)).await;
    }
    function.signal("-STOP");
    sleep(Duration::from_secs(4)).await;
    function.signal("-CONT");
    let frozen = function.response().await;
    if frozen.status == 503 {
        assert_eq!((page(&frozen).1.as_deref(), set_cookie(&frozen)), (Some("unavailable"), None));
    } else {
        assert_eq!((frozen.status, set_cookie(&frozen).is_some()), (303, true), "{:?}", frozen.bytes);
    }
    let next = function.invoke(login).await;
    assert_eq!(next.status, 303, "{:?}", next.bytes);
    authorize["cookies"] = json!([set_cookie(&next).unwrap()]);
    assert_eq!(page(&function.invoke(authorize).await).0.as_deref(), Some("consent"));
    // The right guesses have left no failures.
    let counted =
        test.items("GrantsTable").into_iter().filter_map(|item| item["failures"]["N"].as_str().map(str::to_owned));
    assert_eq!(counted.collect::<Vec<_>>(), ["0"]);
}
