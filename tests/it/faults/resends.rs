//! Writes that the SDK sends again because their response was lost, while the state has changed in between; and writes
//! that arrive after their request was given up.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};

use testing::{Fault, FaultProxy, LogLines, OLD, PASSWORD, TestApp, USERNAME, Verb, active_generation, recorded};

const UPGRADE: &str = "UpdateItem UsersTable";

fn count(calls: &[String], name: &str) -> usize {
    calls.iter().filter(|call| *call == name).count()
}

#[tokio::test]
async fn s_706_the_family_of_a_login_that_is_sent_again_stays_revoked() {
    let test = Arc::new(TestApp::start().await);
    let operator = test.clone();
    test.interceptor.lose_response_while("PutItem GrantsTable", async move { operator.revoke_all() });
    let response = test.password(USERNAME, PASSWORD).await;
    response.assert_issued(2);
    assert_eq!(count(&test.interceptor.calls(), "PutItem GrantsTable"), 2);
    assert_eq!(test.items("GrantsTable").len(), 1);
    assert_eq!(recorded(&test, &response), Some(false), "the resend did not undo the revocation");
    test.refresh(&response.refresh_token()).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_706_a_rotation_that_is_sent_again_after_its_successor_was_used_is_no_replay() {
    for grace in [0, 10] {
        let test = Arc::new(TestApp::start_with(|config| config.lifetimes.refresh_grace = grace).await);
        let first = test.log_in().await;
        let keys = test.app.keyring.current().await.unwrap();
        let second = test.decoded(&first).await.successor().mint(&keys.refresh_token_keys);
        // A second tab has the successor, from a retry within the grace, and uses it.
        let (client, other_tab) = (test.clone(), second.clone());
        test.interceptor.lose_response_while("UpdateItem GrantsTable", async move {
            client.refresh(&other_tab).await.assert_issued(2);
        });
        test.refresh(&first).await.assert_error(400, "invalid_grant");
        assert_eq!(count(&test.interceptor.calls(), "UpdateItem GrantsTable"), 3);
        assert_eq!(active_generation(&test.family(&first)), Some(2), "the login goes on");
        let third = test.decoded(&second).await.successor().mint(&keys.refresh_token_keys);
        test.refresh(&third).await.assert_issued(2);
    }
}

#[tokio::test]
async fn s_706_a_rotation_that_is_sent_again_after_a_retry_of_the_client_counts_once() {
    let test = Arc::new(TestApp::start().await);
    let first = test.log_in().await;
    let (client, retried) = (test.clone(), first.clone());
    test.interceptor.lose_response_while("UpdateItem GrantsTable", async move {
        client.refresh(&retried).await.assert_issued(2);
    });
    let second = test.refresh(&first).await.refresh_token();
    assert_eq!(active_generation(&test.family(&first)), Some(1));
    test.refresh(&second).await.assert_issued(2);
}

#[tokio::test]
async fn s_706_a_rotation_that_is_sent_again_after_a_revocation_yields_no_token() {
    let test = Arc::new(TestApp::start().await);
    let first = test.log_in().await;
    let operator = test.clone();
    test.interceptor.lose_response_while("UpdateItem GrantsTable", async move { operator.revoke_all() });
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    assert_eq!(count(&test.interceptor.calls(), "UpdateItem GrantsTable"), 2);
    assert_eq!(active_generation(&test.family(&first)), None);
}

#[tokio::test]
async fn s_706_a_revocation_that_is_sent_again_restores_no_family_that_is_gone() {
    let test = Arc::new(TestApp::start().await);
    let first = test.log_in().await;
    test.refresh(&first).await.assert_issued(2);
    test.pass(60);
    // DynamoDB's TTL deletes the item.
    let (table, id) = (test.clone(), test.family(&first)["id"].clone());
    test.interceptor.lose_response_while("UpdateItem GrantsTable", async move {
        let request = json!({"TableName": "GrantsTable", "Key": {"id": id}});
        table.cloud.database.delete_item(serde_json::from_value(request).unwrap()).unwrap();
    });
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    assert_eq!(count(&test.interceptor.calls(), "UpdateItem GrantsTable"), 3, "the rotation, and the revocation twice");
    assert_eq!(test.find_family(&first), None);
}

#[tokio::test]
async fn s_706_an_upgrade_of_a_hash_that_is_sent_again_does_not_undo_a_new_password() {
    let test = Arc::new(TestApp::start().await);
    let operator = test.clone();
    test.interceptor
        .lose_response_while(UPGRADE, async move { drop(operator.set_old_users_password("a new password")) });
    test.password(OLD.0, OLD.1).await.assert_issued(2);
    assert_eq!(count(&test.interceptor.calls(), UPGRADE), 2);
    test.password(OLD.0, "a new password").await.assert_issued(2);
}

/// The response to the rotation is lost for good.
#[tokio::test]
async fn s_705_a_rotation_without_a_response_yields_the_same_successor_within_the_grace_and_is_a_replay_later() {
    for (later, status) in [(0, 200), (10, 200), (11, 400)] {
        let start = TestApp::start().await;
        let proxy = FaultProxy::before(&start).await;
        let test = start.behind(&proxy).await;
        let first = test.log_in().await;
        proxy.arm([fault("UpdateItem GrantsTable", Verb::ResetAfter)]);
        test.refresh(&first).await.assert_error(503, "temporarily_unavailable");
        proxy.stop_failing().await;
        assert_eq!(active_generation(&test.family(&first)), Some(1), "it was written once");
        test.pass(later);
        let response = test.refresh(&first).await;
        assert_eq!(response.status, status, "{later} s later: {:?}", response.bytes);
        if status == 200 {
            assert_eq!(active_generation(&test.family(&first)), Some(1));
            test.refresh(&response.refresh_token()).await.assert_issued(2);
        } else {
            assert_eq!(active_generation(&test.family(&first)), None);
        }
    }
}

fn fault(call: &str, verb: Verb) -> Fault {
    Fault { call: call.to_owned(), nth: 1, verb, lasting: true }
}

#[tokio::test]
async fn s_303_an_upgrade_that_hangs_or_fails_delays_no_login_by_more_than_300_ms_and_fails_none() {
    const DELAY: Duration = Duration::from_millis(300);
    /// The time that a busy machine may add. Without the bound, a write that hangs takes the SDK's 3 seconds.
    const SLACK: Duration = Duration::from_secs(2);
    let start = TestApp::start_with_cheap_hashes().await;
    let proxy = FaultProxy::before(&start).await;
    let test = start.behind(&proxy).await;
    test.app.warm_up().await;
    let mut normal = Duration::ZERO;
    for verb in [
        None,
        Some(Verb::Hang),
        Some(Verb::HangAfter),
        Some(Verb::Late),
        Some(Verb::Slow(900)),
        Some(Verb::ResetBefore),
        Some(Verb::ResetAfter),
        Some(Verb::Error(500, "InternalServerError")),
        Some(Verb::Error(400, "ThrottlingException")),
        Some(Verb::Error(400, "AccessDeniedException")),
        Some(Verb::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")),
    ] {
        test.change("UsersTable", &json!({"username": OLD.0}), &json!({}));
        let imported = test.hash_of(OLD.0);
        proxy.arm(verb.map(|verb| fault(UPGRADE, verb)));
        let began = Instant::now();
        let response = test.password(OLD.0, OLD.1).await;
        let took = began.elapsed();
        response.assert_issued(2);
        assert_eq!(recorded(&test, &response), Some(true), "{verb:?}");
        assert!(count(&proxy.calls(), UPGRADE) >= 1, "{verb:?}: the upgrade was tried");
        if verb.is_none() {
            normal = took;
        }
        assert!(took < normal + DELAY + SLACK, "{verb:?}: {took:?}; without a fault it is {normal:?}");
        proxy.stop_failing().await;
        proxy.settle().await;
        let stored = test.hash_of(OLD.0);
        assert!(stored == imported || stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{verb:?}: {stored}");
        // Whichever it is, it is one of the password, and the next login upgrades it.
        test.password(OLD.0, OLD.1).await.assert_issued(2);
        assert!(test.hash_of(OLD.0).starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{verb:?}");
    }
}

/// The request is over, and the network delivers its write when the operator has set another password.
#[tokio::test]
async fn s_303_an_upgrade_that_arrives_late_does_not_undo_a_new_password() {
    let start = TestApp::start().await;
    let proxy = FaultProxy::before(&start).await;
    let test = start.behind(&proxy).await;
    proxy.arm([fault(UPGRADE, Verb::Postponed)]);
    test.password(OLD.0, OLD.1).await.assert_issued(2);
    let new = test.set_old_users_password("a new password");
    proxy.stop_failing().await;
    proxy.settle().await;
    assert_eq!(count(&proxy.done(), UPGRADE), 1, "it arrived");
    assert_eq!(test.hash_of(OLD.0), new);
}

/// A rotation whose request was given up arrives when the client has used the token again, or when the login is over.
#[tokio::test]
async fn s_411_a_rotation_that_arrives_late_takes_nothing_from_the_client() {
    for revoked in [false, true] {
        let start = TestApp::start().await;
        let proxy = FaultProxy::before(&start).await;
        let test = start.behind(&proxy).await;
        let first = test.log_in().await;
        proxy.arm([fault("UpdateItem GrantsTable", Verb::Postponed)]);
        let began = Instant::now();
        let late = timeout(Duration::from_secs(10), test.refresh(&first)).await.unwrap();
        late.assert_error(503, "temporarily_unavailable");
        assert!(began.elapsed() < Duration::from_secs(4));
        // By another way than the one that is stuck.
        let second = start.refresh(&first).await.refresh_token();
        if revoked {
            start.revoke_all();
        }
        proxy.stop_failing().await;
        proxy.settle().await;
        assert!(count(&proxy.done(), "UpdateItem GrantsTable") > 0, "it arrived");
        assert_eq!(active_generation(&test.family(&first)), (!revoked).then_some(1));
        let log = LogLines::collect();
        let next = test.refresh(&second).await;
        assert_eq!(next.status, if revoked { 400 } else { 200 }, "{:?}", log.lines());
    }
}

/// The client is within the grace when it tries again, and our own read is slow.
#[tokio::test]
async fn s_705_a_slow_read_of_a_retry_within_the_grace_does_not_end_the_login() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let second = test.refresh(&first).await.refresh_token();
    test.pass(8);
    test.interceptor.hold();
    let (response, ()) = tokio::join!(test.refresh(&first), async {
        test.interceptor.wait_for(2).await;
        test.pass(3);
        test.interceptor.release();
    });
    response.assert_issued(2);
    assert_eq!(response.refresh_token(), second);
    assert_eq!(active_generation(&test.family(&first)), Some(1), "the login goes on");
}

#[tokio::test]
async fn a_retry_yields_no_access_token_that_outlives_the_family() {
    let test = TestApp::start_with(|config| config.lifetimes.refresh_token_idle = 60).await;
    let first = test.log_in().await;
    test.refresh(&first).await.assert_issued(2);
    test.pass(9);
    let claims = test.refresh(&first).await.assert_issued(2);
    assert_eq!(claims.number("exp").to_string(), test.family(&first)["expires_at"]["N"]);
}
