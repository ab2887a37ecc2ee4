//! Writes that the SDK repeats because their response was lost, after the state has changed; and writes that arrive after
//! the end of their request.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};

use testing::{Fault, FaultKind, FaultProxy, IMPORTED_USER, LogLines, PASSWORD, TestApp, USERNAME, login_is_recorded};

const UPGRADE: &str = "UpdateItem UsersTable";

fn count(calls: &[String], name: &str) -> usize {
    calls.iter().filter(|call| *call == name).count()
}

#[tokio::test]
async fn s_706_a_repeated_write_of_a_login_does_not_undo_a_revocation() {
    let test = Arc::new(TestApp::start().await);
    let operator = test.clone();
    test.interceptor.lose_response_while("PutItem GrantsTable", async move { operator.revoke_all() });
    let response = test.password(USERNAME, PASSWORD).await;
    response.assert_issued(2);
    assert_eq!(count(&test.interceptor.calls(), "PutItem GrantsTable"), 2);
    assert_eq!(test.families().len(), 1);
    assert_eq!(login_is_recorded(&test, &response), Some(false), "the family stays revoked");
    test.refresh(&response.refresh_token()).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_706_a_repeated_rotation_after_a_use_of_its_successor_is_not_a_replay() {
    for grace in [0, 10] {
        let test = Arc::new(TestApp::start_with(|config| config.lifetimes.refresh_grace = grace).await);
        let first = test.log_in().await;
        let keys = test.app.keyring.current().await.unwrap();
        let second = test.parse_refresh_token(&first).await.successor().mint(&keys.refresh_token_keys);
        // Another tab got the successor by a retry within the grace, and uses it.
        let (client, other_tab) = (test.clone(), second.clone());
        test.interceptor.lose_response_while("UpdateItem GrantsTable", async move {
            client.refresh(&other_tab).await.assert_issued(2);
        });
        test.refresh(&first).await.assert_error(400, "invalid_grant");
        assert_eq!(count(&test.interceptor.calls(), "UpdateItem GrantsTable"), 4, "one counts the guess");
        assert_eq!(test.active_generation(&first), Some(2), "the login continues");
        let third = test.parse_refresh_token(&second).await.successor().mint(&keys.refresh_token_keys);
        test.refresh(&third).await.assert_issued(2);
    }
}

#[tokio::test]
async fn s_706_a_repeated_rotation_after_a_retry_of_the_client_rotates_once() {
    let test = Arc::new(TestApp::start().await);
    let first = test.log_in().await;
    let (client, retried) = (test.clone(), first.clone());
    test.interceptor.lose_response_while("UpdateItem GrantsTable", async move {
        client.refresh(&retried).await.assert_issued(2);
    });
    let second = test.refresh(&first).await.refresh_token();
    assert_eq!(test.active_generation(&first), Some(1));
    test.refresh(&second).await.assert_issued(2);
}

#[tokio::test]
async fn s_706_a_repeated_rotation_after_a_revocation_returns_no_token() {
    let test = Arc::new(TestApp::start().await);
    let first = test.log_in().await;
    let operator = test.clone();
    test.interceptor.lose_response_while("UpdateItem GrantsTable", async move { operator.revoke_all() });
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    assert_eq!(count(&test.interceptor.calls(), "UpdateItem GrantsTable"), 3, "one counts the guess");
    assert_eq!(test.active_generation(&first), None);
}

#[tokio::test]
async fn s_706_a_repeated_revocation_does_not_restore_a_deleted_family() {
    let test = Arc::new(TestApp::start().await);
    let first = test.log_in().await;
    test.refresh(&first).await.assert_issued(2);
    test.advance_clock(60);
    // DynamoDB's TTL deletes the item.
    let (table, id) = (test.clone(), test.family(&first)["id"].clone());
    test.interceptor.lose_response_while("UpdateItem GrantsTable", async move {
        table.delete_item("GrantsTable", &json!({"id": id}));
    });
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    assert_eq!(
        count(&test.interceptor.calls(), "UpdateItem GrantsTable"),
        4,
        "the guess, the rotation, and the revocation twice"
    );
    assert_eq!(test.find_family(&first), None);
}

#[tokio::test]
async fn s_706_a_repeated_hash_upgrade_does_not_undo_a_password_change() {
    let test = Arc::new(TestApp::start().await);
    let operator = test.clone();
    test.interceptor
        .lose_response_while(UPGRADE, async move { drop(operator.set_imported_users_password("a new password")) });
    test.password(IMPORTED_USER.0, IMPORTED_USER.1).await.assert_issued(2);
    assert_eq!(count(&test.interceptor.calls(), UPGRADE), 2);
    test.password(IMPORTED_USER.0, "a new password").await.assert_issued(2);
}

/// All responses to the rotation are lost.
#[tokio::test]
async fn s_705_after_a_rotation_without_a_response_a_retry_within_the_grace_gets_the_successor() {
    for (later, status) in [(0, 200), (10, 200), (11, 400)] {
        let start = TestApp::start().await;
        let proxy = FaultProxy::before(&start).await;
        let test = start.behind(&proxy).await;
        let first = test.log_in().await;
        proxy.arm([fault("UpdateItem GrantsTable", FaultKind::ResetAfter)]);
        test.refresh(&first).await.assert_error(503, "temporarily_unavailable");
        proxy.stop_failing().await;
        assert_eq!(test.active_generation(&first), Some(1), "the rotation was written once");
        test.advance_clock(later);
        let response = test.refresh(&first).await;
        assert_eq!(response.status, status, "{later} s later: {:?}", response.bytes);
        if status == 200 {
            assert_eq!(test.active_generation(&first), Some(1));
            test.refresh(&response.refresh_token()).await.assert_issued(2);
        } else {
            assert_eq!(test.active_generation(&first), None);
        }
    }
}

fn fault(call: &str, kind: FaultKind) -> Fault {
    Fault { call: call.to_owned(), nth: 1, kind, lasting: true }
}

#[tokio::test]
async fn s_303_an_upgrade_that_hangs_or_fails_delays_a_login_by_at_most_300_ms() {
    const DELAY: Duration = Duration::from_millis(300);
    /// The time that a busy machine can add. Without the limit, a write that hangs takes the 3 seconds of the SDK.
    const SLACK: Duration = Duration::from_secs(2);
    let start = TestApp::start_with_cheap_hashes().await;
    let proxy = FaultProxy::before(&start).await;
    let test = start.behind(&proxy).await;
    test.app.warm_up().await;
    let mut normal = Duration::ZERO;
    for kind in [
        None,
        Some(FaultKind::Hang),
        Some(FaultKind::HangAfter),
        Some(FaultKind::Late),
        Some(FaultKind::Slow(900)),
        Some(FaultKind::ResetBefore),
        Some(FaultKind::ResetAfter),
        Some(FaultKind::Error(500, "InternalServerError")),
        Some(FaultKind::Error(400, "ThrottlingException")),
        Some(FaultKind::Error(400, "AccessDeniedException")),
        Some(FaultKind::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")),
    ] {
        test.change_imported_user(&json!({}));
        let imported = test.password_hash_of(IMPORTED_USER.0);
        proxy.arm(kind.map(|kind| fault(UPGRADE, kind)));
        let began = Instant::now();
        let response = test.password(IMPORTED_USER.0, IMPORTED_USER.1).await;
        let took = began.elapsed();
        response.assert_issued(2);
        assert_eq!(login_is_recorded(&test, &response), Some(true), "{kind:?}");
        assert!(count(&proxy.calls(), UPGRADE) >= 1, "{kind:?}: the upgrade was tried");
        if kind.is_none() {
            normal = took;
        }
        assert!(took < normal + DELAY + SLACK, "{kind:?}: {took:?}; without a fault: {normal:?}");
        proxy.stop_failing().await;
        proxy.settle().await;
        let stored = test.password_hash_of(IMPORTED_USER.0);
        assert!(stored == imported || stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{kind:?}: {stored}");
        // Both hashes are valid, and the next login upgrades the imported one. It has time on a busy machine, too.
        start.password(IMPORTED_USER.0, IMPORTED_USER.1).await.assert_issued(2);
        assert!(test.password_hash_of(IMPORTED_USER.0).starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{kind:?}");
    }
}

/// The network delivers the write after the end of its request, and after the operator has set another password.
#[tokio::test]
async fn s_303_an_upgrade_that_arrives_late_does_not_undo_a_new_password() {
    let start = TestApp::start_with_cheap_hashes().await;
    let proxy = FaultProxy::before(&start).await;
    let test = start.behind(&proxy).await;
    proxy.arm([fault(UPGRADE, FaultKind::Postponed)]);
    test.password(IMPORTED_USER.0, IMPORTED_USER.1).await.assert_issued(2);
    let new = test.set_imported_users_password("a new password");
    proxy.stop_failing().await;
    proxy.settle().await;
    assert_eq!(count(&proxy.completed(), UPGRADE), 1, "the write arrived");
    assert_eq!(test.password_hash_of(IMPORTED_USER.0), new);
}

/// A rotation arrives after the end of its request, when the client has retried or the login was revoked.
#[tokio::test]
async fn s_411_a_rotation_that_arrives_late_changes_nothing_for_the_client() {
    for revoked in [false, true] {
        let start = TestApp::start().await;
        let proxy = FaultProxy::before(&start).await;
        let test = start.behind(&proxy).await;
        let first = test.log_in().await;
        proxy.arm([fault("UpdateItem GrantsTable", FaultKind::Postponed)]);
        let late = timeout(Duration::from_mins(1), test.refresh(&first)).await.unwrap();
        late.assert_error(503, "temporarily_unavailable");
        // The client retries through an execution environment without the fault.
        let second = start.refresh(&first).await.refresh_token();
        if revoked {
            start.revoke_all();
        }
        proxy.stop_failing().await;
        proxy.settle().await;
        assert!(count(&proxy.completed(), "UpdateItem GrantsTable") > 0, "the write arrived");
        assert_eq!(test.active_generation(&first), (!revoked).then_some(1));
        let log = LogLines::collect();
        let next = test.refresh(&second).await;
        assert_eq!(next.status, if revoked { 400 } else { 200 }, "{:?}", log.lines());
    }
}

/// The retry arrives within the grace. The read takes until after the grace.
#[tokio::test]
async fn s_705_a_slow_read_of_a_retry_within_the_grace_does_not_end_the_login() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let second = test.refresh(&first).await.refresh_token();
    test.advance_clock(8);
    test.interceptor.hold();
    let (response, ()) = tokio::join!(test.refresh(&first), async {
        test.interceptor.wait_for(2).await;
        test.advance_clock(3);
        test.interceptor.release();
    });
    response.assert_issued(2);
    assert_eq!(response.refresh_token(), second);
    assert_eq!(test.active_generation(&first), Some(1), "the login continues");
}

#[tokio::test]
async fn the_access_token_of_a_retry_expires_with_the_family() {
    let test = TestApp::start_with(|config| config.lifetimes.refresh_token_idle = 60).await;
    let first = test.log_in().await;
    test.refresh(&first).await.assert_issued(2);
    test.advance_clock(9);
    let claims = test.refresh(&first).await.assert_issued(2);
    assert_eq!(claims.number("exp").to_string(), test.family(&first)["expires_at"]["N"]);
}
