//! The claims of both token versions (S-501).

use std::collections::HashSet;

use serde_json::json;

use testing::{APPLICATION, ISSUER, NOW, PASSWORD, SCOPE, SERVICE, TestApp, USERNAME, form};

mod verify;

const SERVICE_GRANT: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("scope", "legacy:autonomy.read")];
const PASSWORD_GRANT: [(&str, &str); 4] =
    [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];

/// Returns the claims without `jti`, which is different in each token.
fn without_jti(claims: &serde_json::Value) -> serde_json::Value {
    let mut claims = claims.clone();
    claims.as_object_mut().unwrap().remove("jti");
    claims
}

#[tokio::test]
async fn s_501_the_claims_of_a_service_token_of_version_2() {
    let test = TestApp::start().await;
    let response = test.form(SERVICE, &SERVICE_GRANT).await;
    let claims = response.assert_issued(2).0;
    let expected = json!({
        "iss": ISSUER, "aud": ISSUER, "sub": "billing-cron", "client_id": "billing-cron",
        "scope": "legacy:autonomy.read", "iat": NOW, "nbf": NOW, "exp": NOW + 43_200,
    });
    assert_eq!(without_jti(&claims), expected);
    assert_eq!(response.body["expires_in"], 43_200);
}

#[tokio::test]
async fn s_501_the_claims_of_a_service_token_of_version_1() {
    let test = TestApp::start().await;
    let request = form(&SERVICE_GRANT).basic(SERVICE.0, SERVICE.1).header("accept", "version=1");
    let claims = test.send(request.post()).await.assert_issued(1).0;
    let expected = json!({
        "iss": ISSUER, "aud": "billing-cron", "sub": "billing-cron", "scopes": ["legacy:autonomy.read"],
        "iat": NOW, "nbf": NOW, "exp": NOW + 43_200, "system": {"id": "7", "name": "Billing"},
    });
    assert_eq!(without_jti(&claims), expected);
}

#[tokio::test]
async fn s_501_the_claims_of_a_user_token_of_version_2() {
    let test = TestApp::start().await;
    let claims = test.form(APPLICATION, &PASSWORD_GRANT).await.assert_issued(2).0;
    let expected = json!({
        "iss": ISSUER, "aud": ISSUER, "sub": "1042", "client_id": "autonomy-web", "scope": SCOPE,
        "iat": NOW, "nbf": NOW, "exp": NOW + 3_600, "auth_time": NOW,
    });
    assert_eq!(without_jti(&claims), expected);
}

#[tokio::test]
async fn s_501_the_claims_of_a_user_token_of_version_1() {
    let test = TestApp::start().await;
    let log_in = async || {
        let request = form(&PASSWORD_GRANT).basic(APPLICATION.0, APPLICATION.1).header("accept", "version=1");
        test.send(request.post()).await.assert_issued(1).0
    };
    let mut expected = json!({
        "iss": ISSUER, "aud": "autonomy-web", "sub": "1042",
        "scopes": ["legacy:autonomy.write", "legacy:autonomy.read"], "iat": NOW, "nbf": NOW, "exp": NOW + 3_600,
        "dealer": {"id": "D-77", "name": "Smith Motors"}, "system": {"id": "3", "name": "Autonomy"},
    });
    assert_eq!(without_jti(&log_in().await), expected);
    // The claim has the JSON of the record, with its types.
    let dealer = json!({"id": 77, "rate": 1.5, "tags": ["a", "b"], "open": true, "none": null, "in": {"a": [1, "b"]}});
    test.change_user(&json!({"dealer": dealer}));
    expected["dealer"] = dealer;
    assert_eq!(without_jti(&log_in().await), expected);
    test.change_user(&json!({"dealer": null}));
    test.change_client(APPLICATION.0, &json!({"system": null}));
    expected.as_object_mut().unwrap().retain(|name, _| name != "dealer" && name != "system");
    assert_eq!(without_jti(&log_in().await), expected);
}

#[tokio::test]
async fn s_501_no_two_tokens_have_the_same_jti() {
    let test = TestApp::start().await;
    let mut seen = HashSet::new();
    for _ in 0..50 {
        let claims = test.form(SERVICE, &SERVICE_GRANT).await.assert_issued(2);
        assert!(seen.insert(claims.0["jti"].as_str().unwrap().to_owned()));
    }
}

#[tokio::test]
async fn s_501_request_parameters_do_not_set_registered_claims() {
    let test = TestApp::start().await;
    let forged =
        [("iss", "evil"), ("sub", "evil"), ("aud", "evil"), ("audience", "evil"), ("exp", "1"), ("jti", "evil")];
    let claims = test.form(SERVICE, &[&SERVICE_GRANT[..], &forged].concat()).await.assert_issued(2);
    assert!(!claims.0.to_string().contains("evil"));
}
