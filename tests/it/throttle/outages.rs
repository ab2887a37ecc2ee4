//! Guesses while the items cannot be read or written.

use serde_json::json;

use super::{IMPORTED, authenticate, put_imported_client, stored_attempts};
use countersign::throttle::Subject;
use testing::{LogLines, NOW, PASSWORD, TestApp, USERNAME, join_all, with_changes};

#[tokio::test]
async fn s_310_a_password_guess_that_cannot_be_counted_gets_no_result() {
    let test = TestApp::start_with_cheap_hashes().await;
    for call in ["GetItem GrantsTable", "UpdateItem GrantsTable"] {
        test.interceptor.fail(call, 500, "InternalServerError");
        for password in ["wrong", PASSWORD] {
            test.password(USERNAME, password).await.assert_error(503, "temporarily_unavailable");
        }
        test.interceptor.stop_failing();
    }
    test.password(USERNAME, PASSWORD).await.assert_issued(2);
}

#[tokio::test]
async fn s_310_a_client_secret_is_checked_while_the_counters_are_down() {
    for call in ["GetItem GrantsTable", "UpdateItem GrantsTable"] {
        let test = TestApp::start_with_cheap_hashes().await;
        put_imported_client(&test);
        test.interceptor.fail(call, 500, "InternalServerError");
        for _ in 0..5 {
            authenticate(&test, IMPORTED.1, "").await.assert_issued(2);
            authenticate(&test, "wrong", "").await.assert_error(401, "invalid_client");
        }
        for secret in ["wrong", IMPORTED.1] {
            authenticate(&test, secret, "").await.assert_error(503, "temporarily_unavailable");
        }
        test.advance_clock(60);
        authenticate(&test, IMPORTED.1, "").await.assert_issued(2);
        authenticate(&test, "wrong", "").await.assert_error(401, "invalid_client");
        assert!(test.items("GrantsTable").is_empty());
        test.interceptor.stop_failing();
        authenticate(&test, "wrong", "").await.assert_error(401, "invalid_client");
        assert_eq!(stored_attempts(&test)["failures"]["N"], "1");
    }
}

#[tokio::test]
async fn s_310_of_simultaneous_wrong_secrets_that_cannot_be_counted_five_get_a_result() {
    let test = TestApp::start_with_cheap_hashes().await;
    put_imported_client(&test);
    test.interceptor.fail("UpdateItem GrantsTable", 500, "InternalServerError");
    let responses = join_all((0..20).map(|_| authenticate(&test, "wrong", ""))).await;
    let count = |status: u16| responses.iter().filter(|response| response.status == status).count();
    assert_eq!((count(401), count(503)), (5, 15));
}

#[tokio::test]
async fn s_705_a_client_authenticates_immediately_after_an_outage_with_wrong_guesses() {
    for call in ["GetItem GrantsTable", "UpdateItem GrantsTable"] {
        let test = TestApp::start_with_cheap_hashes().await;
        put_imported_client(&test);
        test.interceptor.fail(call, 500, "InternalServerError");
        for _ in 0..5 {
            authenticate(&test, "wrong", "").await.assert_error(401, "invalid_client");
        }
        authenticate(&test, IMPORTED.1, "").await.assert_error(503, "temporarily_unavailable");
        test.interceptor.stop_failing();
        authenticate(&test, IMPORTED.1, "").await.assert_issued(2);
        authenticate(&test, "wrong", "").await.assert_error(401, "invalid_client");
        assert_eq!(stored_attempts(&test)["failures"]["N"], "1");
    }
}

#[tokio::test]
async fn s_709_a_malformed_item_is_reported_and_never_used() {
    let test = TestApp::start_with_cheap_hashes().await;
    put_imported_client(&test);
    for (changes, attribute) in [
        (json!({"failures": "canary"}), "failures"),
        (json!({"failures": -1}), "failures"),
        (json!({"failures": 9_007_199_254_740_993_u64}), "failures"),
        (json!({"failures": 1.5}), "failures"),
        (json!({"failures": null}), "failures"),
        (json!({"failures": "5"}), "failures"),
        (json!({"failures": true}), "failures"),
        (json!({"failures": [1]}), "failures"),
        (json!({"last_at": -1}), "last_at"),
        (json!({"last_at": 1.5}), "last_at"),
        (json!({"last_at": 9_007_199_254_740_993_u64}), "last_at"),
        (json!({"last_at": {"failures": 1}}), "last_at"),
        (json!({"last_at": null}), "last_at"),
        (json!({"by": 1}), "by"),
        (json!({"by": ["canary"]}), "by"),
        (json!({"n:0": "canary"}), "n:0"),
        (json!({"n:0": [1, 2]}), "n:0"),
        (json!({"n:0": {"failures": 1.5, "last_at": 1}}), "n:0.failures"),
        (json!({"n:0": {"failures": "canary", "last_at": 1}}), "n:0.failures"),
        (json!({"n:0": {"failures": 1, "last_at": -1}}), "n:0.last_at"),
        (json!({"n:0": {"failures": 1}}), "n:0"),
    ] {
        for subject in [Subject::account(USERNAME), Subject::client(IMPORTED.0)] {
            let item = json!({"id": subject.item_id(), "failures": 1, "last_at": NOW, "by": "x"});
            test.cloud.put("GrantsTable", &with_changes(item, &changes)).unwrap();
        }
        let log = LogLines::collect();
        test.password(USERNAME, PASSWORD).await.assert_error(500, "server_error");
        authenticate(&test, IMPORTED.1, "").await.assert_error(500, "server_error");
        for line in log.lines() {
            let reason = line["reason"].as_str().unwrap();
            assert!(reason.contains("grants") && reason.contains(attribute), "{reason}");
        }
        assert!(!log.text().contains("canary"));
    }
}

#[tokio::test]
async fn s_708_an_item_whose_deletion_is_late_has_no_effect() {
    let test = TestApp::start_with_cheap_hashes().await;
    for _ in 0..5 {
        test.password(USERNAME, "wrong").await.assert_error(400, "invalid_grant");
    }
    let expires_at: u64 = stored_attempts(&test)["expires_at"]["N"].as_str().unwrap().parse().unwrap();
    test.advance_clock(i64::try_from(expires_at - NOW).unwrap());
    for _ in 0..5 {
        test.password(USERNAME, "wrong").await.assert_error(400, "invalid_grant");
    }
    assert_eq!(test.password(USERNAME, "wrong").await.status, 429);
}

/// DynamoDB deletes the item by `expires_at`. The service does not read it.
#[tokio::test]
async fn attributes_that_are_not_read_may_have_any_value() {
    let test = TestApp::start_with_cheap_hashes().await;
    let subject = Subject::account(USERNAME);
    for value in [json!("canary"), json!(-1), json!([1]), json!({"M": 1}), json!(null), json!(true)] {
        let item = json!({"id": subject.item_id(), "failures": 4, "last_at": NOW, "expires_at": value, "other": value});
        test.cloud.put("GrantsTable", &item).unwrap();
        test.password(USERNAME, "wrong").await.assert_error(400, "invalid_grant");
        assert_eq!(stored_attempts(&test)["failures"]["N"], "5");
        assert_eq!(stored_attempts(&test)["expires_at"]["N"], (NOW + 86_400).to_string());
    }
}

/// The name of an attribute of a malformed item is in the log.
#[tokio::test]
async fn s_602_the_reason_of_a_malformed_item_is_escaped() {
    let test = TestApp::start_with_cheap_hashes().await;
    let name = "n:\u{1b}[2J\r\n\u{9b}\u{2028}\"}";
    test.cloud.put("GrantsTable", &json!({"id": Subject::account(USERNAME).item_id(), name: "canary"})).unwrap();
    let log = LogLines::collect();
    test.password(USERNAME, PASSWORD).await.assert_error(500, "server_error");
    let reason = format!("a record of table grants is malformed: {name}");
    assert_eq!(log.lines()[0]["reason"], reason);
    let is_interpreted = |character: char| character.is_control() || character == '\u{2028}';
    assert_eq!(log.text().find(is_interpreted), Some(log.text().len() - 1), "{:?}", log.text());
}

/// Another program writes the item between the read and the count.
#[tokio::test]
async fn s_709_an_item_that_is_malformed_when_the_guess_is_counted_is_reported() {
    let test = TestApp::start_with_cheap_hashes().await;
    let subject = Subject::account(USERNAME);
    for password in ["wrong", PASSWORD] {
        for before in [Some(4), None] {
            test.items("GrantsTable")
                .iter()
                .for_each(|item| test.delete_item("GrantsTable", &json!({"id": item["id"]})));
            if let Some(failures) = before {
                let item = json!({"id": subject.item_id(), "failures": failures, "last_at": NOW});
                test.cloud.put("GrantsTable", &item).unwrap();
            }
            let log = LogLines::collect();
            test.interceptor.hold();
            let (response, ()) = tokio::join!(test.password(USERNAME, password), async {
                test.interceptor.let_through(3).await;
                let item = json!({"id": subject.item_id(), "failures": "canary", "last_at": NOW});
                test.cloud.put("GrantsTable", &item).unwrap();
                test.interceptor.release();
            });
            response.assert_error(500, "server_error");
            assert_eq!(log.lines()[0]["reason"], "a record of table grants is malformed: failures");
        }
    }
}
