//! Tokens that are bound to the keys of clients: proofs at the token endpoint, and the nonce of every response.

use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::round_trips::assert_round_trips;
use testing::{
    APPLICATION, CLIENT_CREDENTIALS, ClientKeyPair, LogLines, RequestBuilder, Response, SERVICE, TestApp, form,
    raw_form,
};

const ORIGIN: &str = "https://app.example.test";

/// Returns a token request of the service with these headers.
fn request(headers: &[(&str, &str)]) -> RequestBuilder {
    let request = form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1);
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

async fn send(test: &TestApp, proof: &str) -> Response {
    test.send(request(&[("dpop", proof)]).post()).await
}

/// Asserts an error response with a nonce.
#[track_caller]
fn assert_error(test: &TestApp, response: &Response, error: &str) {
    response.assert_error(400, error);
    assert_eq!(response.header("dpop-nonce"), Some(&*test.nonce()), "{error}");
}

#[tokio::test]
async fn s_1018_a_request_with_a_proof_gets_a_token_that_is_bound_to_its_key() {
    let test = TestApp::start().await;
    for key in [ClientKeyPair::generate("ES256"), ClientKeyPair::generate("EdDSA")] {
        let log = LogLines::collect();
        let response = send(&test, &key.proof(&test)).await;
        let claims = response.assert_issued(2);
        assert_eq!(claims.0["cnf"], json!({"jkt": key.thumbprint()}));
        assert_eq!(response.body["token_type"], "DPoP");
        assert_eq!(response.header("dpop-nonce"), Some(&*test.nonce()));
        assert_eq!(log.lines()[0]["jkt"], key.thumbprint());
        let token = response.access_token();
        let payload = token.split('.').nth(1).unwrap();
        let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert!(payload.ends_with(&format!(r#","cnf":{{"jkt":"{}"}}}}"#, key.thumbprint())), "{payload}");
    }
    let without = test.send(request(&[]).post()).await;
    assert_eq!(without.assert_issued(2).0["cnf"], Value::Null);
    assert_eq!(without.header("dpop-nonce"), None);
}

#[tokio::test]
async fn s_1018_an_invalid_proof_is_rejected_with_a_nonce() {
    let test = TestApp::start().await;
    let key = ClientKeyPair::generate("ES256");
    let proof = key.proof(&test);
    let mut claims = test.proof_claims();
    claims["htu"] = "https://auth.example/oauth/userinfo".into();
    let other_url = key.proof_of(&claims);
    for header in ["", "x", "\u{fc}", &format!("{proof},{proof}"), &other_url, &"x".repeat(5_000)] {
        let response = send(&test, header).await;
        assert_error(&test, &response, "invalid_dpop_proof");
        assert_eq!(response.body["error_description"], "The DPoP proof is not valid.", "{header}");
    }
    let twice = test.send(request(&[("dpop", &proof), ("dpop", &proof)]).post()).await;
    assert_error(&test, &twice, "invalid_dpop_proof");
    // Our own tokens are not proofs (S-1011).
    let access_token = send(&test, &proof).await.access_token();
    assert_error(&test, &send(&test, &access_token).await, "invalid_dpop_proof");
}

/// The domain of the request and its headers do not count: the issuer is the URL of the service.
#[tokio::test]
async fn s_1018_the_host_of_the_request_is_not_read() {
    let test = TestApp::start().await;
    let headers = [("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")];
    let key = ClientKeyPair::generate("ES256");
    let mut claims = test.proof_claims();
    claims["htu"] = "https://evil.example/oauth/token".into();
    for (proof, status) in [(key.proof(&test), 200), (key.proof_of(&claims), 400)] {
        let headers = [&headers[..], &[("dpop", &proof)]].concat();
        assert_eq!(test.send(request(&headers).post()).await.status, status);
    }
}

#[tokio::test]
async fn s_1019_a_client_that_requires_binding_gets_no_other_token() {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"dpop_bound_access_tokens": true}));
    test.change_client(APPLICATION.0, &json!({"dpop_bound_access_tokens": true}));
    let response = test.send(request(&[]).post()).await;
    assert_error(&test, &response, "invalid_dpop_proof");
    assert_eq!(response.body["error_description"], "A DPoP proof is required.");
    // Version 1 cannot be bound, so the client gets no token of that version.
    let version_1 = [("accept", "application/json; version=1")];
    assert_error(&test, &test.send(request(&version_1).post()).await, "invalid_dpop_proof");
    // By any grant, and before its parameters are checked.
    for grant_type in ["password", "refresh_token", "client_credentials"] {
        let response = test.form(APPLICATION, &[("grant_type", grant_type)]).await;
        assert_error(&test, &response, "invalid_dpop_proof");
    }
    let key = ClientKeyPair::generate("ES256");
    assert_eq!(send(&test, &key.proof(&test)).await.assert_issued(2).0["cnf"]["jkt"], key.thumbprint());
}

#[tokio::test]
async fn a_token_of_version_1_is_never_bound() {
    let test = TestApp::start().await;
    for proof in ["x", &ClientKeyPair::generate("ES256").proof(&test)] {
        let headers = [("dpop", proof), ("accept", "application/json; version=1")];
        let response = test.send(request(&headers).post()).await;
        assert_error(&test, &response, "invalid_request");
        assert_eq!(response.body["error_description"], "A token of version 1 cannot be bound to a key.");
    }
}

#[tokio::test]
async fn s_1020_a_request_without_a_nonce_reads_the_client_only() {
    let test = TestApp::start().await;
    let key = ClientKeyPair::generate("ES256");
    let mut claims = test.proof_claims();
    for nonce in [Value::Null, "".into(), "x".into(), json!([test.nonce()])] {
        claims["nonce"] = nonce;
        let proof = key.proof_of(&claims);
        let response = assert_round_trips(&test, send(&test, &proof), &[&["GetItem ClientsTable"]]).await;
        assert_error(&test, &response, "use_dpop_nonce");
        // The nonce of the response is a valid one.
        claims["nonce"] = response.header("dpop-nonce").unwrap().into();
        let proof = key.proof_of(&claims);
        let response = assert_round_trips(&test, send(&test, &proof), &[&["GetItem ClientsTable"]]).await;
        response.assert_issued(2);
    }
}

/// Only the holder of both keys makes us write (S-1008).
#[tokio::test]
async fn s_1020_a_proof_that_is_rejected_consumes_no_assertion() {
    const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let test = TestApp::start().await;
    let key = ClientKeyPair::generate("ES256");
    test.change_client(SERVICE.0, &json!({"jwks": [key.entry("first")], "dpop_bound_access_tokens": true}));
    let assertion = key.assertion(SERVICE.0, "1", &json!({}));
    let params = [("client_assertion_type", TYPE), ("client_assertion", &assertion)];
    let request = || form(&[&CLIENT_CREDENTIALS[..], &params].concat());
    let mut claims = test.proof_claims();
    claims["nonce"] = "x".into();
    let (client, write) = (&["GetItem ClientsTable"][..], &["PutItem GrantsTable"][..]);
    for (request, error) in [
        (request(), "invalid_dpop_proof"),
        (request().header("dpop", "x"), "invalid_dpop_proof"),
        (request().header("dpop", &key.proof_of(&claims)), "use_dpop_nonce"),
    ] {
        let response = assert_round_trips(&test, test.send(request.post()), &[client]).await;
        assert_error(&test, &response, error);
    }
    let version_1 = request().header("dpop", &key.proof(&test)).header("accept", "version=1").post();
    test.send(version_1).await.assert_error(400, "invalid_request");
    let bound = || test.send(request().header("dpop", &key.proof(&test)).post());
    assert_round_trips(&test, bound(), &[client, write]).await.assert_issued(2);
    bound().await.assert_error(401, "invalid_client");
    // An assertion is not a proof, and a proof is not an assertion (S-1011).
    let response = test.send(request().header("dpop", &key.assertion(SERVICE.0, "2", &json!({}))).post()).await;
    assert_error(&test, &response, "invalid_dpop_proof");
    let params = [("client_assertion_type", TYPE), ("client_assertion", &*key.proof(&test))];
    let response = test.send(form(&[&CLIENT_CREDENTIALS[..], &params].concat()).post()).await;
    response.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn s_1021_a_proof_is_accepted_until_the_end_of_the_next_window() {
    let test = TestApp::start().await;
    test.advance_clock(60 - i64::try_from(test.now() % 60).unwrap());
    let proof = ClientKeyPair::generate("ES256").proof(&test);
    for (seconds, status) in [(0, 200), (119, 200), (1, 400), (-121, 200), (-59, 200), (-1, 400)] {
        test.advance_clock(seconds);
        let response = send(&test, &proof).await;
        assert_eq!(response.status, status, "{seconds}: {:?}", response.bytes);
        assert_eq!(status == 400, response.body["error"] == "use_dpop_nonce");
    }
}

/// The keys of refresh tokens rotate while a proof is on its way.
#[tokio::test]
async fn s_1021_a_nonce_of_a_previous_refresh_token_key_is_accepted() {
    let test = TestApp::start().await;
    let proof = ClientKeyPair::generate("ES256").proof(&test);
    let key = |byte: u8| json!({"key": URL_SAFE_NO_PAD.encode([byte; 32]), "leaves_at": test.now() + 60});
    let mut document = testing::key_document(&testing::p256_pem());
    for (previous, expected) in [(vec![key(1)], None), (vec![key(3)], Some("use_dpop_nonce"))] {
        document["refresh"] = json!({"current": URL_SAFE_NO_PAD.encode([2; 32]), "previous": previous});
        test.cloud.put_secret(&document.to_string()).unwrap();
        test.app.keyring.load().await.unwrap();
        let response = send(&test, &proof).await;
        assert_eq!(response.body["error"].as_str(), expected, "{:?}", response.bytes);
    }
}

#[tokio::test]
async fn every_response_to_a_request_with_a_proof_has_a_nonce() {
    let test = TestApp::start().await;
    let proof = ClientKeyPair::generate("ES256").proof(&test);
    let with_proof = |request: RequestBuilder| request.header("dpop", &proof);
    let service = || form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1);
    for (request, status) in [
        (service().post(), 200),
        (form(&CLIENT_CREDENTIALS).basic(SERVICE.0, "wrong").post(), 401),
        (form(&CLIENT_CREDENTIALS).post(), 401),
        (raw_form("a=%").post(), 400),
        (raw_form("x".repeat(20_000)).post(), 413),
        (raw_form("").to("DELETE", "/oauth/token"), 405),
    ] {
        let (mut parts, body) = request.into_parts();
        parts.headers.insert("dpop", proof.parse().unwrap());
        let response = test.send(Request::from_parts(parts, body)).await;
        assert_eq!((response.status, response.header("dpop-nonce")), (status, Some(&*test.nonce())));
    }
    test.interceptor.fail("GetItem ClientsTable", 400, "ThrottlingException");
    let response = test.send(with_proof(service()).post()).await;
    assert_eq!((response.status, response.header("dpop-nonce")), (503, Some(&*test.nonce())));
    test.interceptor.stop_failing();
    // These endpoints ignore the header.
    for path in ["/oauth/revoke", "/oauth/introspect"] {
        let request = form(&[("token", "x")]).basic(SERVICE.0, SERVICE.1).header("dpop", "x").to("POST", path);
        let response = test.send(request).await;
        assert_eq!((response.status, response.header("dpop-nonce")), (200, None), "{path}");
    }
}

#[tokio::test]
async fn the_client_is_checked_before_the_proof_and_the_proof_before_the_grant() {
    let test = TestApp::start().await;
    let wrong = form(&CLIENT_CREDENTIALS).basic(SERVICE.0, "wrong").header("dpop", "x");
    test.send(wrong.post()).await.assert_error(401, "invalid_client");
    let params = [("grant_type", "password"), ("scope", "nothing")];
    let response = test.send(form(&params).basic(SERVICE.0, SERVICE.1).header("dpop", "x").post()).await;
    assert_error(&test, &response, "invalid_dpop_proof");
}

#[tokio::test]
async fn s_912_a_page_of_the_client_reads_the_error_of_its_proof_and_the_nonce() {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"allowed_origins": [ORIGIN]}));
    let mut claims = test.proof_claims();
    claims["nonce"] = Value::Null;
    let key = ClientKeyPair::generate("ES256");
    let no_nonce = key.proof_of(&claims);
    for (proof, error) in [("x", "invalid_dpop_proof"), (&no_nonce, "use_dpop_nonce")] {
        for (origin, readable) in [(ORIGIN, Some(ORIGIN)), ("https://evil.example", None)] {
            let response = test.send(request(&[("dpop", proof), ("origin", origin)]).post()).await;
            assert_error(&test, &response, error);
            assert_eq!(response.header("access-control-allow-origin"), readable);
            let exposed = readable.map(|_| "Retry-After, DPoP-Nonce");
            assert_eq!(response.header("access-control-expose-headers"), exposed);
        }
    }
}

#[tokio::test]
async fn introspection_shows_the_key_of_a_bound_token() {
    let test = TestApp::start().await;
    let key = ClientKeyPair::generate("ES256");
    let token = send(&test, &key.proof(&test)).await.access_token();
    let response = test.introspect(SERVICE, &token).await;
    response.assert_active("active scope client_id token_type exp iat nbf sub aud iss jti cnf");
    assert_eq!(response.body["token_type"], "DPoP");
    assert_eq!(response.body["cnf"], json!({"jkt": key.thumbprint()}));
}

/// A proof is not a secret, but it is not ours to store (S-1028).
#[tokio::test]
async fn the_log_has_the_thumbprint_and_no_part_of_the_proof() {
    let test = TestApp::start().await;
    let key = ClientKeyPair::generate("ES256");
    let proof = key.proof(&test);
    let log = LogLines::collect();
    send(&test, &proof).await.assert_issued(2);
    send(&test, &format!("{proof}x")).await.assert_error(400, "invalid_dpop_proof");
    for part in proof.split('.') {
        assert!(!log.text().contains(part));
    }
    assert_eq!(log.lines()[1].get("jkt"), None);
}
