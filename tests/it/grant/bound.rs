//! Refresh tokens that are bound to a key (RFC 9449 section 5): those of public clients.

use serde_json::{Value, json};

use testing::{
    APPLICATION, CODE_CLIENT, ClientKeyPair, LogLines, OTHER_APPLICATION, PASSWORD, Response, SCOPE, TestApp, USERNAME,
    browser_login, browser_refresh, exchange, form,
};

/// Starts a deployment whose client of logins by code is public. Returns its refresh token, which is bound to the key.
async fn logged_in(key: &ClientKeyPair) -> (TestApp, String) {
    let test = TestApp::start_with_codes().await;
    test.put_code_client(&json!({"secrets": null, "token_endpoint_auth_method": "none"}));
    let code = test.code().await;
    let response = exchange_code(&test, &code, Some(&key.proof(&test))).await;
    assert_eq!(response.assert_issued(2).0["cnf"]["jkt"], key.thumbprint());
    let refresh_token = response.refresh_token();
    (test, refresh_token)
}

/// Sends a request of the public client.
async fn send(test: &TestApp, params: &[(&str, &str)], proof: Option<&str>) -> Response {
    let request = form(&[&[("client_id", CODE_CLIENT.0)], params].concat());
    let request = proof.into_iter().fold(request, |request, proof| request.header("dpop", proof));
    test.send(request.post()).await
}

async fn exchange_code(test: &TestApp, code: &str, proof: Option<&str>) -> Response {
    send(test, &exchange(&[("code", code)]), proof).await
}

async fn refresh(test: &TestApp, refresh_token: &str, proof: Option<&str>) -> Response {
    send(test, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)], proof).await
}

#[tokio::test]
async fn s_1022_a_login_by_code_of_a_public_client_is_bound_to_the_key_of_its_exchange() {
    let key = ClientKeyPair::generate("ES256");
    let (test, refresh_token) = logged_in(&key).await;
    assert_eq!(test.family(&refresh_token)["cnf"], json!({"M": {"jkt": {"S": key.thumbprint()}}}));
    let response = refresh(&test, &refresh_token, Some(&key.proof(&test))).await;
    assert_eq!(response.assert_issued(2).0["cnf"]["jkt"], key.thumbprint());
    let refreshed = refresh(&test, &response.refresh_token(), Some(&key.proof(&test))).await;
    assert_eq!(refreshed.assert_issued(2).0["cnf"]["jkt"], key.thumbprint());
}

#[tokio::test]
async fn s_1022_another_key_is_rejected_and_the_refresh_token_stays_usable() {
    let key = ClientKeyPair::generate("ES256");
    let (test, refresh_token) = logged_in(&key).await;
    let before = test.family(&refresh_token);
    for other in [ClientKeyPair::generate("ES256"), ClientKeyPair::generate("EdDSA")] {
        let log = LogLines::collect();
        let response = refresh(&test, &refresh_token, Some(&other.proof(&test))).await;
        response.assert_error(400, "invalid_grant");
        assert_eq!(log.lines()[0]["reason"], "the refresh token is bound to another key");
    }
    let response = refresh(&test, &refresh_token, None).await;
    response.assert_error(400, "invalid_dpop_proof");
    assert_eq!(response.body["error_description"], "A DPoP proof is required.");
    assert_eq!(response.header("dpop-nonce"), Some(&*test.nonce()));
    assert_eq!(test.family(&refresh_token), before);
    refresh(&test, &refresh_token, Some(&key.proof(&test))).await.assert_issued(2);
}

/// A used refresh token in the hands of a caller without the key does not end the login.
#[tokio::test]
async fn s_1022_a_replay_with_another_key_does_not_end_the_login() {
    let key = ClientKeyPair::generate("ES256");
    let (test, used) = logged_in(&key).await;
    let successor = refresh(&test, &used, Some(&key.proof(&test))).await.refresh_token();
    test.advance_clock(60);
    let other = ClientKeyPair::generate("ES256");
    refresh(&test, &used, Some(&other.proof(&test))).await.assert_error(400, "invalid_grant");
    refresh(&test, &used, None).await.assert_error(400, "invalid_dpop_proof");
    let successor = refresh(&test, &successor, Some(&key.proof(&test))).await.refresh_token();
    test.advance_clock(60);
    refresh(&test, &used, Some(&key.proof(&test))).await.assert_error(400, "invalid_grant");
    refresh(&test, &successor, Some(&key.proof(&test))).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_1022_a_retry_needs_the_key_too() {
    let key = ClientKeyPair::generate("ES256");
    let (test, used) = logged_in(&key).await;
    let first = refresh(&test, &used, Some(&key.proof(&test))).await;
    refresh(&test, &used, Some(&ClientKeyPair::generate("ES256").proof(&test)))
        .await
        .assert_error(400, "invalid_grant");
    let retry = refresh(&test, &used, Some(&key.proof(&test))).await;
    assert_eq!(
        (retry.refresh_token(), retry.assert_issued(2).0["cnf"]["jkt"].clone()),
        (first.refresh_token(), key.thumbprint().into())
    );
}

#[tokio::test]
async fn s_1022_a_login_of_a_cookie_client_is_bound_to_the_key_of_its_login() {
    let test = TestApp::start_with_cheap_hashes().await;
    test.put_browser_app();
    let key = ClientKeyPair::generate("EdDSA");
    let login = test.send(browser_login(PASSWORD).header("dpop", &key.proof(&test)).post()).await;
    assert_eq!(login.assert_issued(2).0["cnf"]["jkt"], key.thumbprint());
    let cookie = login.refresh_token();
    assert_eq!(test.family(&cookie)["cnf"]["M"]["jkt"]["S"], key.thumbprint());
    let refresh = async |proof: Option<String>| {
        let request = browser_refresh(&cookie);
        test.send(proof.iter().fold(request, |request, proof| request.header("dpop", proof)).post()).await
    };
    // The page still has its cookie, and can send the request again with a proof.
    let response = refresh(None).await;
    response.assert_error(400, "invalid_dpop_proof");
    assert_eq!(response.cookie(), None);
    // An `invalid_grant` about a cookie deletes the cookie, and does not end the login.
    let response = refresh(Some(ClientKeyPair::generate("ES256").proof(&test))).await;
    assert_eq!((response.status, &response.body["error"]), (400, &json!("invalid_grant")));
    assert_eq!(response.cookie().unwrap().1, "");
    refresh(Some(key.proof(&test))).await.assert_issued(2);
}

#[tokio::test]
async fn a_login_without_a_proof_is_not_bound_and_a_proof_binds_only_the_access_token() {
    let test = TestApp::start_with_codes().await;
    test.put_code_client(&json!({"secrets": null, "token_endpoint_auth_method": "none"}));
    let login = exchange_code(&test, &test.code().await, None).await;
    assert_eq!((&login.body["token_type"], &login.assert_issued(2).0["cnf"]), (&json!("Bearer"), &Value::Null));
    assert_eq!(test.family(&login.refresh_token())["cnf"], Value::Null);
    let key = ClientKeyPair::generate("ES256");
    let bound = refresh(&test, &login.refresh_token(), Some(&key.proof(&test))).await;
    assert_eq!(bound.assert_issued(2).0["cnf"]["jkt"], key.thumbprint());
    assert_eq!(test.family(&login.refresh_token())["cnf"], Value::Null);
    assert_eq!(refresh(&test, &bound.refresh_token(), None).await.assert_issued(2).0["cnf"], Value::Null);
}

#[tokio::test]
async fn a_client_with_a_credential_may_change_its_key() {
    let test = TestApp::start_with_cheap_hashes().await;
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    let send = async |params: &[(&str, &str)], key: Option<&ClientKeyPair>| {
        let request = form(params).basic(APPLICATION.0, APPLICATION.1);
        let request = key.iter().fold(request, |request, key| request.header("dpop", &key.proof(&test)));
        test.send(request.post()).await
    };
    let first = ClientKeyPair::generate("ES256");
    let login = send(&params, Some(&first)).await;
    assert_eq!(login.assert_issued(2).0["cnf"]["jkt"], first.thumbprint());
    assert_eq!(test.family(&login.refresh_token())["cnf"], Value::Null);
    let mut refresh_token = login.refresh_token();
    for key in [Some(ClientKeyPair::generate("ES256")), None, Some(ClientKeyPair::generate("EdDSA"))] {
        let params = [("grant_type", "refresh_token"), ("refresh_token", &refresh_token)];
        let response = send(&params, key.as_ref()).await;
        let thumbprint = key.map_or(Value::Null, |key| json!({"jkt": key.thumbprint()}));
        assert_eq!(response.assert_issued(2).0["cnf"], thumbprint);
        refresh_token = response.refresh_token();
    }
}

/// The client got a secret after the login: it proves itself at every refresh now.
#[tokio::test]
async fn a_client_that_is_not_public_any_more_may_change_the_key_of_its_login() {
    let key = ClientKeyPair::generate("ES256");
    let (test, refresh_token) = logged_in(&key).await;
    test.put_code_client(&json!({}));
    let params = [("grant_type", "refresh_token"), ("refresh_token", &*refresh_token)];
    let other = ClientKeyPair::generate("ES256");
    let request = form(&params).basic(CODE_CLIENT.0, CODE_CLIENT.1).header("dpop", &other.proof(&test));
    assert_eq!(test.send(request.post()).await.assert_issued(2).0["cnf"]["jkt"], other.thumbprint());
}

#[tokio::test]
async fn s_1020_a_missing_nonce_consumes_no_code_and_no_refresh_token() {
    let key = ClientKeyPair::generate("ES256");
    let without_nonce = |test: &TestApp| {
        let mut claims = test.proof_claims();
        claims.as_object_mut().unwrap().remove("nonce");
        key.proof_of(&claims)
    };
    let test = TestApp::start_with_codes().await;
    test.put_code_client(&json!({"secrets": null, "token_endpoint_auth_method": "none"}));
    let code = test.code().await;
    exchange_code(&test, &code, Some(&without_nonce(&test))).await.assert_error(400, "use_dpop_nonce");
    exchange_code(&test, &code, Some("x")).await.assert_error(400, "invalid_dpop_proof");
    let login = exchange_code(&test, &code, Some(&key.proof(&test))).await;
    login.assert_issued(2);
    let token = login.refresh_token();
    let before = test.family(&token);
    refresh(&test, &token, Some(&without_nonce(&test))).await.assert_error(400, "use_dpop_nonce");
    refresh(&test, &token, Some("x")).await.assert_error(400, "invalid_dpop_proof");
    assert_eq!(test.family(&token), before);
    refresh(&test, &token, Some(&key.proof(&test))).await.assert_issued(2);
}

/// A wrong password without a nonce is not a guess: the account stays as it was.
#[tokio::test]
async fn s_1020_a_missing_nonce_consumes_no_guess() {
    let test = TestApp::start_with_cheap_hashes().await;
    test.put_browser_app();
    let key = ClientKeyPair::generate("ES256");
    let mut claims = test.proof_claims();
    claims["nonce"] = "x".into();
    for _ in 0..20 {
        let proof = key.proof_of(&claims);
        let response = test.send(browser_login("wrong").header("dpop", &proof).post()).await;
        response.assert_error(400, "use_dpop_nonce");
    }
    assert!(test.items("GrantsTable").is_empty());
}

/// The record of the client demands binding after the login: a refresh without a proof is rejected and consumes nothing.
#[tokio::test]
async fn s_1019_a_refresh_of_a_client_that_requires_binding_needs_a_proof() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    test.change_client(APPLICATION.0, &json!({"dpop_bound_access_tokens": true}));
    let before = test.family(&token);
    test.refresh(&token).await.assert_error(400, "invalid_dpop_proof");
    assert_eq!(test.family(&token), before);
}

#[tokio::test]
async fn s_1022_a_bound_refresh_token_of_another_client_is_foreign_before_its_key_is_compared() {
    let key = ClientKeyPair::generate("ES256");
    let (test, refresh_token) = logged_in(&key).await;
    test.put_other_application();
    let params = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    let public = json!({"client_id": "public", "enabled": true, "grant_types": ["refresh_token"], "scopes": ["legacy:*"],
                        "token_endpoint_auth_method": "none"});
    test.cloud.put("ClientsTable", &public).unwrap();
    for (other, secret) in [OTHER_APPLICATION, ("public", "")] {
        let log = LogLines::collect();
        let request = form(&[&[("client_id", other), ("client_secret", secret)], &params[..]].concat());
        test.send(request.post()).await.assert_error(400, "invalid_grant");
        assert_eq!(log.lines()[0]["risk"], "foreign_token");
    }
    refresh(&test, &refresh_token, Some(&key.proof(&test))).await.assert_issued(2);
}
