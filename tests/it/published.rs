//! What verifiers and clients look for: the public keys and the metadata.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::{Answer, ISSUER, SERVICE, TestApp, key_document, key_record};

const JWKS: &str = "/.well-known/jwks.json";
const METADATA: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

async fn get(test: &TestApp, path: &str) -> Answer {
    test.send(Request::get(path).body(Body::empty()).unwrap()).await
}

async fn get_unless(test: &TestApp, path: &str, etag: &str) -> Answer {
    test.send(Request::get(path).header("if-none-match", etag).body(Body::empty()).unwrap()).await
}

fn assert_published(answer: &Answer) {
    assert_eq!(answer.status, 200, "{:?}", answer.bytes);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("pragma"), None);
    assert!(answer.header("etag").unwrap().starts_with('"'));
}

#[tokio::test]
async fn the_public_keys_verify_the_tokens() {
    let test = TestApp::start().await;
    let jwks = get(&test, JWKS).await;
    assert_published(&jwks);
    let token = test.form(SERVICE, &[("grant_type", "client_credentials")]).await;
    let token = token.body["access_token"].as_str().unwrap();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid;
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(&jwks.bytes).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(&kid.unwrap()).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.validate_exp = false;
    validation.set_audience(&[ISSUER]);
    jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap();
}

#[tokio::test]
async fn the_set_has_the_key_that_signs_the_next_and_the_previous() {
    let test = TestApp::start_cold(|_| {}).await;
    let keys: Vec<_> = (0..3).map(|_| key_record(&crate::keys::p256_pem())).collect();
    let mut document = key_document(keys[0]["private_key"].as_str().unwrap());
    document["next"] = keys[1].clone();
    document["previous"] = json!([keys[2]]);
    test.cloud.put_secret(&document.to_string()).unwrap();
    let jwks = get(&test, JWKS).await;
    let kids: Vec<_> = jwks.body["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
    assert_eq!(kids, keys.iter().map(|key| key["kid"].clone()).collect::<Vec<_>>());
    for key in jwks.body["keys"].as_array().unwrap() {
        assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &json!("ES256")));
        assert!(key.get("d").is_none());
    }
}

#[tokio::test]
async fn who_has_it_already_is_told_so() {
    let test = TestApp::start().await;
    for path in [JWKS, METADATA[0], METADATA[1]] {
        let first = get(&test, path).await;
        assert_published(&first);
        let etag = first.header("etag").unwrap().to_owned();
        for named in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let again = get_unless(&test, path, &named).await;
            assert_eq!((again.status, again.bytes.len()), (304, 0), "{named}");
            assert_eq!(again.header("etag"), Some(etag.as_str()));
            assert_eq!(again.header("cache-control"), Some("public, max-age=300"));
        }
        for other in ["\"x\"", "x", "", "\u{fc}"] {
            assert_published(&get_unless(&test, path, other).await);
        }
        let head = test.send(Request::head(path).body(Body::empty()).unwrap()).await;
        assert_eq!((head.status, head.bytes.len()), (200, 0));
    }
    // Another set has another tag.
    let before = get(&test, JWKS).await.header("etag").unwrap().to_owned();
    test.cloud.put_secret(&key_document(&crate::keys::p256_pem()).to_string()).unwrap();
    test.pass(300);
    assert_ne!(get_unless(&test, JWKS, &before).await.header("etag"), Some(before.as_str()));
}

#[tokio::test]
async fn s_506_the_last_good_set_is_served_whatever_is_down() {
    let test = TestApp::start().await;
    let before = get(&test, JWKS).await;
    test.door.fail("GetSecretValue", 400, "AccessDeniedException");
    test.door.fail("GetItem", 400, "AccessDeniedException");
    for _ in 0..3 {
        test.pass(36_000);
        let answer = get(&test, JWKS).await;
        assert_published(&answer);
        assert_eq!(answer.bytes, before.bytes);
        for path in METADATA {
            assert_published(&get(&test, path).await);
        }
    }
}

#[tokio::test]
async fn without_any_good_set_there_is_none_to_serve() {
    let test = TestApp::start_cold(|_| {}).await;
    test.cloud.put_secret("junk").unwrap();
    get(&test, JWKS).await.assert_refused(503, "temporarily_unavailable");
    for path in METADATA {
        assert_published(&get(&test, path).await);
    }
    test.cloud.put_secret(&key_document(&crate::keys::p256_pem()).to_string()).unwrap();
    assert_published(&get(&test, JWKS).await);
}

/// RFC 8414 section 2, and nothing that is not truly there.
fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/oauth/token"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials", "password", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    })
}

#[tokio::test]
async fn the_metadata_says_what_there_is() {
    let test = TestApp::start().await;
    for path in METADATA {
        let answer = get(&test, path).await;
        assert_published(&answer);
        assert_eq!(answer.body, metadata(ISSUER));
        let forged = Request::get(path).header("host", "evil.example").header("x-forwarded-host", "evil.example");
        assert_eq!(test.send(forged.body(Body::empty()).unwrap()).await.bytes, answer.bytes);
    }
    get(&test, "/.well-known/oauth-authorization-server/x").await.assert_refused(404, "not_found");
}

#[tokio::test]
async fn the_path_of_an_issuer_comes_after_the_well_known_name() {
    for issuer in ["https://a.example/tenant", "https://a.example:8443/a/b", "https://a.example/:odd/*star"] {
        let test = TestApp::start_with(|config| config.issuer = issuer.to_owned()).await;
        let path = issuer.splitn(4, '/').nth(3).unwrap();
        let answer = get(&test, &format!("/.well-known/oauth-authorization-server/{path}")).await;
        assert_published(&answer);
        assert_eq!(answer.body, metadata(issuer));
        get(&test, "/.well-known/oauth-authorization-server/other").await.assert_refused(404, "not_found");
    }
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let test = TestApp::start().await;
    for path in [JWKS, METADATA[0], METADATA[1]] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer = test.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await;
            answer.assert_refused(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some("GET,HEAD"));
        }
    }
}
