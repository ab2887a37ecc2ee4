//! Revocations and log-outs end logins, including requests in progress (S-409).

use serde_json::json;

use testing::{Response, TestApp, login_is_recorded};

/// Ends all logins of the user.
type End = fn(&TestApp);

const ENDS: [(&str, End); 2] = [
    ("revocation", |test| test.revoke_all()),
    ("log-out everywhere", |test| test.change_user(&json!({"session_generation": 1}))),
];

/// Asserts an error response without a token.
#[track_caller]
fn assert_nothing_issued(response: &Response, what: &str) {
    response.assert_error(400, "invalid_grant");
    assert!(response.body.get("access_token").is_none(), "{what}");
}

#[tokio::test]
async fn s_409_after_a_revocation_or_a_log_out_every_refresh_token_of_the_login_is_rejected() {
    for (what, end) in ENDS {
        let test = TestApp::start().await;
        let first = test.log_in().await;
        let second = test.refresh(&first).await.refresh_token();
        let third = test.refresh(&second).await.refresh_token();
        end(&test);
        let before = test.items("GrantsTable");
        // The active token, a retry within the grace, and an older token.
        for token in [&third, &second, &first] {
            assert_nothing_issued(&test.refresh(token).await, what);
        }
        assert_eq!(test.active_generation(&first), None, "{what}");
        let generation = |items: &[serde_json::Value]| items[0]["generation"].clone();
        assert_eq!(generation(&test.items("GrantsTable")), generation(&before), "nothing is rotated");
        // Other logins are not affected.
        test.refresh(&test.log_in().await).await.assert_issued(2);
    }
}

/// A replay revokes the family before its response.
#[tokio::test]
async fn s_409_after_a_replay_a_retry_within_the_grace_is_rejected() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let second = test.refresh(&first).await.refresh_token();
    let third = test.refresh(&second).await.refresh_token();
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    // Without the revocation this retry would get a token.
    for token in [&second, &third] {
        assert_nothing_issued(&test.refresh(token).await, "replay");
    }
}

#[tokio::test]
async fn s_409_a_revocation_before_the_rotation_is_written_prevents_the_token() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    test.interceptor.hold();
    // The request has read the family and the user. Its rotation is held.
    let (response, ()) = tokio::join!(test.refresh(&first), async {
        for calls in [2, 1] {
            test.interceptor.let_through(calls).await;
        }
        test.interceptor.wait_for(1).await;
        test.revoke_all();
        test.interceptor.let_through(1).await;
    });
    assert_nothing_issued(&response, "a rotation in progress");
    assert_eq!(test.active_generation(&first), None);
}

/// Rotations and retries read the user after the family and before they sign a token.
#[tokio::test]
async fn s_409_a_log_out_before_the_user_is_read_prevents_the_token() {
    for is_retry in [false, true] {
        let test = TestApp::start().await;
        let first = test.log_in().await;
        if is_retry {
            test.refresh(&first).await.assert_issued(2);
        }
        test.interceptor.hold();
        let (response, ()) = tokio::join!(test.refresh(&first), async {
            test.interceptor.let_through(2).await;
            test.interceptor.wait_for(1).await;
            test.change_user(&json!({"session_generation": 1}));
            test.interceptor.release();
        });
        assert_nothing_issued(&response, "a refresh in progress");
        assert_eq!(test.active_generation(&first), None);
    }
}

/// The remaining case: the login ends after the last read of the request.
#[tokio::test]
async fn s_409_a_response_in_progress_when_the_login_ends_contains_tokens_of_the_ended_login() {
    // A retry writes nothing, so a revocation after its read of the family does not stop it. A rotation reads the user
    // once.
    for (is_retry, calls_before, (what, end)) in [(true, &[2][..], ENDS[0]), (false, &[2, 1][..], ENDS[1])] {
        let test = TestApp::start().await;
        let first = test.log_in().await;
        if is_retry {
            test.refresh(&first).await.assert_issued(2);
        }
        test.interceptor.hold();
        let (response, ()) = tokio::join!(test.refresh(&first), async {
            for calls in calls_before {
                test.interceptor.let_through(*calls).await;
            }
            test.interceptor.wait_for(1).await;
            end(&test);
            test.interceptor.release();
        });
        response.assert_issued(2);
        if what == "revocation" {
            assert_eq!(login_is_recorded(&test, &response), Some(false), "the access token names a revoked family");
        }
        assert_nothing_issued(&test.refresh(&response.refresh_token()).await, what);
        assert_eq!(login_is_recorded(&test, &response), Some(false), "{what}");
    }
}
