//! Guesses at passwords and imported secrets, through the router.

use serde_json::json;

use super::{IMPORTED, assert_throttled, authenticate, login, put_imported_client, stored_attempts};
use testing::{APPLICATION, CLIENT_CREDENTIALS, LogLines, PASSWORD, SERVICE, TestApp, USERNAME, form, join_all};

const READS: [&str; 3] = ["GetItem ClientsTable", "GetItem GrantsTable", "GetItem UsersTable"];

/// Sends a login, and returns the response and the calls.
async fn guess(test: &TestApp, username: &str, password: &str) -> (testing::Response, Vec<String>) {
    test.interceptor.clear_calls();
    let response = test.send(login(username, password).post()).await;
    let mut calls = test.interceptor.calls();
    calls.sort();
    (response, calls)
}

#[tokio::test]
async fn s_308_known_unknown_and_disabled_names_get_the_same_responses_for_the_same_calls() {
    let test = TestApp::start_with_cheap_hashes().await;
    let mut seen = Vec::new();
    for name in [USERNAME, "unknown@itccompliance.co.uk", "off@itccompliance.co.uk", "nopassword@itccompliance.co.uk"] {
        let mut responses = Vec::new();
        for _ in 0..7 {
            let (response, calls) = guess(&test, name, "wrong").await;
            let mut headers = response.headers;
            headers.remove("date");
            responses.push((response.status, response.bytes, headers, calls));
        }
        seen.push(responses);
    }
    let counted = [&READS[..], &["UpdateItem GrantsTable"]].concat();
    let expected = [(400, &counted[..]); 5].into_iter().chain([(429, &READS[..]), (429, &READS[..1])]);
    for ((status, _, _, calls), (expected_status, expected_calls)) in seen[0].iter().zip(expected) {
        assert_eq!((*status, calls), (expected_status, &expected_calls.iter().map(ToString::to_string).collect()));
    }
    assert!(seen.iter().all(|responses| *responses == seen[0]));
}

#[tokio::test]
async fn s_306_a_blocked_guess_runs_no_hash_and_writes_nothing() {
    let test = TestApp::start().await;
    let log = LogLines::collect();
    for _ in 0..5 {
        guess(&test, USERNAME, "wrong").await.0.assert_error(400, "invalid_grant");
    }
    let before = stored_attempts(&test);
    assert_eq!(log.take_hashes().iter().filter(|(scheme, _)| scheme == "argon2").count(), 5);
    for password in ["wrong", PASSWORD] {
        let (response, _) = guess(&test, USERNAME, password).await;
        assert_throttled(&response, 30);
        assert!(log.take_hashes().iter().all(|(scheme, _)| scheme == "sha256"));
    }
    assert_eq!(stored_attempts(&test), before);
    let fields = |index: usize, name: &str| log.lines()[index][name].clone();
    assert_eq!((fields(4, "lane"), fields(4, "failures")), (json!("common"), json!(5)));
    assert_eq!(
        (fields(5, "lane"), fields(5, "failures"), fields(5, "retry_after")),
        ("common".into(), 5.into(), 30.into())
    );
    assert_eq!((fields(6, "lane"), fields(6, "retry_after")), (json!("memory"), json!(30)));
}

#[tokio::test]
async fn the_delay_grows_with_each_wrong_guess_and_ends_with_a_right_one() {
    let test = TestApp::start_with_cheap_hashes().await;
    for _ in 0..5 {
        guess(&test, USERNAME, "wrong").await.0.assert_error(400, "invalid_grant");
    }
    for delay in [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600] {
        assert_throttled(&guess(&test, USERNAME, PASSWORD).await.0, delay);
        test.advance_clock(i64::try_from(delay).unwrap() - 1);
        assert_throttled(&guess(&test, USERNAME, PASSWORD).await.0, 1);
        test.advance_clock(1);
        guess(&test, USERNAME, "wrong").await.0.assert_error(400, "invalid_grant");
    }
    test.advance_clock(3_600);
    guess(&test, USERNAME, PASSWORD).await.0.assert_issued(2);
    assert_eq!(stored_attempts(&test)["failures"]["N"], "0");
    for _ in 0..5 {
        guess(&test, USERNAME, "wrong").await.0.assert_error(400, "invalid_grant");
    }
    test.advance_clock(86_400);
    for _ in 0..5 {
        guess(&test, USERNAME, "wrong").await.0.assert_error(400, "invalid_grant");
    }
    assert_eq!(stored_attempts(&test)["failures"]["N"], "5", "forgotten after a day of quiet");
}

#[tokio::test]
async fn s_305_simultaneous_right_guesses_all_succeed() {
    let test = TestApp::start_with_cheap_hashes().await.directly().await;
    for response in join_all((0..40).map(|_| test.password(USERNAME, PASSWORD))).await {
        response.assert_issued(2);
    }
}

#[tokio::test]
async fn s_309_nothing_is_counted_for_a_caller_without_the_secret_of_a_client() {
    let test = TestApp::start().await;
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", "wrong")];
    for _ in 0..12 {
        test.form((APPLICATION.0, "wrong"), &params).await.assert_error(401, "invalid_client");
    }
    assert!(test.items("GrantsTable").is_empty());
    test.interceptor.clear_calls();
    for _ in 0..12 {
        guess(&test, USERNAME, "wrong").await;
    }
    let scope = [&params[..2], &[("password", PASSWORD), ("scope", "admin")]].concat();
    test.form(APPLICATION, &scope).await.assert_error(400, "invalid_scope");
    assert_eq!(stored_attempts(&test)["failures"]["N"], "5");
}

#[tokio::test]
async fn a_scope_that_only_the_user_may_not_have_is_a_right_guess() {
    let test = TestApp::start_with_cheap_hashes().await;
    guess(&test, USERNAME, "wrong").await;
    let hash = test.password_hash_of(USERNAME);
    test.change_user(&json!({"scopes": ["legacy:other"], "password_hash": hash}));
    guess(&test, USERNAME, PASSWORD).await.0.assert_error(400, "invalid_scope");
    assert_eq!(stored_attempts(&test)["failures"]["N"], "0");
}

#[tokio::test]
async fn s_210_a_generated_secret_is_never_throttled() {
    let test = TestApp::start().await;
    test.interceptor.clear_calls();
    for _ in 0..25 {
        test.form((SERVICE.0, APPLICATION.1), &CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
    }
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);
    assert!(test.interceptor.calls().iter().all(|call| call == "GetItem ClientsTable"));
}

#[tokio::test]
async fn an_imported_secret_is_throttled_by_its_client() {
    let test = TestApp::start_with_cheap_hashes().await;
    put_imported_client(&test);
    for _ in 0..5 {
        authenticate(&test, "wrong", "").await.assert_error(401, "invalid_client");
    }
    assert_throttled(&authenticate(&test, IMPORTED.1, "").await, 30);
    test.interceptor.clear_calls();
    assert_throttled(&authenticate(&test, IMPORTED.1, "").await, 30);
    assert_eq!(test.interceptor.calls(), ["GetItem ClientsTable"]);
    test.advance_clock(30);
    authenticate(&test, IMPORTED.1, "").await.assert_issued(2);
}

/// A Basic header whose secret is not form-encoded is tried in two forms.
#[tokio::test]
async fn two_forms_of_a_secret_are_one_guess() {
    let test = TestApp::start_with_cheap_hashes().await;
    put_imported_client(&test);
    for _ in 0..5 {
        authenticate(&test, "wrong+and%2Braw", "").await.assert_error(401, "invalid_client");
    }
    assert_eq!(stored_attempts(&test)["failures"]["N"], "5");
}

#[tokio::test]
async fn s_311_a_clock_that_jumps_does_not_block_a_user() {
    let test = TestApp::start_with_cheap_hashes().await;
    for jump in [-86_400, 86_400, -61, 3_600] {
        for _ in 0..5 {
            guess(&test, USERNAME, "wrong").await.0.assert_error(400, "invalid_grant");
        }
        assert_throttled(&guess(&test, USERNAME, PASSWORD).await.0, 30);
        test.advance_clock(jump);
        guess(&test, USERNAME, PASSWORD).await.0.assert_issued(2);
    }
    // A smaller step prolongs the block by itself.
    for _ in 0..5 {
        guess(&test, USERNAME, "wrong").await;
    }
    test.advance_clock(-60);
    assert_throttled(&guess(&test, USERNAME, PASSWORD).await.0, 90);
}

#[tokio::test]
async fn s_706_a_guess_whose_count_is_sent_twice_counts_once() {
    let test = TestApp::start_with_cheap_hashes().await;
    for failures in ["1", "2"] {
        test.interceptor.lose_response("UpdateItem GrantsTable");
        guess(&test, USERNAME, "wrong").await.0.assert_error(400, "invalid_grant");
        assert_eq!(stored_attempts(&test)["failures"]["N"], failures);
    }
    test.interceptor.lose_response("UpdateItem GrantsTable");
    guess(&test, USERNAME, PASSWORD).await.0.assert_issued(2);
    assert_eq!(stored_attempts(&test)["failures"]["N"], "0");
}

#[tokio::test]
async fn a_name_that_no_account_can_have_is_throttled_too() {
    let test = TestApp::start_with_cheap_hashes().await;
    let params = [("grant_type", "password"), ("username", "\u{212a}\u{0}"), ("password", "x"), ("scope", "legacy:a")];
    test.form(APPLICATION, &params).await.assert_error(400, "invalid_request");
    let params = [&params[..1], &[("username", "a b"), ("password", "x"), ("scope", "legacy:a")]].concat();
    for status in [400, 400, 400, 400, 400, 429] {
        let request = form(&params).basic(APPLICATION.0, APPLICATION.1).post();
        assert_eq!(test.send(request).await.status, status);
    }
}
