//! A clock that steps between any two calls, forwards and back: no token that has expired already, nothing used revives,
//! and nothing dies of it.

use tokio::task::JoinSet;

use testing::{FLOWS, Fault, Flow, Response, Stage, TestApp, Verb, calls};

const SECOND: i64 = 1;
const FIVE_MINUTES: i64 = 300;
const DAY: i64 = 86_400;
const STEPS: [i64; 6] = [SECOND, FIVE_MINUTES, DAY, -SECOND, -FIVE_MINUTES, -DAY];

/// The flows that use a refresh token as they may.
const USES: [Flow; 2] = [Flow::Refresh, Flow::Retry];

/// Asserts of one response what holds whatever the clock does.
fn assert_sound(flow: Flow, response: &Response, what: &str) {
    if response.status == 200 {
        assert_eq!(flow.error_response(), None, "{what}: what was used revives");
        let claims = response.assert_issued(2);
        assert!(claims.number("exp") > claims.number("iat"), "{what}");
        return;
    }
    if flow.is_right(response) {
        return;
    }
    // Only a use that may be a retry, by a clock that is behind the use before it, cannot be judged.
    assert!(USES.contains(&flow) || flow == Flow::Replay, "{what}: {:?}", response.bytes);
    response.assert_error(503, "temporarily_unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn s_404_a_clock_that_steps_between_any_two_calls_does_no_harm() {
    let flows: JoinSet<_> = FLOWS.into_iter().map(step_between_calls).collect();
    let combinations: usize = flows.join_all().await.into_iter().sum();
    println!("faults: S-404 steps of the clock between calls: {combinations} combinations");
}

/// Tries every step before every call of a flow; how many that were.
async fn step_between_calls(flow: Flow) -> usize {
    let mut combinations = 0;
    for (call, nth) in calls(flow).await {
        for seconds in STEPS {
            let what = format!("{flow:?}: {seconds:+} s before {call} no. {nth}");
            // As if the time had passed, for all that anyone can tell.
            let may_replay = seconds > SECOND && USES.contains(&flow);
            let stage = Stage::set(flow).await;
            stage.proxy.arm(Some(Fault { call: call.clone(), nth, verb: Verb::Step(seconds), lasting: false }));
            let response = stage.ask().await;
            combinations += 1;
            if flow == Flow::Retry && may_replay && response.status == 400 {
                continue;
            }
            assert_sound(flow, &response, &what);
            // By the clock as it is now, and, if that has not ended the family, by the right one.
            let next = stage.request_again().await;
            if may_replay && next.status == 400 {
                continue;
            }
            assert_sound(flow, &next, &what);
            if flow.error_response().is_none() {
                stage.test.pass(-seconds);
                assert_eq!(stage.aftermath(&[&response, &next]).await, None, "{what}");
            }
        }
    }
    combinations
}

/// Between requests, too: each token of a chain is good for its successor, whatever the clock did in between.
#[tokio::test]
async fn s_404_a_clock_that_steps_between_requests_costs_nobody_the_login() {
    let test = TestApp::start().await;
    for first in STEPS {
        for second in STEPS {
            let mut token = test.log_in().await;
            for seconds in [first, second, -first, -second] {
                test.pass(seconds);
                let response = test.refresh(&token).await;
                let claims = response.assert_issued(2);
                assert!(claims.number("exp") > claims.number("iat"));
                token = response.refresh_token();
            }
        }
    }
}

#[tokio::test]
async fn s_404_what_was_used_long_ago_does_not_revive_by_a_clock_that_is_set_back() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    test.pass(DAY);
    let second = test.refresh(&first).await.refresh_token();
    for seconds in [-DAY, DAY - FIVE_MINUTES] {
        test.pass(seconds);
        test.refresh(&first).await.assert_error(503, "temporarily_unavailable");
    }
    // That has cost nobody anything.
    test.refresh(&second).await.assert_issued(2);
    // Older than that is a theft by any clock.
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    test.refresh(&second).await.assert_error(400, "invalid_grant");
}
