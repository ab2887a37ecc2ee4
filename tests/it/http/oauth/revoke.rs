//! Revocations: what ends, and what does not.

use serde_json::json;

use super::{API, REVOKE, log_in, present, service_token, started};
use testing::{APPLICATION, LogLines, OTHER_APPLICATION, PASSWORD, SERVICE, TestApp, USERNAME, form, raw_json};

const ORIGIN: &str = "https://app.example.test";

/// Asserts that nothing of a login works: neither its refresh token nor its access token.
async fn assert_over(test: &TestApp, refresh_token: &str, access_token: &str) {
    for client in [APPLICATION, API] {
        test.introspect(client, access_token).await.assert_inactive();
        test.introspect(client, refresh_token).await.assert_inactive();
    }
    test.refresh(refresh_token).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_902_a_revocation_ends_all_tokens_of_the_login_and_no_other_login() {
    for by_access_token in [true, false] {
        let test = started().await;
        let first = log_in(&test, 2).await;
        let refreshed = test.refresh(&first.refresh_token()).await;
        let other = log_in(&test, 2).await;
        let token = if by_access_token { first.access_token() } else { refreshed.refresh_token() };
        test.revoke(APPLICATION, &[("token", &token)]).await.assert_revoked();
        for response in [&first, &refreshed] {
            assert_over(&test, &response.refresh_token(), &response.access_token()).await;
        }
        test.introspect(APPLICATION, &other.access_token()).await.assert_active(super::introspect::OF_USERS);
        test.refresh(&other.refresh_token()).await.assert_issued(2);
    }
}

#[tokio::test]
async fn a_services_token_is_revoked_until_it_expires_and_no_other_token_is() {
    let test = started().await;
    let (token, other) = (service_token(&test, 2).await, service_token(&test, 2).await);
    test.revoke(SERVICE, &[("token", &token)]).await.assert_revoked();
    let items = test.items("GrantsTable");
    assert_eq!(items.len(), 1);
    let expires_at = (test.now() + 43_200).to_string();
    assert_eq!((&items[0]["client_id"]["S"], &items[0]["expires_at"]["N"]), (&json!(SERVICE.0), &json!(expires_at)));
    assert!(items[0]["id"]["S"].as_str().unwrap().starts_with("revoked#"), "{items:?}");
    assert_eq!(items[0].as_object().unwrap().len(), 3);
    test.introspect(SERVICE, &token).await.assert_inactive();
    test.introspect(SERVICE, &other).await.assert_active(super::introspect::OF_SERVICES);
}

#[tokio::test]
async fn s_909_all_sessions_ends_every_login_that_began_before_at_every_client() {
    for by_access_token in [true, false] {
        let test = started().await;
        let login = log_in(&test, 2).await;
        let params =
            [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", "legacy:a")];
        let elsewhere = test.form(OTHER_APPLICATION, &params).await;
        let token = if by_access_token { login.access_token() } else { login.refresh_token() };
        test.interceptor.clear_calls();
        test.revoke(APPLICATION, &[("token", &token), ("all_sessions", "true")]).await.assert_revoked();
        let calls = test.interceptor.calls();
        let writes: Vec<_> = calls.iter().filter(|call| !call.starts_with("GetItem")).collect();
        assert_eq!(writes, ["UpdateItem UsersTable"], "one write ends all logins");
        assert_over(&test, &login.refresh_token(), &login.access_token()).await;
        test.introspect(OTHER_APPLICATION, &elsewhere.access_token()).await.assert_inactive();
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", &elsewhere.refresh_token())];
        test.form(OTHER_APPLICATION, &refresh).await.assert_error(400, "invalid_grant");
    }
}

/// No clock decides: the new login begins in the same second.
#[tokio::test]
async fn s_412_all_sessions_ends_no_login_that_begins_afterwards() {
    let test = started().await;
    let login = log_in(&test, 2).await;
    test.revoke(APPLICATION, &[("token", &login.access_token()), ("all_sessions", "true")]).await.assert_revoked();
    for clock in [0, -3_600, 3_600] {
        test.advance_clock(clock);
        let new = log_in(&test, 2).await;
        test.introspect(APPLICATION, &new.access_token()).await.assert_active(super::introspect::OF_USERS);
        test.refresh(&new.refresh_token()).await.assert_issued(2);
    }
}

#[tokio::test]
async fn s_910_all_sessions_needs_an_active_token_of_the_client() {
    let test = started().await;
    let used = test.log_in().await;
    test.refresh(&used).await.assert_issued(2);
    let with_all = async |client, token: &str| test.revoke(client, &[("token", token), ("all_sessions", "true")]).await;
    // A used token is not active, so only its own login ends.
    let other = log_in(&test, 2).await;
    with_all(APPLICATION, &used).await.assert_revoked();
    test.refresh(&used).await.assert_error(400, "invalid_grant");
    test.introspect(APPLICATION, &other.refresh_token()).await.assert_active(super::introspect::OF_REFRESH_TOKENS);
    // A token of another client, of a service, and a text that is not a token.
    with_all(OTHER_APPLICATION, &other.access_token()).await.assert_error(400, "invalid_grant");
    with_all(OTHER_APPLICATION, &other.refresh_token()).await.assert_error(400, "invalid_grant");
    with_all(SERVICE, &service_token(&test, 2).await).await.assert_revoked();
    with_all(APPLICATION, "cs_rt_x").await.assert_revoked();
    // Tokens of a login that lost its scopes, and of a disabled user.
    test.change_user(&json!({"scopes": ["other"]}));
    with_all(APPLICATION, &log_in_and_lose_scopes(&test).await).await.assert_revoked();
    test.change_user(&json!({}));
    let generation = |test: &TestApp| {
        let users = test.items("UsersTable");
        let user = users.iter().find(|user| user["username"]["S"] == USERNAME).unwrap();
        user.get("session_generation").cloned()
    };
    assert_eq!(generation(&test), None, "no log-out everywhere");
    test.introspect(APPLICATION, &other.access_token()).await.assert_active(super::introspect::OF_USERS);
}

/// Returns the access token of a login whose user has lost all its scopes.
async fn log_in_and_lose_scopes(test: &TestApp) -> String {
    test.change_user(&json!({}));
    let token = log_in(test, 2).await.access_token();
    test.change_user(&json!({"scopes": ["other"]}));
    token
}

#[tokio::test]
async fn s_903_a_revocation_whose_write_failed_is_a_503_and_can_be_repeated() {
    for (what, writes) in
        [("login", "UpdateItem GrantsTable"), ("service", "PutItem GrantsTable"), ("all", "UpdateItem UsersTable")]
    {
        let test = started().await;
        let login = log_in(&test, 2).await.access_token();
        let service = service_token(&test, 2).await;
        let (client, token) = if what == "service" { (SERVICE, service) } else { (APPLICATION, login) };
        let mut params = vec![("token", token.as_str())];
        params.extend((what == "all").then_some(("all_sessions", "true")));
        for (status, code, expected) in
            [(500, "InternalServerError", 503), (400, "ThrottlingException", 503), (400, "AccessDeniedException", 500)]
        {
            test.interceptor.fail(writes, status, code);
            let response = test.revoke(client, &params).await;
            let error = if expected == 503 { "temporarily_unavailable" } else { "server_error" };
            response.assert_error(expected, error);
            assert_eq!(response.header("content-type"), Some("application/json"), "{what}");
        }
        test.interceptor.stop_failing();
        assert_eq!(test.introspect(client, &token).await.body["active"], true, "{what}: nothing was written");
        // The response is lost, so the SDK sends the write twice.
        test.interceptor.lose_response(writes);
        test.revoke(client, &params).await.assert_revoked();
        test.introspect(client, &token).await.assert_inactive();
    }
}

/// A read that fails says nothing about the token, so the response is never 200.
#[tokio::test]
async fn s_903_a_read_that_fails_is_a_503() {
    let test = started().await;
    let login = log_in(&test, 2).await;
    let before = test.items("GrantsTable");
    for read in ["GetItem ClientsTable", "GetItem GrantsTable", "GetItem UsersTable"] {
        test.interceptor.fail(read, 500, "InternalServerError");
        let params = [("token", &*login.access_token()), ("all_sessions", "true")];
        test.revoke(APPLICATION, &params).await.assert_error(503, "temporarily_unavailable");
        test.introspect(APPLICATION, &login.access_token()).await.assert_error(503, "temporarily_unavailable");
        test.introspect(APPLICATION, &login.refresh_token()).await.assert_error(503, "temporarily_unavailable");
    }
    assert_eq!(test.items("GrantsTable"), before);
}

#[tokio::test]
async fn a_user_who_is_deleted_during_a_log_out_everywhere_is_logged_out() {
    let test = started().await;
    let token = log_in(&test, 2).await.access_token();
    test.interceptor.hold();
    let params = [("token", token.as_str()), ("all_sessions", "true")];
    let (response, ()) = tokio::join!(test.revoke(APPLICATION, &params), async {
        for calls in [2, 1] {
            test.interceptor.let_through(calls).await;
        }
        test.interceptor.wait_for(1).await;
        test.delete_item("UsersTable", &json!({"username": {"S": USERNAME}}));
        test.interceptor.release();
    });
    response.assert_revoked();
    let is_stored = test.items("UsersTable").iter().any(|user| user["username"]["S"] == USERNAME);
    assert!(!is_stored, "the write stores no user");
}

#[tokio::test]
async fn the_hint_is_ignored_and_every_client_may_revoke() {
    let test = started().await;
    for hint in ["access_token", "refresh_token", "something", "\u{fc}", &"x".repeat(64)] {
        let token = test.log_in().await;
        test.revoke(APPLICATION, &[("token", &token), ("token_type_hint", hint)]).await.assert_revoked();
        assert_eq!(test.active_generation(&token), None, "{hint}");
    }
    // The client has lost all its grants.
    let token = test.log_in().await;
    test.change_client(APPLICATION.0, &json!({"grant_types": null}));
    test.revoke(APPLICATION, &[("token", &token)]).await.assert_revoked();
    assert_eq!(test.active_generation(&token), None);
}

#[tokio::test]
async fn json_works_like_a_form() {
    let test = started().await;
    let token = test.log_in().await;
    let body =
        json!({"token": token, "client_id": APPLICATION.0, "client_secret": APPLICATION.1, "all_sessions": "true"});
    test.send(raw_json(body.to_string()).to("POST", REVOKE)).await.assert_revoked();
    test.refresh(&token).await.assert_error(400, "invalid_grant");
    let body = json!({"token": "x", "client_id": APPLICATION.0, "client_secret": APPLICATION.1, "all_sessions": true});
    test.send(raw_json(body.to_string()).to("POST", REVOKE)).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn s_605_the_token_of_another_client_is_a_risk() {
    let test = started().await;
    let login = log_in(&test, 2).await;
    for token in [login.access_token(), login.refresh_token()] {
        let log = LogLines::collect();
        test.revoke(OTHER_APPLICATION, &[("token", &token)]).await.assert_error(400, "invalid_grant");
        let line = &log.lines()[0];
        assert_eq!((&line["event"], &line["risk"]), (&json!("revoke"), &json!("foreign_token")), "{line}");
        assert_eq!((&line["outcome"], &line["client_id"]), (&json!("rejected"), &json!(OTHER_APPLICATION.0)), "{line}");
        assert!(line["session"].is_string() && line["user"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn s_912_a_page_of_an_allowed_origin_reads_the_response_to_a_revocation() {
    let test = started().await;
    test.change_client(APPLICATION.0, &json!({"allowed_origins": [ORIGIN]}));
    for (origin, is_readable) in [(ORIGIN, true), ("https://evil.example.test", false)] {
        let token = test.log_in().await;
        let request = present(APPLICATION, &token).header("origin", origin).to("POST", REVOKE);
        let response = test.send(request).await;
        response.assert_revoked();
        assert_eq!(response.header("access-control-allow-origin"), is_readable.then_some(origin));
        assert_eq!(response.header("access-control-expose-headers").is_some(), is_readable);
        assert_eq!(response.header("access-control-allow-credentials"), None);
    }
    let rejected = present(APPLICATION, "").header("origin", ORIGIN).to("POST", REVOKE);
    assert_eq!(test.send(rejected).await.header("access-control-allow-origin"), Some(ORIGIN));
    let preflight = form(&[]).header("origin", ORIGIN).header("access-control-request-method", "POST");
    let response = test.send(preflight.to("OPTIONS", REVOKE)).await;
    assert_eq!((response.status, response.header("access-control-allow-origin")), (204, Some(ORIGIN)));
}
