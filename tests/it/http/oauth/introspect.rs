//! Introspections: who sees a token, and the content of the response.

use serde_json::{Value, json};

use super::{API, INTROSPECT, log_in, present, service_token, started};
use testing::{APPLICATION, ISSUER, LogLines, NOW, OTHER_APPLICATION, SCOPE, SERVICE, TestApp};

/// The members of the response for an access token of version 2 and for a refresh token.
pub const OF_SERVICES: &str = "active scope client_id token_type exp iat nbf sub aud iss jti";
pub const OF_USERS: &str = "active scope client_id token_type exp iat nbf sub aud iss jti auth_time";
pub const OF_REFRESH_TOKENS: &str = "active scope client_id exp sub iss auth_time";

/// Returns the body of a response without `jti`.
async fn content(test: &TestApp, client: (&str, &str), token: &str, members: &str) -> Value {
    let response = test.introspect(client, token).await;
    response.assert_active(members);
    let mut body = response.body;
    body.as_object_mut().unwrap().remove("jti");
    body
}

#[tokio::test]
async fn the_content_of_a_users_token() {
    let test = started().await;
    let login = log_in(&test, 2).await;
    test.advance_clock(100);
    let refreshed = test.refresh(&login.refresh_token()).await;
    for (token, issued_at) in [(login.access_token(), NOW), (refreshed.access_token(), NOW + 100)] {
        let scope = if issued_at == NOW { SCOPE } else { "legacy:autonomy.read legacy:autonomy.write" };
        let expected = json!({
            "active": true, "scope": scope, "client_id": APPLICATION.0, "token_type": "Bearer", "exp": issued_at + 3_600,
            "iat": issued_at, "nbf": issued_at, "sub": "1042", "aud": ISSUER, "iss": ISSUER, "auth_time": NOW,
        });
        for client in [APPLICATION, API] {
            assert_eq!(content(&test, client, &token, OF_USERS).await, expected);
        }
    }
    let expected = json!({
        "active": true, "scope": "legacy:autonomy.read legacy:autonomy.write", "client_id": APPLICATION.0,
        "exp": NOW + 100 + 2_592_000, "sub": "1042", "iss": ISSUER, "auth_time": NOW,
    });
    assert_eq!(content(&test, APPLICATION, &refreshed.refresh_token(), OF_REFRESH_TOKENS).await, expected);
}

#[tokio::test]
async fn the_content_of_a_services_token() {
    let test = started().await;
    let token = service_token(&test, 2).await;
    let expected = json!({
        "active": true, "scope": "legacy:autonomy.read", "client_id": SERVICE.0, "token_type": "Bearer",
        "exp": NOW + 43_200, "iat": NOW, "nbf": NOW, "sub": SERVICE.0, "aud": ISSUER, "iss": ISSUER,
    });
    for client in [SERVICE, API] {
        assert_eq!(content(&test, client, &token, OF_SERVICES).await, expected);
    }
}

#[tokio::test]
async fn a_token_of_version_1_has_its_claims_under_the_names_of_rfc_7662() {
    let test = started().await;
    let token = log_in(&test, 1).await.access_token();
    let expected = json!({
        "active": true, "scope": SCOPE, "client_id": APPLICATION.0, "token_type": "Bearer", "exp": NOW + 3_600,
        "iat": NOW, "nbf": NOW, "sub": "1042", "aud": APPLICATION.0, "iss": ISSUER, "auth_time": NOW,
        "dealer": {"id": "D-77", "name": "Smith Motors"}, "system": {"id": "3", "name": "Autonomy"},
    });
    assert_eq!(content(&test, APPLICATION, &token, &format!("{OF_USERS} dealer system")).await, expected);
    let token = service_token(&test, 1).await;
    let service = content(&test, API, &token, &format!("{OF_SERVICES} system")).await;
    assert_eq!((&service["aud"], &service["client_id"]), (&json!(SERVICE.0), &json!(SERVICE.0)));
}

#[tokio::test]
async fn the_end_of_a_refresh_token_is_the_earlier_one() {
    let test = TestApp::start_with(|config| config.lifetimes.refresh_token_max = 1_000).await;
    let token = test.log_in().await;
    assert_eq!(test.introspect(APPLICATION, &token).await.body["exp"], NOW + 1_000);
}

#[tokio::test]
async fn s_905_the_response_for_an_inactive_token_has_the_same_bytes_for_every_cause() {
    let test = started().await;
    let (login, service) = (log_in(&test, 2).await, service_token(&test, 2).await);
    let used = login.refresh_token();
    test.refresh(&used).await.assert_issued(2);
    test.revoke(SERVICE, &[("token", &service)]).await.assert_revoked();
    let mut headers = Vec::new();
    for (client, token) in [
        (OTHER_APPLICATION, login.access_token()),
        (API, login.refresh_token()),
        (APPLICATION, used),
        (SERVICE, service),
        (APPLICATION, "x".to_owned()),
        (APPLICATION, "x".repeat(12_000)),
    ] {
        let response = test.introspect(client, &token).await;
        response.assert_inactive();
        headers.push(response.headers);
    }
    assert!(headers.iter().all(|other| *other == headers[0]), "{headers:?}");
}

#[tokio::test]
async fn s_907_an_introspection_changes_nothing() {
    let test = started().await;
    let first = test.log_in().await;
    let second = test.refresh(&first).await.refresh_token();
    test.advance_clock(60);
    let before = test.items("GrantsTable");
    test.interceptor.clear_calls();
    // At the token endpoint this would be a replay.
    for _ in 0..3 {
        test.introspect(APPLICATION, &first).await.assert_inactive();
    }
    assert!(test.interceptor.calls().iter().all(|call| call.starts_with("GetItem")));
    assert_eq!(test.items("GrantsTable"), before);
    test.introspect(APPLICATION, &second).await.assert_active(OF_REFRESH_TOKENS);
    test.refresh(&second).await.assert_issued(2);
}

#[tokio::test]
async fn s_908_a_withdrawn_scope_shows_at_the_next_introspection() {
    let test = started().await;
    let login = log_in(&test, 2).await;
    let scope = async |token: &str| test.introspect(APPLICATION, token).await.body["scope"].clone();
    let tokens = [login.access_token(), login.refresh_token()];
    test.change_client(APPLICATION.0, &json!({"scopes": ["legacy:autonomy.read", "legacy:other"]}));
    for token in &tokens {
        assert_eq!(scope(token).await, "legacy:autonomy.read");
    }
    test.change_client(APPLICATION.0, &json!({}));
    test.change_user(&json!({"scopes": ["legacy:autonomy.w*"]}));
    for token in &tokens {
        assert_eq!(scope(token).await, "legacy:autonomy.write");
    }
    // No scope is left that both allow.
    test.change_client(APPLICATION.0, &json!({"scopes": ["legacy:autonomy.read"]}));
    for token in &tokens {
        test.introspect(APPLICATION, token).await.assert_inactive();
    }
    let service = service_token(&test, 2).await;
    test.change_client(SERVICE.0, &json!({"scopes": ["legacy:autonomy.write"], "default_scopes": null}));
    test.introspect(API, &service).await.assert_inactive();
    // A scope that is allowed again is there again: nothing was stored.
    test.change_client(APPLICATION.0, &json!({}));
    test.change_user(&json!({}));
    assert_eq!(scope(&tokens[0]).await, SCOPE);
}

#[tokio::test]
async fn s_908_a_disabled_user_and_a_disabled_client_show_at_the_next_introspection() {
    let test = started().await;
    let (login, service) = (log_in(&test, 2).await, service_token(&test, 2).await);
    for (change, tokens) in [("user", vec![login.access_token()]), ("client", vec![login.access_token(), service])] {
        let set = |enabled: bool| {
            let changes = json!({"enabled": enabled});
            if change == "user" {
                return test.change_user(&changes);
            }
            test.change_client(APPLICATION.0, &changes);
            test.change_client(SERVICE.0, &changes);
        };
        for token in &tokens {
            set(false);
            test.introspect(API, token).await.assert_inactive();
            set(true);
            assert_eq!(test.introspect(API, token).await.body["active"], true);
        }
    }
}

#[tokio::test]
async fn s_708_a_revocation_whose_ttl_is_late_has_no_effect() {
    let test = started().await;
    let token = service_token(&test, 2).await;
    test.revoke(SERVICE, &[("token", &token)]).await.assert_revoked();
    let mut item = test.items("GrantsTable").remove(0);
    item["expires_at"] = json!({"N": NOW.to_string()});
    test.restore_item("GrantsTable", &item);
    test.introspect(SERVICE, &token).await.assert_active(OF_SERVICES);
}

#[tokio::test]
async fn s_709_a_malformed_record_of_a_token_is_a_server_error() {
    let test = started().await;
    let (login, service) = (log_in(&test, 2).await.access_token(), service_token(&test, 2).await);
    test.revoke(SERVICE, &[("token", &service)]).await.assert_revoked();
    for mut item in test.items("GrantsTable") {
        item["expires_at"] = json!({"S": "canary"});
        test.restore_item("GrantsTable", &item);
    }
    for (client, token) in [(APPLICATION, &login), (SERVICE, &service)] {
        let log = LogLines::collect();
        test.introspect(client, token).await.assert_error(500, "server_error");
        let line = &log.lines()[0];
        assert!(line["reason"].as_str().unwrap().contains("grants is malformed: expires_at"), "{line}");
    }
}

#[tokio::test]
async fn a_client_without_a_credential_does_not_introspect() {
    let test = started().await;
    let public = json!({"client_id": "public", "enabled": true, "token_endpoint_auth_method": "none",
        "introspects": ["*"], "allowed_origins": ["https://app.example.test"]});
    test.cloud.put("ClientsTable", &public).unwrap();
    let token = log_in(&test, 2).await.access_token();
    let request = testing::form(&[("token", &token), ("client_id", "public")]);
    test.send(request.to("POST", INTROSPECT)).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn s_605_the_line_of_an_introspection_has_its_cause() {
    let test = started().await;
    let login = log_in(&test, 2).await;
    for (client, token, reason) in [
        (API, login.access_token(), Value::Null),
        (API, login.refresh_token(), json!("a token that the caller may not see")),
        (API, "x".to_owned(), json!("a text that is not a token of this issuer, or an expired access token")),
    ] {
        let log = LogLines::collect();
        test.send(present(client, &token).to("POST", INTROSPECT)).await;
        let line = &log.lines()[0];
        assert_eq!(
            (&line["event"], &line["outcome"], &line["reason"]),
            (&json!("introspect"), &json!("done"), &reason)
        );
        assert!(!log.text().contains(&token[token.len() / 2..]) || token == "x");
    }
}
