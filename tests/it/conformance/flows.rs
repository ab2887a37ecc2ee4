//! The modules of the flow itself: the request, the redirect URI, the methods of client authentication, PKCE.

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::discovery::lists;
use super::{RECORDS, Suite, encoded, params, record, redirect_uri};
use crate::browser::page;

/// Returns the bits of Shannon entropy of a text.
fn entropy(text: &str) -> f64 {
    let length = f64::from(u32::try_from(text.len()).unwrap());
    let frequency = |byte: u8| f64::from(u32::try_from(text.bytes().filter(|other| *other == byte).count()).unwrap());
    text.bytes().map(|byte| -(frequency(byte) / length).log2()).sum()
}

#[tokio::test]
async fn oidcc_server_a_client_with_client_secret_basic_logs_a_user_in() {
    let mut suite = Suite::start().await;
    let params = params("openid", &[]);
    let login = suite.log_in(&params).await;
    assert_eq!(login.callback.pages, ["login", "consent"]);
    assert!(entropy(&login.callback.params["code"]) >= 128.0);
    assert!(lists(&suite.metadata().await, "token_endpoint_auth_methods_supported", "client_secret_basic"));
    assert!(login.id_token["c_hash"].is_null() && login.id_token["name"].is_null());
}

#[tokio::test]
async fn oidcc_response_type_missing_is_an_error_at_the_client() {
    let mut suite = Suite::start().await;
    let mut params = params("openid", &[]);
    params.remove("response_type");
    let callback = suite.authorize(&params).await;
    assert_eq!(callback.error(&params), "invalid_request");
    assert_eq!(callback.pages, [""; 0]);
}

#[tokio::test]
async fn oidcc_idtoken_signature_is_rs256_with_a_key_id() {
    let mut suite = Suite::start().await;
    let login = suite.log_in(&params("openid", &[])).await;
    let header = jsonwebtoken::decode_header(login.response.body["id_token"].as_str().unwrap()).unwrap();
    assert_eq!(header.alg, jsonwebtoken::Algorithm::RS256);
    assert!(header.kid.is_some());
}

#[tokio::test]
async fn oidcc_idtoken_unsigned_is_not_offered() {
    let metadata = Suite::start().await.metadata().await;
    assert_eq!(metadata["id_token_signing_alg_values_supported"], serde_json::json!(["RS256"]));
}

#[tokio::test]
async fn oidcc_ensure_request_without_nonce_succeeds_for_code_flow() {
    let mut suite = Suite::start().await;
    let mut params = params("openid", &[]);
    params.remove("nonce");
    assert!(suite.log_in(&params).await.id_token["nonce"].is_null());
}

#[tokio::test]
async fn oidcc_alternate_happy_flow_has_another_order_of_scopes_and_parameters() {
    let mut suite = Suite::start().await;
    let params = params("email openid", &[]);
    let query = encoded(params.iter().rev());
    assert!(query.starts_with("state="));
    let first = suite.browser.get(&format!("/oauth/authorize?{query}")).await;
    let callback = suite.follow(first).await;
    let response = suite.exchange(callback.code(&params)).await;
    let login = suite.finish(&params, callback, response).await;
    assert_eq!(suite.userinfo(&login.response).await.body["email"], "ada.jones@example.com");
}

#[tokio::test]
async fn oidcc_ensure_post_request_succeeds_without_cookie_and_fetch_metadata() {
    let mut suite = Suite::start().await;
    let params = params("openid", &[]);
    let request = Request::post("/oauth/authorize").header("content-type", "application/x-www-form-urlencoded");
    let response = suite.browser.send(request, &encoded(&params)).await;
    assert_eq!(response.status, 303);
    let callback = suite.follow(response).await;
    let response = suite.exchange(callback.code(&params)).await;
    suite.finish(&params, callback, response).await;
}

#[tokio::test]
async fn oidcc_ensure_registered_redirect_uri_shows_an_error_page() {
    let mut suite = Suite::start().await;
    let unregistered = format!("{}/k3Dj9s0aQz", redirect_uri());
    let response = suite.open(&params("openid", &[("redirect_uri", &unregistered)])).await;
    assert_eq!((response.status, response.header("location")), (400, None));
    assert_eq!(page(&response), (Some("error".to_owned()), Some("redirect_uri".to_owned())));
    // The text for which the browser of the suite waits.
    assert!(std::str::from_utf8(&response.bytes).unwrap().contains("return address"));
}

#[tokio::test]
async fn oidcc_server_client_secret_post_works() {
    let mut suite = Suite::start().await;
    let params = params("openid", &[("client_id", record("clients", 1, "client_id"))]);
    let callback = suite.authorize(&params).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", callback.code(&params)),
        ("redirect_uri", redirect_uri()),
        ("client_id", record("clients", 1, "client_id")),
        ("client_secret", RECORDS["clients"][1]["secrets"][0]["secret"].as_str().unwrap()),
    ];
    let response = suite.post("/oauth/token", None, &fields).await;
    suite.finish(&params, callback, response).await;
    assert!(lists(&suite.metadata().await, "token_endpoint_auth_methods_supported", "client_secret_post"));
}

#[tokio::test]
async fn oidcc_ensure_request_with_valid_pkce_succeeds() {
    let mut suite = Suite::start().await;
    let verifier = "a".repeat(50);
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let params = params("openid", &[("code_challenge", &challenge), ("code_challenge_method", "S256")]);
    let callback = suite.authorize(&params).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", callback.code(&params)),
        ("redirect_uri", redirect_uri()),
        ("code_verifier", &verifier),
    ];
    let response = suite.token(0, &fields).await;
    suite.finish(&params, callback, response).await;
}
