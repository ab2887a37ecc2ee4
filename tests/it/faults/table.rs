//! Every fault at every call of every flow, and pairs of faults at every two calls.
//!
//! `table/runs.rs` makes the runs once. Each test checks one promise in all runs. The runs take minutes and depend on
//! real time, so `make faults` runs them separately.

use std::sync::LazyLock;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use countersign::aws;
use serde_json::json;

use self::runs::{FAULT_KINDS, REPETITIONS, RUNS, Run};
use testing::cloud;
use testing::{FLOWS, Fault, FaultKind, FaultProxy, Flow, SERVICE, TestApp};

mod runs;

/// The maximum duration of a request (S-704).
const LONGEST: Duration = Duration::from_secs(4);

/// Asserts that a promise holds in all runs that it concerns. Prints the number of runs.
#[track_caller]
fn assert_holds(promise: &str, concerns: impl Fn(&Run) -> bool, broken: impl Fn(&Run) -> Option<String>) {
    let concerned: Vec<_> = RUNS.iter().filter(|run| concerns(run)).collect();
    let broken: Vec<_> =
        concerned.iter().filter_map(|run| broken(run).map(|why| format!("{run}\n    {why}"))).collect();
    let (count, failed) = (concerned.len(), broken.len());
    let double = concerned.iter().filter(|run| run.faults.len() > 1).count();
    println!("faults: {promise}: {count} combinations, {double} of them of two faults, {failed} broken");
    assert!(count > 0, "no run concerns the promise");
    assert!(broken.is_empty(), "{failed} of {count}:\n{}", broken[..failed.min(12)].join("\n"));
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_303_a_hash_upgrade_neither_fails_nor_delays_a_login() {
    assert_holds("S-303 no login fails or waits because of an upgrade", Run::spares_login, |run| {
        (run.response.status != 200 || run.took >= run.longest()).then(|| "the login failed or was late".to_owned())
    });
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_310_a_password_guess_that_was_not_counted_gets_no_result() {
    assert_holds(
        "S-310 no result of a password guess without its count",
        |run| run.flow.guessed_account().is_some() && !run.counted,
        |run| (run.response.status != 503).then(|| "the response is not a 503".to_owned()),
    );
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_310_a_client_secret_has_its_result_while_guesses_cannot_be_counted() {
    let is_at_counter = |run: &Run| matches!(&run.faults[..], [fault] if fault.call.ends_with(" GrantsTable"));
    assert_holds(
        "S-310 a result for a client secret without its counter",
        |run| run.flow.guesses_client_secret() && is_at_counter(run),
        |run| (!run.flow.is_expected(&run.response)).then(|| "the guess has no result".to_owned()),
    );
}

/// Three slow reads bring a login to the end of its 3 seconds for reads. A secret that hangs does not make it later: the
/// request does not repeat a load of the keys that failed. Then the upgrade hangs until its timeout of 300 ms.
#[test]
#[ignore = "waits by the clock: make faults"]
fn s_303_a_hash_upgrade_does_not_delay_a_login_until_the_deadline() {
    // Waits for the other runs, so that this run is not concurrent with them.
    LazyLock::force(&RUNS);
    let hang = |nth| Fault { call: "GetItem UsersTable".to_owned(), nth, kind: FaultKind::Hang, lasting: false };
    let faults = vec![
        hang(1),
        hang(2),
        Fault { kind: FaultKind::Slow(550), ..hang(3) },
        Fault { call: "GetSecretValue".to_owned(), nth: 1, kind: FaultKind::Hang, lasting: true },
        Fault { call: "UpdateItem UsersTable".to_owned(), nth: 1, kind: FaultKind::Hang, lasting: true },
    ];
    let succeeds = |_| {
        let run = runs::run_in_a_thread(Flow::ResumeImportedHash, faults.clone());
        assert!(run.took > Duration::from_millis(3_200), "{run}: too early to test the deadline");
        let is_right = run.response.status == 200 && run.took < LONGEST && run.recorded == [true, true];
        if !is_right {
            println!("{run}: {:?}", run.recorded);
        }
        is_right
    };
    // On a busy machine a request can be late.
    assert!((0..REPETITIONS).any(succeeds));
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_411_a_refresh_that_fails_before_its_write_consumes_nothing() {
    assert_holds(
        "S-411 nothing is consumed before the write",
        |run| run.flow.presents_unused_token() && run.response.status == 503,
        |run| {
            let lost = run.faults.iter().any(|fault| fault.is_write() && !fault.prevents_call());
            (run.written && !lost).then(|| "the family was written".to_owned())
        },
    );
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_701_no_token_is_returned_without_its_record() {
    assert_holds(
        "S-701 no token is returned without its record",
        |run| !run.recorded.is_empty(),
        |run| run.recorded.contains(&false).then(|| format!("{:?}", run.recorded)),
    );
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_702_without_the_write_no_token_is_returned() {
    // A login does not depend on a hash upgrade, which is the only write to another table.
    let concerns = |run: &Run| run.flow.writes_family() && !run.written;
    assert_holds("S-702 no token after a failed write", concerns, |run| {
        (run.response.status != 503).then(|| "the response is not a 503".to_owned())
    });
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_703_a_fault_is_never_a_client_error() {
    assert_holds(
        "S-703 no client error because of a fault",
        |_| true,
        |run| {
            if run.flow.is_expected(&run.response) {
                return None;
            }
            if run.response.status != 503 {
                return Some("the response is not a 503".to_owned());
            }
            run.response.assert_error(503, "temporarily_unavailable");
            // One log line has the reason.
            let reasons = run.log.iter().filter(|line| line["error"] == "temporarily_unavailable");
            let reasons: Vec<_> = reasons.filter_map(|line| line["reason"].as_str()).collect();
            (reasons.len() != 1 || reasons[0].is_empty()).then(|| format!("logged: {:?}", run.log))
        },
    );
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_911_a_fault_neither_sets_nor_clears_a_cookie() {
    assert_holds(
        "S-911 a cookie for each decision and none for a fault",
        |run| run.flow.has_cookie(),
        |run| {
            let set = run.response.cookie().map(|(_, value, _)| !value.is_empty());
            let expected = match (run.response.status, run.flow.event()) {
                (200, "token") => Some(true),
                (200 | 400, _) => Some(false),
                _ => None,
            };
            (set != expected).then(|| format!("{:?}", run.response.headers))
        },
    );
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_704_a_response_takes_less_than_four_seconds() {
    assert_holds(
        "S-704 a response within four seconds",
        |_| true,
        |run| (run.took >= LONGEST).then(|| format!("it took {:?}", run.took)),
    );
    let longest = RUNS.iter().map(|run| run.took).max().unwrap();
    let once = || RUNS.iter().filter(|run| run.faults.iter().all(|fault| !fault.lasting));
    let unnoticed = once().filter(|run| run.flow.is_expected(&run.response)).count();
    println!(
        "faults: {} combinations of {} flows and {} kinds of faults; longest response time {:.2} s; of {} faults that \
         occurred once, {unnoticed} did not change the response",
        RUNS.len(),
        FLOWS.len(),
        FAULT_KINDS.len(),
        longest.as_secs_f64(),
        once().count(),
    );
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_705_the_next_request_after_an_outage_works() {
    assert_holds(
        "S-705 the next request works",
        |_| true,
        |run| {
            // A code has no grace: after an exchange that was written, the next request is a replay.
            let is_replay = run.flow == Flow::Exchange && run.written;
            let is_right = if is_replay { run.next.status == 400 } else { run.flow.is_expected(&run.next) };
            let wrong = (!is_right).then(|| format!("{:?}", run.next.bytes));
            wrong.or_else(|| run.wrong.clone())
        },
    );
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_706_a_repeated_write_whose_response_was_lost_counts_once() {
    assert_holds("S-706 a repeated write counts once", Run::can_recover, |run| {
        (!run.recovered()).then(|| "the repeated write did not succeed".to_owned()).or_else(|| run.wrong.clone())
    });
}

#[test]
#[ignore = "takes minutes: make faults"]
fn s_711_after_the_response_only_a_reload_of_the_keys_begins() {
    assert_holds(
        "S-711 nothing runs after the response",
        |_| true,
        |run| run.called_other_than_keys_later().then(|| format!("{:?}", run.called_later)),
    );
}

/// Proves that [`FaultKind::Stale`] has an effect.
#[tokio::test]
async fn a_stale_read_returns_the_previous_item() {
    let test = TestApp::start().await;
    let direct = cloud::serve(test.cloud.router().await.unwrap()).await.unwrap();
    let proxy = FaultProxy::at(direct, &test).await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&aws::load(cloud::sdk(proxy.address())).await);
    let name = async |consistent| {
        let key = AttributeValue::S(SERVICE.0.to_owned());
        let read = dynamodb.get_item().table_name("ClientsTable").key("client_id", key);
        let item = read.consistent_read(consistent).send().await.unwrap().item.unwrap();
        item["name"].as_s().unwrap().clone()
    };
    proxy.arm(Some(Fault { call: "GetItem ClientsTable".to_owned(), nth: 1, kind: FaultKind::Stale, lasting: true }));
    test.change_client(SERVICE.0, &json!({"name": "old"}));
    assert_eq!(name(true).await, "old");
    test.change_client(SERVICE.0, &json!({"name": "new"}));
    assert_eq!((name(false).await, name(true).await), ("old".to_owned(), "new".to_owned()));
}
