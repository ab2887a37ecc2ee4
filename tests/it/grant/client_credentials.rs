//! The client credentials grant.

use serde_json::json;

use testing::{APPLICATION, CLIENT_CREDENTIALS, LogLines, SERVICE, TestApp, form};

#[tokio::test]
async fn s_205_a_client_without_grants_or_scopes_gets_no_token() {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"grant_types": null}));
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_error(400, "unauthorized_client");
    test.change_client(SERVICE.0, &json!({"scopes": null}));
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_error(400, "invalid_scope");
    test.form(SERVICE, &[CLIENT_CREDENTIALS[0], ("scope", "legacy:autonomy.read")])
        .await
        .assert_error(400, "invalid_scope");
    test.change_client(SERVICE.0, &json!({"default_scopes": null}));
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_error(400, "invalid_scope");
}

/// Its verifiers would reject it because of its size.
#[tokio::test]
async fn s_502_no_token_of_more_than_8_kib_is_issued() {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"system": {"text": "x".repeat(6_000)}}));
    let request = form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1);
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);
    test.send(request.header("accept", "version=1").post()).await.assert_error(500, "server_error");

    test.change_client(SERVICE.0, &json!({"scopes": ["*"], "resources": ["https://api.example/*"]}));
    let resource = format!("https://api.example/{}", "r".repeat(2_000));
    for (bytes, is_issued) in [(3_000, true), (4_096, false)] {
        let scope = "s".repeat(bytes);
        let params = [CLIENT_CREDENTIALS[0], ("scope", scope.as_str()), ("resource", resource.as_str())];
        let response = test.form(SERVICE, &params).await;
        if is_issued {
            response.assert_issued(2);
        } else {
            response.assert_error(400, "invalid_request");
        }
    }
}

#[tokio::test]
async fn s_205_default_scopes_do_not_extend_the_allowed_scopes() {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"default_scopes": ["admin"]}));
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_error(400, "invalid_scope");
    test.change_client(SERVICE.0, &json!({"scopes": ["legacy:*"], "default_scopes": ["legacy:*"]}));
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_error(500, "server_error");
}

#[tokio::test]
async fn s_207_client_credentials_requires_a_secret_and_returns_no_refresh_token() {
    let test = TestApp::start().await;
    let response = test.form(APPLICATION, &[CLIENT_CREDENTIALS[0], ("scope", "legacy:x")]).await;
    response.assert_issued(2);
    assert!(response.body.get("refresh_token").is_none());
    test.change_client(SERVICE.0, &json!({"secrets": []}));
    test.form((SERVICE.0, ""), &CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn s_208_client_credentials_with_a_generated_secret_computes_no_slow_hash_and_writes_nothing() {
    let test = TestApp::start().await;
    let hashes = LogLines::collect();
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);
    test.form((SERVICE.0, "wrong"), &CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
    test.form(("unknown", "wrong"), &CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
    assert!(hashes.take_hashes().iter().all(|(scheme, _)| scheme == "sha256"));
    assert_eq!(test.interceptor.calls(), ["GetItem ClientsTable"; 3]);
    // An imported secret needs a slow hash.
    test.form(("imported", "s+e%c/r=!*~-_."), &CLIENT_CREDENTIALS).await.assert_issued(2);
    assert_eq!(hashes.take_hashes()[0].0, "argon2");
}

#[tokio::test]
async fn a_client_can_have_its_own_token_lifetime_and_audience() {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"access_token_ttl": 60, "audience": "https://api.example"}));
    let response = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
    let claims = response.assert_issued(2);
    assert_eq!(response.body["expires_in"], 60);
    assert_eq!(claims.0["aud"], "https://api.example");
    test.change_client(SERVICE.0, &json!({"access_token_ttl": 0}));
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_error(500, "server_error");
}
