//! S-409: what a revocation and a log-out end, and when.

use serde_json::json;

use testing::{Response, TestApp, active_generation, recorded};

/// Ends the login that a refresh token belongs to.
type End = fn(&TestApp);

const ENDS: [(&str, End); 2] = [
    ("revocation", |test| test.revoke_all()),
    ("log-out everywhere", |test| test.change_user(&json!({"session_generation": 1}))),
];

/// Asserts that a response yields nothing.
#[track_caller]
fn assert_nothing_issued(response: &Response, what: &str) {
    response.assert_error(400, "invalid_grant");
    assert!(response.body.get("access_token").is_none(), "{what}");
}

#[tokio::test]
async fn s_409_after_the_response_to_a_revocation_or_a_log_out_no_token_of_the_login_yields_another() {
    for (what, end) in ENDS {
        let test = TestApp::start().await;
        let first = test.log_in().await;
        let second = test.refresh(&first).await.refresh_token();
        let third = test.refresh(&second).await.refresh_token();
        end(&test);
        let before = test.items("GrantsTable");
        // The active one, a retry within the grace, and one that is older.
        for token in [&third, &second, &first] {
            assert_nothing_issued(&test.refresh(token).await, what);
        }
        assert_eq!(active_generation(&test.family(&first)), None, "{what}");
        let generation = |items: &[serde_json::Value]| items[0]["generation"].clone();
        assert_eq!(generation(&test.items("GrantsTable")), generation(&before), "nothing is rotated");
        // Another login is not concerned.
        test.refresh(&test.log_in().await).await.assert_issued(2);
    }
}

/// The response to a replay is the response to the revocation that it causes.
#[tokio::test]
async fn s_409_after_the_response_to_a_replay_a_retry_within_the_grace_gets_no_fresh_token() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    let second = test.refresh(&first).await.refresh_token();
    let third = test.refresh(&second).await.refresh_token();
    test.refresh(&first).await.assert_error(400, "invalid_grant");
    // Without the revocation this retry would yield a token.
    for token in [&second, &third] {
        assert_nothing_issued(&test.refresh(token).await, "replay");
    }
}

#[tokio::test]
async fn s_409_a_rotation_that_is_under_way_when_the_family_is_revoked_yields_no_token() {
    let test = TestApp::start().await;
    let first = test.log_in().await;
    test.interceptor.hold();
    // The request has read the family and the user, and is about to rotate.
    let (response, ()) = tokio::join!(test.refresh(&first), async {
        for calls in [2, 1] {
            test.interceptor.let_through(calls).await;
        }
        test.interceptor.wait_for(1).await;
        test.revoke_all();
        test.interceptor.let_through(1).await;
    });
    assert_nothing_issued(&response, "a rotation under way");
    assert_eq!(active_generation(&test.family(&first)), None);
}

/// Covers rotations and retries: the user is read after the family, and before anything is signed.
#[tokio::test]
async fn s_409_a_refresh_that_read_its_family_before_a_log_out_yields_no_token() {
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
        assert_nothing_issued(&response, "a refresh under way");
        assert_eq!(active_generation(&test.family(&first)), None);
    }
}

/// The remaining case: a response that is under way when the login ends. Its tokens belong to a login that is over.
#[tokio::test]
async fn s_409_a_response_that_is_under_way_when_the_login_ends_has_tokens_that_are_not_active() {
    // A retry writes nothing, so a revocation does not stop it once it has read the family. A rotation does not read the
    // user a second time.
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
            assert_eq!(recorded(&test, &response), Some(false), "the access token names a family that is revoked");
        }
        assert_nothing_issued(&test.refresh(&response.refresh_token()).await, what);
        assert_eq!(recorded(&test, &response), Some(false), "{what}");
    }
}
