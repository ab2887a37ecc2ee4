//! Log-out with the cookie, at the revocation endpoint (S-911, S-912, S-914, S-915).

use serde_json::json;

use super::{assert_cleared, assert_readable, started};
use testing::{
    APPLICATION, BROWSER_APP, BROWSER_ORIGIN, Response, TestApp, USERNAME, browser, browser_login, form, raw_json,
    with_cookie,
};

const REVOKE: &str = "/oauth/revoke";

/// Sends a revocation from a page of the client.
async fn revoke(test: &TestApp, params: &[(&str, &str)], cookie: &str) -> Response {
    test.send(with_cookie(browser(params), cookie).to("POST", REVOKE)).await
}

#[track_caller]
fn assert_done(response: &Response, what: &str) {
    assert_eq!((response.status, response.bytes.len()), (200, 0), "{what}");
    assert_eq!(response.header("content-type"), None, "{what}");
    assert_readable(response, what);
}

#[tokio::test]
async fn the_login_of_the_cookie_ends_and_the_cookie_is_deleted() {
    let test = started().await;
    let body = json!({"client_id": BROWSER_APP}).to_string();
    for in_json in [false, true] {
        let token = test.log_in_by_browser().await;
        let request = if in_json { raw_json(body.clone()).header("origin", BROWSER_ORIGIN) } else { browser(&[]) };
        let response = test.send(with_cookie(request, &token).to("POST", REVOKE)).await;
        assert_done(&response, "log-out");
        assert_cleared(&response, "log-out");
        assert_eq!(test.active_generation(&token), None);
        let refreshed = test.refresh_by_cookie(&token).await;
        refreshed.assert_error(400, "invalid_grant");
        assert_cleared(&refreshed, "refresh");
    }
}

#[tokio::test]
async fn s_911_a_cookie_without_a_login_is_deleted_too() {
    let test = started().await;
    let ended = test.log_in_by_browser().await;
    assert_done(&revoke(&test, &[], &ended).await, "first");
    let expired = test.log_in_by_browser().await;
    test.advance_clock(2_592_000);
    for cookie in [&ended, &expired, "cs_rt_x", "x", "", "\u{fc}", &"x".repeat(9_000)] {
        let response = revoke(&test, &[], cookie).await;
        assert_done(&response, cookie);
        assert_cleared(&response, cookie);
    }
}

#[tokio::test]
async fn with_a_token_the_cookie_is_neither_used_nor_deleted() {
    let test = started().await;
    let (first, second) = (test.log_in_by_browser().await, test.log_in_by_browser().await);
    for token in [first.as_str(), "x"] {
        let response = revoke(&test, &[("token", token)], &second).await;
        assert_done(&response, token);
        assert_eq!(response.cookie(), None, "{token}");
    }
    // A repeated cookie is not noticed.
    let twice = with_cookie(with_cookie(browser(&[("token", "x")]), &second), &second);
    assert_done(&test.send(twice.to("POST", REVOKE)).await, "twice");
    assert_eq!((test.active_generation(&first), test.active_generation(&second)), (None, Some(0)));
}

#[tokio::test]
async fn without_token_and_cookie_the_request_is_not_valid() {
    let test = started().await;
    let token = test.log_in_by_browser().await;
    for (what, request) in [
        ("no cookie", browser(&[])),
        ("an empty token and no cookie", browser(&[("token", "")])),
        ("another cookie", browser(&[]).header("cookie", "a=1")),
        ("the cookie twice", with_cookie(with_cookie(browser(&[]), &token), &token)),
        ("a malformed all_sessions", with_cookie(browser(&[("all_sessions", "yes")]), &token)),
    ] {
        let response = test.send(request.to("POST", REVOKE)).await;
        assert_eq!((response.status, &response.body["error"]), (400, &json!("invalid_request")), "{what}");
        assert_eq!(response.cookie(), None, "{what}");
        assert_readable(&response, what);
    }
    test.refresh_by_cookie(&token).await.assert_issued(2);
}

/// The cookie is read after the client and its origin are proven.
#[tokio::test]
async fn a_log_out_with_the_cookie_needs_three_round_trips() {
    let test = started().await;
    let token = test.log_in_by_browser().await;
    test.interceptor.clear_calls();
    test.interceptor.hold();
    let (response, calls) = tokio::join!(test.revoke_by_cookie(&token), async {
        [
            test.interceptor.let_through(1).await,
            test.interceptor.let_through(1).await,
            test.interceptor.let_through(1).await,
        ]
    });
    assert_done(&response, "log-out");
    assert_eq!(calls, [["GetItem ClientsTable"], ["GetItem GrantsTable"], ["UpdateItem GrantsTable"]]);
    test.interceptor.release();
}

#[tokio::test]
async fn all_sessions_with_the_cookie_ends_every_login_of_the_user() {
    let test = started().await;
    let (here, there) = (test.log_in_by_browser().await, test.log_in().await);
    let response = revoke(&test, &[("all_sessions", "true")], &here).await;
    assert_done(&response, "everywhere");
    assert_cleared(&response, "everywhere");
    test.refresh_by_cookie(&here).await.assert_error(400, "invalid_grant");
    test.refresh(&there).await.assert_error(400, "invalid_grant");
    // The cookie of a login that is over is no log-out everywhere.
    let there = test.log_in().await;
    assert_done(&revoke(&test, &[("all_sessions", "true")], &here).await, "ended");
    test.refresh(&there).await.assert_issued(2);
}

#[tokio::test]
async fn a_cookie_with_the_token_of_another_client_is_deleted_and_that_login_stays() {
    let test = started().await;
    test.put_browser_app_with(&json!({"client_id": "spa-two"}));
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", testing::PASSWORD)];
    let login = form(&[&params[..], &[("client_id", "spa-two")]].concat()).header("origin", BROWSER_ORIGIN);
    let token = test.send(login.post()).await.issued_refresh_token().unwrap();
    let response = revoke(&test, &[], &token).await;
    response.assert_error(400, "invalid_grant");
    assert_cleared(&response, "foreign");
    assert_readable(&response, "foreign");
    assert_eq!(test.active_generation(&token), Some(0));
}

#[tokio::test]
async fn s_915_other_responses_of_a_revocation_leave_the_cookie() {
    let test = started().await;
    let token = test.log_in_by_browser().await;
    for call in ["GetItem ClientsTable", "GetItem GrantsTable", "UpdateItem GrantsTable"] {
        test.interceptor.fail(call, 400, "ThrottlingException");
        let response = revoke(&test, &[], &token).await;
        response.assert_error(503, "temporarily_unavailable");
        assert_eq!(response.cookie(), None, "{call}");
        test.interceptor.stop_failing();
    }
    let in_form = |params| with_cookie(form(params), &token);
    for (what, request) in [
        ("no origin", in_form(&[("client_id", BROWSER_APP)])),
        ("another origin", in_form(&[("client_id", BROWSER_APP)]).header("origin", "https://evil.example.test")),
        ("null", in_form(&[("client_id", BROWSER_APP)]).header("origin", "null")),
        ("a secret", in_form(&[("client_id", BROWSER_APP), ("client_secret", "x")]).header("origin", BROWSER_ORIGIN)),
        ("an unknown client", in_form(&[("client_id", "unknown")]).header("origin", BROWSER_ORIGIN)),
    ] {
        test.interceptor.clear_calls();
        let response = test.send(request.to("POST", REVOKE)).await;
        assert_eq!((response.status, response.cookie()), (401, None), "{what}");
        assert_eq!(response.header("access-control-allow-origin"), None, "{what}");
        assert_eq!(test.interceptor.calls(), ["GetItem ClientsTable"], "{what}: the cookie is not read");
    }
    test.refresh_by_cookie(&token).await.assert_issued(2);
    // A login after a log-out in another tab.
    assert_done(&revoke(&test, &[], &token).await, "log-out");
    assert!(test.send(browser_login(testing::PASSWORD).post()).await.cookie().is_some());
}

#[tokio::test]
async fn s_914_the_cookie_of_another_client_is_not_read_by_a_revocation() {
    let test = started().await;
    let token = test.log_in_by_browser().await;
    test.change_client(APPLICATION.0, &json!({"allowed_origins": [BROWSER_ORIGIN]}));
    test.put_browser_app_with(&json!({"refresh_token_cookie": null}));
    let secret = form(&[]).basic(APPLICATION.0, APPLICATION.1).header("origin", BROWSER_ORIGIN);
    let secret = secret.header("cookie", &format!("__Host-Http-countersign-{}={token}", APPLICATION.0));
    for request in [secret, with_cookie(browser(&[]), &token)] {
        test.interceptor.clear_calls();
        let response = test.send(request.to("POST", REVOKE)).await;
        response.assert_error(400, "invalid_request");
        assert_eq!(response.body["error_description"], "The token is missing.");
        assert_eq!((response.cookie(), response.header("access-control-allow-credentials")), (None, None));
        assert_eq!(test.interceptor.calls(), ["GetItem ClientsTable"]);
    }
    assert_eq!(test.active_generation(&token), Some(0));
}
