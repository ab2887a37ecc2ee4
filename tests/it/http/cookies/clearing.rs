//! Responses that delete the cookie, and responses that leave it (S-915).

use serde_json::json;

use super::{assert_cleared, assert_readable, started};
use testing::{BROWSER_ORIGIN, COOKIE, PASSWORD, TestApp, browser, browser_login, browser_refresh, form};

/// Logs in and changes what the refresh token depends on. Returns the cookie that the browser still has.
async fn ended(test: &TestApp, end: &str) -> String {
    let token = test.log_in_by_browser().await;
    match end {
        "used" => {
            test.refresh_by_cookie(&token).await.assert_issued(2);
            test.advance_clock(60);
        }
        "revoked" => test.revoke_all(),
        "expired" => test.advance_clock(2_592_000),
        "disabled user" => test.change_user(&json!({"enabled": false})),
        "logged out user" => test.change_user(&json!({"session_generation": 1})),
        "no scope left" => test.change_user(&json!({"scopes": ["other"]})),
        "forged" => return format!("{token}x"),
        "empty" => return String::new(),
        "not text" => return "\u{fc}".to_owned(),
        "long" => return "x".repeat(9_000),
        "another client's" => {
            let params = [("grant_type", "password"), ("username", testing::USERNAME), ("password", PASSWORD)];
            let params = [&params[..], &[("client_id", "spa-two")]].concat();
            let response = test.send(form(&params).header("origin", BROWSER_ORIGIN).post()).await;
            return response.issued_refresh_token().unwrap();
        }
        other => panic!("{other}"),
    }
    token
}

#[tokio::test]
async fn s_911_each_invalid_grant_about_a_cookie_deletes_it() {
    for end in [
        "used",
        "revoked",
        "expired",
        "disabled user",
        "logged out user",
        "no scope left",
        "forged",
        "empty",
        "not text",
        "long",
        "another client's",
    ] {
        let test = started().await;
        test.put_browser_app_with(&json!({"client_id": "spa-two"}));
        let token = ended(&test, end).await;
        let response = test.refresh_by_cookie(&token).await;
        assert_eq!((response.status, &response.body["error"]), (400, &json!("invalid_grant")), "{end}");
        assert_cleared(&response, end);
        assert_readable(&response, end);
    }
}

/// The cookie of the client with the token of another one does not end the other one's login.
#[tokio::test]
async fn s_401_a_cookie_with_the_token_of_another_client_leaves_the_login_of_that_client() {
    let test = started().await;
    test.put_browser_app_with(&json!({"client_id": "spa-two"}));
    let token = ended(&test, "another client's").await;
    assert_cleared(&test.refresh_by_cookie(&token).await, "foreign");
    let request = form(&[("grant_type", "refresh_token"), ("client_id", "spa-two")]).header("origin", BROWSER_ORIGIN);
    let response = test.send(request.header("cookie", &format!("{COOKIE}-two={token}")).post()).await;
    response.assert_issued(2);
}

#[tokio::test]
async fn no_cookie_is_invalid_grant_and_nothing_is_deleted() {
    let test = started().await;
    let request = || browser(&[("grant_type", "refresh_token")]);
    for request in [request(), request().header("cookie", "a=1"), request().header("cookie", COOKIE)] {
        let response = test.send(request.post()).await;
        response.assert_error(400, "invalid_grant");
        assert_eq!(response.cookie(), None);
        assert_readable(&response, "no cookie");
    }
}

#[tokio::test]
async fn s_915_other_responses_leave_the_cookie() {
    let test = started().await;
    let token = test.log_in_by_browser().await;
    let cookie = format!("{COOKIE}={token}");
    let refresh = |params: &[(&str, &str)]| {
        browser(&[&[("grant_type", "refresh_token")], params].concat()).header("cookie", &cookie)
    };
    for (what, request, status) in [
        ("a scope that was not granted", refresh(&[("scope", "legacy:other")]), 400),
        ("a token in the body", refresh(&[("refresh_token", "x")]), 400),
        ("a malformed request", refresh(&[("scope", "a"), ("scope", "b")]), 400),
        ("an unknown grant type", browser(&[("grant_type", "x")]).header("cookie", &cookie), 400),
        ("a wrong password", browser_login("wrong").header("cookie", &cookie), 400),
        ("another grant", browser(&[("grant_type", "client_credentials")]).header("cookie", &cookie), 400),
        ("a secret", refresh(&[("client_secret", "x")]), 401),
        (
            "an unknown client",
            form(&[("client_id", "x"), ("grant_type", "refresh_token")]).header("cookie", &cookie),
            401,
        ),
        ("a large body", refresh(&[("x", &"x".repeat(20_000))]), 413),
    ] {
        let response = test.send(request.post()).await;
        assert_eq!((response.status, response.cookie()), (status, None), "{what}");
    }
    for call in ["GetItem ClientsTable", "GetItem GrantsTable", "GetItem UsersTable", "UpdateItem GrantsTable"] {
        test.interceptor.fail(call, 400, "ThrottlingException");
        let response = test.refresh_by_cookie(&token).await;
        response.assert_error(503, "temporarily_unavailable");
        assert_eq!(response.cookie(), None, "{call}");
        test.interceptor.stop_failing();
    }
    test.put_browser_app_with(&json!({"scopes": "malformed"}));
    let response = test.refresh_by_cookie(&token).await;
    response.assert_error(500, "server_error");
    assert_eq!(response.cookie(), None);
    test.put_browser_app_with(&json!({"enabled": false}));
    let response = test.refresh_by_cookie(&token).await;
    assert_eq!((response.status, response.cookie()), (401, None));
    test.put_browser_app();
    test.refresh_by_cookie(&token).await.assert_issued(2);
}

#[tokio::test]
async fn s_915_a_throttled_login_leaves_the_cookie() {
    let test = started().await;
    let token = test.log_in_by_browser().await;
    for _ in 0..5 {
        test.send(browser_login("wrong").post()).await.assert_error(400, "invalid_grant");
    }
    let response = test.send(browser_login(PASSWORD).header("cookie", &format!("{COOKIE}={token}")).post()).await;
    response.assert_error(429, "temporarily_unavailable");
    assert_eq!(response.cookie(), None);
    // A refresh is not a guess.
    test.send(browser_refresh(&token).post()).await.assert_issued(2);
}
