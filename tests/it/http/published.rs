//! The public documents: keys, metadata and health. The authorization endpoint is here because it rejects every request.

use axum::body::Body;
use axum::http::Request;
use countersign::config::Pages;
use serde_json::{Value, json};

use testing::{CLIENT_CREDENTIALS, ISSUER, Response, SERVICE, TestApp, key_document, key_record, raw_form};

const AUTHORIZE: &str = "/oauth/authorize";
const HEALTH: &str = "/healthz";
const JWKS: &str = "/.well-known/jwks.json";
/// 7,200 s is the smallest `KeyPublicFor` (9,000 s) minus twice the largest `KEYS_MAX_AGE` (900 s): once for the execution
/// environment and once for the cache.
const CACHE_CONTROL: &str = "public, max-age=300, stale-if-error=7200";
const METADATA: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

async fn get(test: &TestApp, path: &str) -> Response {
    test.send(Request::get(path).body(Body::empty()).unwrap()).await
}

async fn get_if_none_match(test: &TestApp, path: &str, etag: &str) -> Response {
    test.send(Request::get(path).header("if-none-match", etag).body(Body::empty()).unwrap()).await
}

fn assert_published(response: &Response) {
    assert_eq!(response.status, 200, "{:?}", response.bytes);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some(CACHE_CONTROL));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    assert_eq!(response.header("pragma"), None);
    assert!(response.header("etag").unwrap().starts_with('"'));
}

#[tokio::test]
async fn the_public_keys_verify_the_tokens() {
    let test = TestApp::start().await;
    let jwks = get(&test, JWKS).await;
    assert_published(&jwks);
    let token = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
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
async fn the_key_set_contains_the_current_the_next_and_the_previous_keys() {
    let test = TestApp::start_without_keys(|_| {}).await;
    let keys: Vec<_> = (0..3).map(|_| key_record(&testing::p256_pem())).collect();
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
async fn a_matching_etag_gets_not_modified() {
    let test = TestApp::start().await;
    for path in [JWKS, METADATA[0], METADATA[1]] {
        let first = get(&test, path).await;
        assert_published(&first);
        let etag = first.header("etag").unwrap().to_owned();
        for matching in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let again = get_if_none_match(&test, path, &matching).await;
            assert_eq!((again.status, again.bytes.len()), (304, 0), "{matching}");
            assert_eq!(again.header("etag"), Some(etag.as_str()));
            assert_eq!(again.header("access-control-allow-origin"), Some("*"));
            assert_eq!(again.header("cache-control"), Some(CACHE_CONTROL));
        }
        for other in ["\"x\"", "x", "", "\u{fc}"] {
            assert_published(&get_if_none_match(&test, path, other).await);
        }
        let head = test.send(Request::head(path).body(Body::empty()).unwrap()).await;
        assert_eq!((head.status, head.bytes.len()), (200, 0));
    }
    // Another key set has another etag.
    let before = get(&test, JWKS).await.header("etag").unwrap().to_owned();
    test.cloud.put_secret(&key_document(&testing::p256_pem()).to_string()).unwrap();
    test.advance_clock(300);
    assert_ne!(get_if_none_match(&test, JWKS, &before).await.header("etag"), Some(before.as_str()));
}

#[tokio::test]
async fn s_506_the_last_valid_key_set_is_served_during_any_outage() {
    let test = TestApp::start().await;
    let before = get(&test, JWKS).await;
    test.interceptor.fail("GetSecretValue", 400, "AccessDeniedException");
    test.interceptor.fail("GetItem", 400, "AccessDeniedException");
    for _ in 0..3 {
        test.advance_clock(36_000);
        let response = get(&test, JWKS).await;
        assert_published(&response);
        assert_eq!(response.bytes, before.bytes);
        for path in METADATA {
            assert_published(&get(&test, path).await);
        }
    }
}

/// The worst case: an execution environment loads the new key set `KEYS_MAX_AGE` after it was written, and a cache fetched
/// the old key set immediately before.
#[tokio::test]
async fn s_505_caches_have_every_key_before_it_signs() {
    let limit =
        |parameter: &str, limit: &str| testing::cloud::TEMPLATE["Parameters"][parameter][limit].as_u64().unwrap();
    let (public_for, max_age) = (limit("KeyPublicFor", "MinValue"), limit("KeysMaxAge", "MaxValue"));
    let test = TestApp::start_with(|config| config.keys.max_age = max_age.try_into().unwrap()).await;
    let response = get(&test, JWKS).await;
    let stale = response.header("cache-control").unwrap().split("stale-if-error=").nth(1).unwrap();
    assert!(max_age + max_age + stale.parse::<u64>().unwrap() <= public_for);
}

#[tokio::test]
async fn without_valid_keys_the_documents_are_unavailable() {
    let test = TestApp::start_without_keys(|_| {}).await;
    test.cloud.put_secret("junk").unwrap();
    for path in [JWKS, METADATA[0], METADATA[1], HEALTH] {
        let response = get(&test, path).await;
        response.assert_error(503, "temporarily_unavailable");
        assert_eq!(response.header("access-control-allow-origin"), (path != HEALTH).then_some("*"), "{path}");
    }
    test.cloud.put_secret(&key_document(&testing::p256_pem()).to_string()).unwrap();
    for path in [JWKS, METADATA[0], METADATA[1]] {
        assert_published(&get(&test, path).await);
    }
    assert_eq!(get(&test, HEALTH).await.status, 200);
}

const ASSERTION_ALGORITHMS: [&str; 6] = ["EdDSA", "Ed25519", "ES256", "ES384", "PS256", "RS256"];

/// RFC 8414 section 2, with the members of OpenID Connect Discovery section 3 that parsers require.
fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "response_types_supported": ["id_token"],
        "grant_types_supported": ["client_credentials", "password", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "none", "private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "introspection_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
    })
}

#[tokio::test]
async fn the_metadata_does_not_depend_on_request_headers() {
    let test = TestApp::start().await;
    for path in METADATA {
        let response = get(&test, path).await;
        assert_published(&response);
        assert_eq!(response.body, metadata(ISSUER));
        let forged = Request::get(path).header("host", "evil.example").header("x-forwarded-host", "evil.example");
        assert_eq!(test.send(forged.body(Body::empty()).unwrap()).await.bytes, response.bytes);
    }
    get(&test, "/.well-known/oauth-authorization-server/x").await.assert_error(404, "not_found");
}

/// Returns the whole document of a deployment with login pages.
fn metadata_with_pages() -> Value {
    let mut document = metadata(ISSUER);
    let of_pages = json!({
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials", "password", "refresh_token"],
        "userinfo_endpoint": format!("{ISSUER}/oauth/userinfo"),
        "end_session_endpoint": format!("{ISSUER}/oauth/logout"),
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": [
            "iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "at_hash", "amr", "sid", "name", "family_name",
            "given_name", "middle_name", "nickname", "picture", "profile", "website", "gender", "birthdate", "zoneinfo",
            "locale", "updated_at", "email", "email_verified", "preferred_username",
        ],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": ["en", "de"],
        "authorization_response_iss_parameter_supported": true,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    });
    document.as_object_mut().unwrap().extend(of_pages.as_object().unwrap().clone());
    document
}

#[tokio::test]
async fn the_metadata_with_login_pages_says_what_they_support() {
    let test = TestApp::start_with(testing::with_pages).await;
    for path in METADATA {
        let response = get(&test, path).await;
        assert_published(&response);
        let mut document = response.body;
        document["grant_types_supported"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
        assert_eq!(document, metadata_with_pages());
    }
    let test = TestApp::start_with(|config| {
        let urls = Pages {
            privacy_url: Some("https://p.example/".into()),
            terms_url: Some("https://t.example/".into()),
            ..Pages::default()
        };
        config.pages = Some(urls);
    })
    .await;
    let document = get(&test, METADATA[0]).await.body;
    assert_eq!(
        (&document["op_policy_uri"], &document["op_tos_uri"]),
        (&json!("https://p.example/"), &json!("https://t.example/"))
    );
}

#[tokio::test]
async fn the_metadata_lists_the_algorithms_of_the_current_and_the_next_key_once() {
    let test = TestApp::start().await;
    let [_, _, (_, ed25519, _)] = crate::keys::secret::keys();
    for (next, algorithms) in [
        (Value::Null, json!(["ES256"])),
        (key_record(&testing::p256_pem()), json!(["ES256"])),
        (key_record(&ed25519), json!(["ES256", "EdDSA"])),
    ] {
        let mut document = key_document(&testing::p256_pem());
        document["next"] = next;
        // A previous key does not sign, so its algorithm is not listed.
        document["previous"] = json!([key_record(&ed25519)]);
        test.cloud.put_secret(&document.to_string()).unwrap();
        test.advance_clock(300);
        let response = get(&test, METADATA[0]).await;
        assert_eq!(response.body["id_token_signing_alg_values_supported"], algorithms);
    }
}

#[tokio::test]
async fn an_authorization_request_is_rejected_without_being_read() {
    let test = TestApp::start().await;
    let body = "{\"error\":\"unsupported_response_type\",\"error_description\":\"This server has no login pages.\"}";
    let query = "?response_type=code&client_id=autonomy-web&redirect_uri=https%3A%2F%2Fa.example&x=%zz";
    for method in ["GET", "POST"] {
        for request in [raw_form(""), raw_form("%"), raw_form("").query(query), raw_form(vec![b'a'; 20_000])] {
            let response = test.send(request.to(method, AUTHORIZE)).await;
            response.assert_error(400, "unsupported_response_type");
            assert_eq!(response.bytes, body);
            assert_eq!(response.header("location"), None);
        }
    }
    assert!(test.interceptor.calls().is_empty());
}

#[tokio::test]
async fn the_health_check_calls_no_table() {
    let test = TestApp::start().await;
    let response = get(&test, HEALTH).await;
    assert_eq!((response.status, &response.bytes[..]), (200, &b"{\"status\":\"ok\"}"[..]));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert!(test.interceptor.calls().is_empty());
}

#[tokio::test]
async fn the_path_of_an_issuer_comes_after_the_well_known_name() {
    for issuer in ["https://a.example/tenant", "https://a.example:8443/a/b", "https://a.example/:odd/*star"] {
        let test = TestApp::start_with(|config| config.issuer = issuer.to_owned()).await;
        let path = issuer.splitn(4, '/').nth(3).unwrap();
        let response = get(&test, &format!("/.well-known/oauth-authorization-server/{path}")).await;
        assert_published(&response);
        assert_eq!(response.body, metadata(issuer));
        get(&test, "/.well-known/oauth-authorization-server/other").await.assert_error(404, "not_found");
    }
}

#[tokio::test]
async fn other_methods_get_405_with_the_methods_of_the_path() {
    let test = TestApp::start().await;
    for (path, allow) in [
        (JWKS, "GET,HEAD"),
        (METADATA[0], "GET,HEAD"),
        (METADATA[1], "GET,HEAD"),
        (HEALTH, "GET"),
        (AUTHORIZE, "GET,POST"),
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
            if allow.split(',').any(|allowed| allowed == method) {
                continue;
            }
            let response = test.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await;
            assert_eq!((response.status, response.header("allow")), (405, Some(allow)), "{method} {path}");
            if method != "HEAD" {
                response.assert_error(405, "method_not_allowed");
            }
            let is_document = allow == "GET,HEAD";
            assert_eq!(response.header("access-control-allow-origin"), is_document.then_some("*"), "{method} {path}");
        }
    }
}
