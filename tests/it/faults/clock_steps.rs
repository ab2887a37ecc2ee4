//! A clock that steps forward or back between any two calls or requests (S-404). No issued token is already expired, no
//! used token becomes valid, and no login ends because of a step back.

use tokio::task::JoinSet;

use crate::browser::steps::{self, STEPS as BROWSER_STEPS, Step, outcome};
use crate::browser::{VERIFIER, parameter};
use testing::{FLOWS, Fault, FaultKind, Flow, Response, Scenario, TestApp, calls_of};

const SECOND: i64 = 1;
const FIVE_MINUTES: i64 = 300;
const DAY: i64 = 86_400;
const STEPS: [i64; 6] = [SECOND, FIVE_MINUTES, DAY, -SECOND, -FIVE_MINUTES, -DAY];

/// The flows with a valid use of a refresh token.
const USES: [Flow; 4] = [Flow::Refresh, Flow::Retry, Flow::CookieRefresh, Flow::CodeRefresh];

/// Returns the flows that do not depend on the clock: an access token or an assertion is valid until its `exp`.
fn flows() -> impl Iterator<Item = Flow> {
    FLOWS.iter().copied().filter(|flow| !flow.presents_jwt())
}

/// Asserts that a response is correct at any clock.
fn assert_sound(flow: Flow, response: &Response, what: &str) {
    if response.status == 200 {
        assert_eq!(flow.error_response(), None, "{what}: a used token is valid again");
        if flow.event() != "token" {
            assert!(flow.is_expected(response), "{what}: {:?}", response.bytes);
            return;
        }
        let claims = response.assert_issued(2);
        assert!(claims.number("exp") > claims.number("iat"), "{what}");
        return;
    }
    if flow.is_expected(response) {
        return;
    }
    // A step of a day in any direction ends a block.
    if flow == Flow::BlockedGuess {
        response.assert_error(400, "invalid_grant");
        return;
    }
    // A used token is undecided if the clock is before its use.
    assert!(USES.contains(&flow) || [Flow::Replay, Flow::CookieReplay].contains(&flow), "{what}: {:?}", response.bytes);
    response.assert_error(503, "temporarily_unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn s_404_a_clock_step_between_any_two_calls_is_safe() {
    let mut combinations = 0;
    for flows in flows().collect::<Vec<_>>().chunks(8) {
        let flows: JoinSet<_> = flows.iter().copied().map(step_between_calls).collect();
        combinations += flows.join_all().await.into_iter().sum::<usize>();
    }
    println!("faults: S-404 steps of the clock between calls: {combinations} combinations");
}

/// Runs a flow with every step before every call. Returns the number of runs.
async fn step_between_calls(flow: Flow) -> usize {
    let mut combinations = 0;
    for (call, nth) in calls_of(flow).await {
        for seconds in STEPS {
            let what = format!("{flow:?}: {seconds:+} s before {call} no. {nth}");
            // A step forward by more than the grace is the same as that much time. A code is expired then.
            let is_late = seconds > SECOND;
            let may_replay = is_late && USES.contains(&flow);
            let scenario = Scenario::prepare_with_long_timeouts(flow).await;
            scenario.proxy.arm(Some(Fault {
                call: call.clone(),
                nth,
                kind: FaultKind::ClockStep(seconds),
                lasting: false,
            }));
            let response = scenario.start_and_send().await;
            combinations += 1;
            if is_late && [Flow::Retry, Flow::Exchange].contains(&flow) && response.status == 400 {
                continue;
            }
            assert_sound(flow, &response, &what);
            // The next request at the stepped clock, then the state at the correct clock.
            let next = scenario.send().await;
            if may_replay && next.status == 400 {
                continue;
            }
            if flow == Flow::Exchange {
                next.assert_error(400, "invalid_grant");
                scenario.test.advance_clock(-seconds);
                assert_eq!(scenario.check_state(&[&response, &next]).await, None, "{what}");
                continue;
            }
            assert_sound(flow, &next, &what);
            if flow.error_response().is_none() {
                scenario.test.advance_clock(-seconds);
                assert_eq!(scenario.check_state(&[&response, &next]).await, None, "{what}");
            }
        }
    }
    combinations
}

#[tokio::test(flavor = "multi_thread")]
async fn s_404_a_clock_step_between_any_two_calls_of_a_browser_is_safe() {
    let mut combinations = 0;
    for steps in BROWSER_STEPS.chunks(8) {
        let steps: JoinSet<_> = steps.iter().map(|(step, _, _)| step_between_calls_of_a_browser(*step)).collect();
        combinations += steps.join_all().await.into_iter().sum::<usize>();
    }
    println!("faults: S-404 steps of the clock between calls of a browser: {combinations} combinations");
}

/// Runs a step of a browser with a step of the clock before every call. Returns the number of runs.
async fn step_between_calls_of_a_browser(step: Step) -> usize {
    let mut combinations = 0;
    let calls = steps::calls_of(step).await;
    // A step of the clock before the only call is one before the request.
    for (call, nth) in calls.iter().filter(|_| calls.len() > 1) {
        for seconds in [FIVE_MINUTES, DAY, -FIVE_MINUTES, -DAY] {
            let what = format!("{step:?}: {seconds:+} s before {call} no. {nth}");
            let mut scenario = steps::Scenario::prepare_with_long_timeouts(step).await;
            let kind = FaultKind::ClockStep(seconds);
            scenario.proxy.arm(Some(Fault { call: call.clone(), nth: *nth, kind, lasting: false }));
            let response = scenario.send().await;
            scenario.proxy.arm(None);
            combinations += 1;
            // A step of a day in any direction ends a block.
            if step == Step::Blocked && outcome(&response) == "login credentials" {
                continue;
            }
            assert_eq!(outcome(&response), step.outcome(), "{what}");
            assert_state_is_sound(scenario, &response, (seconds, what.as_str())).await;
        }
    }
    combinations
}

/// Asserts that nothing that was issued has expired already, and that nothing that was ended is valid: at the stepped clock,
/// and at the correct one.
async fn assert_state_is_sound(mut scenario: steps::Scenario, response: &Response, (seconds, what): (i64, &str)) {
    let step = scenario.step;
    if step.issues_code() {
        let code = parameter(response, "code").unwrap();
        let exchanged = scenario.browser.exchange(&scenario.request, &code, VERIFIER).await;
        // A step forward by more than a minute is the same as that much time.
        if seconds < 0 || exchanged.status == 200 {
            exchanged.assert_issued(2);
            scenario.browser.exchange(&scenario.request, &code, VERIFIER).await.assert_error(400, "invalid_grant");
        } else {
            exchanged.assert_error(400, "invalid_grant");
        }
    }
    for correction in [0, -seconds] {
        scenario.browser.test.advance_clock(correction);
        scenario.assert_ended(what).await;
        if !step.signs_in() {
            continue;
        }
        // A session that began a day ago has ended.
        let may_have_ended = (seconds, correction) == (DAY, 0) || (seconds, correction) == (-DAY, DAY);
        let cookie = scenario.browser.cookie.clone();
        let user = scenario.user_of(cookie.as_deref()).await;
        assert!(user.as_deref() == step.username() || user.is_none() && may_have_ended, "{what}: {user:?}");
    }
}

/// Each refresh token gets its successor after any two steps.
#[tokio::test]
async fn s_404_clock_steps_between_requests_do_not_end_the_login() {
    let test = TestApp::start().await;
    for first in STEPS {
        for second in STEPS {
            let mut token = test.log_in().await;
            for seconds in [first, second, -first, -second] {
                test.advance_clock(seconds);
                let response = test.refresh(&token).await;
                let claims = response.assert_issued(2);
                assert!(claims.number("exp") > claims.number("iat"));
                token = response.refresh_token();
            }
        }
    }
}

#[tokio::test]
async fn s_404_a_clock_that_is_set_back_does_not_make_a_used_token_valid() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    test.advance_clock(DAY);
    let second = test.refresh(&first).await.refresh_token();
    for seconds in [-DAY, DAY - FIVE_MINUTES] {
        test.advance_clock(seconds);
        test.refresh(&first).await.assert_error(503, "temporarily_unavailable");
    }
    // The login continues.
    test.refresh(&second).await.assert_issued(2);
    // An older token is a replay at any clock.
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    test.refresh(&second).await.assert_error(400, "invalid_grant");
}
