//! Known networks, and the budget of a network over all accounts.

use axum::http::HeaderValue;
use serde_json::{Value, json};

use super::{IMPORTED, assert_throttled, authenticate, from, login, put_imported_client, stored_attempts};
use testing::{APPLICATION, LogLines, PASSWORD, Response, TestApp, USERNAME};

const HEADER: &str = "countersign-user-address";
const HOME: &str = "203.0.113.7";
const ATTACKER: &str = "192.0.2.1";

async fn started(user_address: &str) -> TestApp {
    let test = TestApp::start_with_cheap_hashes().await;
    test.change_client(APPLICATION.0, &json!({"user_address": user_address}));
    test
}

/// Guesses from an address that the client forwards.
async fn guess(test: &TestApp, password: &str, address: &str) -> Response {
    test.send(login(USERNAME, password).header(HEADER, address).post()).await
}

#[tokio::test]
async fn s_307_a_user_logs_in_from_a_known_network_during_an_attack() {
    let test = started("forwarded").await;
    guess(&test, PASSWORD, HOME).await.assert_issued(2);
    for _ in 0..5 {
        guess(&test, "wrong", ATTACKER).await.assert_error(400, "invalid_grant");
    }
    assert_throttled(&guess(&test, PASSWORD, "192.0.2.9").await, 30);
    for address in ["203.0.113.99", "::ffff:203.0.113.5"] {
        guess(&test, PASSWORD, address).await.assert_issued(2);
        assert_throttled(&guess(&test, PASSWORD, ATTACKER).await, 30);
    }
    // Its own failures block the network.
    for _ in 0..5 {
        guess(&test, "wrong", HOME).await.assert_error(400, "invalid_grant");
    }
    assert_throttled(&guess(&test, PASSWORD, HOME).await, 30);
    test.advance_clock(30);
    guess(&test, PASSWORD, HOME).await.assert_issued(2);
}

#[tokio::test]
async fn a_network_is_unknown_after_10_failures() {
    let test = started("forwarded").await;
    guess(&test, PASSWORD, HOME).await.assert_issued(2);
    for _ in 0..10 {
        guess(&test, "wrong", HOME).await.assert_error(400, "invalid_grant");
        test.advance_clock(960);
    }
    // The common lane counts now.
    for _ in 0..5 {
        guess(&test, "wrong", HOME).await.assert_error(400, "invalid_grant");
    }
    assert_throttled(&guess(&test, PASSWORD, HOME).await, 30);
    test.advance_clock(30);
    guess(&test, PASSWORD, HOME).await.assert_issued(2);
    for _ in 0..5 {
        guess(&test, "wrong", ATTACKER).await.assert_error(400, "invalid_grant");
    }
    guess(&test, PASSWORD, HOME).await.assert_issued(2);
}

#[tokio::test]
async fn only_a_client_that_forwards_addresses_may_send_one() {
    let test = started("forwarded").await;
    for address in ["junk", "203.0.113.7, 192.0.2.1", "203.0.113.7:80", "[::1]", "fe80::1%eth0", "", "1.2.3"] {
        guess(&test, PASSWORD, address).await.assert_error(400, "invalid_request");
    }
    let twice = login(USERNAME, PASSWORD).header(HEADER, HOME).header(HEADER, HOME).post();
    test.send(twice).await.assert_error(400, "invalid_request");
    let mut binary = login(USERNAME, PASSWORD).post();
    binary.headers_mut().insert(HEADER, HeaderValue::from_bytes(b"\xff").unwrap());
    test.send(binary).await.assert_error(400, "invalid_request");
    assert!(test.items("GrantsTable").is_empty());
    test.send(login(USERNAME, PASSWORD).post()).await.assert_issued(2);

    for changes in [json!({}), json!({"user_address": "source"})] {
        test.change_client(APPLICATION.0, &changes);
        guess(&test, PASSWORD, "junk").await.assert_issued(2);
    }
}

#[tokio::test]
async fn the_network_of_a_user_is_stored_only_if_the_client_knows_the_address() {
    let source = json!({"user_address": "source"});
    for (changes, address, is_stored) in [
        (&json!({}), HOME, false),
        (&source, HOME, true),
        (&source, "::ffff:203.0.113.7", true),
        (&source, "", false),
        (&source, "203.0.113.7:443", false),
        (&source, "a.example\u{1b}", false),
    ] {
        let test = TestApp::start_with_cheap_hashes().await;
        test.change_client(APPLICATION.0, changes);
        test.send(from(address, login(USERNAME, PASSWORD).post())).await.assert_issued(2);
        let stored = stored_attempts(&test);
        assert_eq!(stored.as_object().unwrap().keys().any(|name| name.starts_with("n:")), is_stored);
        assert!(!stored.to_string().contains("203.0.113"));
    }
}

#[tokio::test]
async fn s_209_a_client_with_an_imported_secret_is_not_locked_out_by_guesses_from_other_networks() {
    let test = TestApp::start_with_cheap_hashes().await;
    put_imported_client(&test);
    authenticate(&test, IMPORTED.1, HOME).await.assert_issued(2);
    for _ in 0..5 {
        authenticate(&test, "wrong", ATTACKER).await.assert_error(401, "invalid_client");
    }
    for _ in 0..20 {
        assert_throttled(&authenticate(&test, "wrong", ATTACKER).await, 30);
        authenticate(&test, IMPORTED.1, HOME).await.assert_issued(2);
    }
}

#[tokio::test]
async fn a_network_that_guesses_at_many_accounts_is_throttled() {
    let test = started("source").await;
    let guess = async |number: u32, source: &str| {
        test.send(from(source, login(&format!("user-{number}@example.com"), "wrong").post())).await
    };
    let log = LogLines::collect();
    for number in 0..30 {
        guess(number, ATTACKER).await.assert_error(400, "invalid_grant");
    }
    test.interceptor.clear_calls();
    assert_throttled(&guess(30, "192.0.2.200").await, 6);
    assert!(test.interceptor.calls().iter().all(|call| call.starts_with("GetItem")));
    assert_eq!((&log.lines()[30]["lane"], &log.lines()[30]["retry_after"]), (&json!("network"), &json!(6)));
    guess(30, "198.51.100.1").await.assert_error(400, "invalid_grant");
    test.advance_clock(6);
    guess(31, ATTACKER).await.assert_error(400, "invalid_grant");
    assert_throttled(&guess(32, ATTACKER).await, 6);
    // A clock that is set back does not prolong the block.
    test.advance_clock(-86_400);
    guess(33, ATTACKER).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_login_from_a_new_network_or_after_failures_is_a_risk() {
    let test = started("forwarded").await;
    let log = LogLines::collect();
    guess(&test, PASSWORD, HOME).await.assert_issued(2);
    guess(&test, PASSWORD, HOME).await.assert_issued(2);
    for _ in 0..5 {
        guess(&test, "wrong", HOME).await;
    }
    test.advance_clock(30);
    guess(&test, PASSWORD, HOME).await.assert_issued(2);
    let risks: Vec<_> = log.lines().iter().map(|line| line["risk"].clone()).collect();
    let none = Value::Null;
    let expected = [
        json!("new_network"),
        none.clone(),
        none.clone(),
        none.clone(),
        none.clone(),
        none.clone(),
        none,
        json!("after_failures"),
    ];
    assert_eq!(risks, expected);
}
