//! A code is bound to its client, its redirect URI, its challenge and a minute (S-808). Only a proven replay ends a login.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::consent::Period;
use serde_json::json;

use testing::{CALLBACK, CHALLENGE, OTHER_APPLICATION, TestApp, exchange};

const OTHER_VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX0";

/// Requests that do not prove that they belong to the authorization request.
const UNPROVEN: [&[(&str, &str)]; 6] = [
    &[("code_verifier", OTHER_VERIFIER)],
    &[("code_verifier", CHALLENGE)],
    &[("code_verifier", "")],
    &[("redirect_uri", "https://crm.example/cb?tenant=7")],
    &[("redirect_uri", "https://crm.example/cb/")],
    &[("redirect_uri", "https://crm.example:443/cb")],
];

/// Sends each unproven request, and one of another client.
async fn assert_unproven_are_rejected(test: &TestApp, code: &str) {
    for params in UNPROVEN {
        test.exchange_with(&[&[("code", code)], params].concat()).await.assert_error(400, "invalid_grant");
    }
    test.form(OTHER_APPLICATION, &exchange(&[("code", code)])).await.assert_error(400, "invalid_grant");
}

async fn start() -> TestApp {
    let test = TestApp::start_with_codes().await;
    test.put_other_application();
    let mut other = test.app.store.stored::<countersign::client::Client>(OTHER_APPLICATION.0).await.unwrap().unwrap();
    other.record.grant_types.insert(countersign::client::GrantType::AuthorizationCode);
    test.app.store.replace(&other).await.unwrap();
    test
}

#[tokio::test]
async fn s_808_a_rejected_exchange_leaves_the_code_usable() {
    let test = start().await;
    let code = test.code().await;
    let before = test.items("GrantsTable");
    assert_unproven_are_rejected(&test, &code).await;
    assert_eq!(test.items("GrantsTable"), before);
    test.exchange(&code).await.assert_issued(2);
}

#[tokio::test]
async fn s_807_an_unproven_replay_changes_nothing_and_a_proven_one_ends_the_login() {
    let test = start().await;
    let code = test.code().await;
    let first = test.exchange(&code).await;
    let second = test.refresh_code_login(&first.refresh_token()).await;
    let before = test.items("GrantsTable");
    assert_unproven_are_rejected(&test, &code).await;
    assert_eq!(test.items("GrantsTable"), before);
    test.refresh_code_login(&second.refresh_token()).await.assert_issued(2);

    // There is no grace for a code.
    test.exchange(&code).await.assert_error(400, "invalid_grant");
    assert_eq!(test.family(&first.refresh_token())["revoked"]["BOOL"], true);
    for token in [first.refresh_token(), second.refresh_token()] {
        test.refresh_code_login(&token).await.assert_error(400, "invalid_grant");
    }
    test.exchange(&code).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_808_a_code_expires_after_a_minute_of_our_clock() {
    let test = TestApp::start_with_codes().await;
    for (seconds, is_valid) in [(59, true), (60, false), (-3_600, true)] {
        let code = test.code().await;
        test.advance_clock(seconds);
        let response = test.exchange(&code).await;
        if is_valid {
            response.assert_issued(2);
        } else {
            response.assert_error(400, "invalid_grant");
        }
    }
}

#[tokio::test]
async fn s_808_a_code_with_a_flipped_bit_is_rejected_without_a_read() {
    let test = TestApp::start_with_codes().await;
    let code = test.code().await;
    let bytes = URL_SAFE_NO_PAD.decode(code.strip_prefix("cs_ac_").unwrap()).unwrap();
    test.interceptor.clear_calls();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let code = format!("cs_ac_{}", URL_SAFE_NO_PAD.encode(flipped));
        test.exchange(&code).await.assert_error(400, "invalid_grant");
    }
    assert!(test.interceptor.calls().iter().all(|call| call == "GetItem ClientsTable"));
    test.exchange(&code).await.assert_issued(2);
}

#[tokio::test]
async fn s_808_no_code_is_a_refresh_token_and_no_refresh_token_is_a_code() {
    let test = TestApp::start_with_codes().await;
    let code = test.code().await;
    let as_token = code.replace("cs_ac_", "cs_rt_");
    for token in [&code, &as_token] {
        test.refresh_code_login(token).await.assert_error(400, "invalid_grant");
    }
    let token = test.exchange(&code).await.refresh_token();
    for code in [&token, &token.replace("cs_rt_", "cs_ac_")] {
        test.exchange(code).await.assert_error(400, "invalid_grant");
    }
    test.refresh_code_login(&token).await.assert_issued(2);
}

/// OAuth 2.1 dropped the parameter; a client with a challenge may leave it out.
#[tokio::test]
async fn the_redirect_uri_may_be_absent_if_the_request_had_a_challenge() {
    let test = TestApp::start_with_codes().await;
    test.exchange_with(&[("code", &test.code().await), ("redirect_uri", "")]).await.assert_issued(2);
}

#[tokio::test]
async fn s_805_a_request_without_a_challenge_takes_no_verifier_and_needs_its_redirect_uri() {
    let test = TestApp::start_with_codes().await;
    test.put_code_client(&json!({"require_pkce": false}));
    let login = test.sign_in("openid", Period::Unlimited).await;
    let params = [("scope", "openid"), ("code_challenge", ""), ("code_challenge_method", "")];
    let code = test.code_of(&login, &params).await;
    test.exchange(&code).await.assert_error(400, "invalid_grant");
    let without = [("code", code.as_str()), ("code_verifier", ""), ("redirect_uri", "")];
    test.exchange_with(&without).await.assert_error(400, "invalid_grant");
    test.exchange_with(&without[..2]).await.assert_issued(2);
}

#[tokio::test]
async fn s_808_a_loopback_address_is_bound_with_its_port() {
    let test = TestApp::start_with_codes().await;
    test.put_code_client(&json!({"redirect_uris": ["http://127.0.0.1/cb"]}));
    let login = test.sign_in("openid", Period::Unlimited).await;
    let code = test.code_of(&login, &[("scope", "openid"), ("redirect_uri", "http://127.0.0.1:5000/cb")]).await;
    for other in ["http://127.0.0.1/cb", "http://127.0.0.1:5001/cb", CALLBACK] {
        test.exchange_with(&[("code", &code), ("redirect_uri", other)]).await.assert_error(400, "invalid_grant");
    }
    test.exchange_with(&[("code", &code), ("redirect_uri", "http://127.0.0.1:5000/cb")]).await.assert_issued(2);
}
