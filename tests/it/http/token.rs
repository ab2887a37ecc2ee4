//! `POST /oauth/token`: methods, sizes, the order of the checks, panics (S-101, S-103, S-105).

use countersign::http::Origin;
use serde_json::json;

use testing::{APPLICATION, LogLines, RequestBuilder, SERVICE, TestApp, form, raw_form, raw_json};

/// Returns a form with credentials that gets a token.
pub fn good_form() -> String {
    format!("grant_type=client_credentials&client_id={}&client_secret={}", SERVICE.0, SERVICE.1)
}

/// Asserts the whole error response of a request. `what` is for the message.
pub async fn assert_rejected(test: &TestApp, what: &str, request: RequestBuilder, (status, error): (u16, &str)) {
    let response = test.send(request.post()).await;
    assert_eq!((response.status, &response.body["error"]), (status, &json!(error)), "{what}");
    response.assert_error(status, error);
}

pub async fn assert_malformed(test: &TestApp, what: &str, request: RequestBuilder) {
    assert_rejected(test, what, request, (400, "invalid_request")).await;
}

pub async fn assert_issued(test: &TestApp, what: &str, request: RequestBuilder) {
    let response = test.send(request.post()).await;
    assert_eq!(response.status, 200, "{what}: {:?}", response.bytes);
    response.assert_issued(2);
}

#[tokio::test]
async fn s_101_only_post_to_the_exact_path_is_accepted() {
    let test = TestApp::start().await;
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"] {
        let response = test.send(raw_form(good_form()).to(method, "/oauth/token")).await;
        assert_eq!((response.status, response.header("allow")), (405, Some("POST,OPTIONS")), "{method}");
        assert_eq!(response.header("vary"), Some("Origin"), "{method}");
        if method != "HEAD" {
            response.assert_error(405, "method_not_allowed");
        }
    }
    for path in ["/", "/oauth", "/oauth/token/", "/oauth/tokens", "/OAUTH/TOKEN", "/oauth//token", "/%6Fauth/token"] {
        test.send(raw_form(good_form()).to("POST", path)).await.assert_error(404, "not_found");
    }
}

#[tokio::test]
async fn s_101_a_body_of_16_kib_is_read_and_one_byte_more_is_not() {
    let test = TestApp::start().await;
    let padded = |length: usize| format!("{}&x={}", good_form(), "a".repeat(length - good_form().len() - 3));
    assert_issued(&test, "16,384 bytes", raw_form(padded(16_384))).await;
    assert_rejected(&test, "16,385 bytes", raw_form(padded(16_385)), (413, "invalid_request")).await;
    // The size is checked before the encoding and the type.
    let request = raw_form(padded(16_385)).header("content-encoding", "br").header("content-type", "text/plain");
    assert_rejected(&test, "too large in every way", request, (413, "invalid_request")).await;
}

#[tokio::test]
async fn s_101_headers_query_and_body_are_checked_in_order() {
    let test = TestApp::start().await;
    let bad_everything = |query: &'static str, accept: &str| {
        raw_form("scope=%").query(query).header("accept", accept).header("authorization", "Basic !")
    };
    let two_content_types = || bad_everything("?scope=", "version=x").header("content-type", "a/b");
    let description = async |request: RequestBuilder| {
        let response = test.send(request.post()).await;
        response.assert_error(400, "invalid_request");
        response.body["error_description"].as_str().unwrap().to_owned()
    };
    assert!(description(two_content_types().header("content-encoding", "br")).await.contains("Content-Encoding"));
    assert!(description(two_content_types()).await.contains("Content-Type"));
    assert!(description(bad_everything("?%", "version=x")).await.contains("query"));
    assert!(description(bad_everything("?scope=", "version=x")).await.contains("query"));
    assert!(description(bad_everything("", "version=x")).await.contains("Accept"));
    assert!(description(bad_everything("", "version=1")).await.contains("form"));
}

/// Returns requests with two errors, and the response to each.
fn requests_with_two_errors() -> [(&'static str, RequestBuilder, u16, &'static str); 10] {
    [
        (
            "two authentication methods before the grant type",
            form(&[("grant_type", "nope"), ("client_secret", "x")]).basic(SERVICE.0, SERVICE.1),
            400,
            "invalid_request",
        ),
        (
            "malformed Basic before the grant type",
            form(&[("grant_type", "nope")]).header("authorization", "Basic !"),
            400,
            "invalid_request",
        ),
        ("the grant type before the client", form(&[("grant_type", "nope")]), 400, "unsupported_grant_type"),
        ("a missing grant type before the client", form(&[]), 400, "invalid_request"),
        ("the client before the parameters of the grant", form(&[("grant_type", "password")]), 401, "invalid_client"),
        (
            "the grants of the client before the parameters of the grant",
            form(&[("grant_type", "password")]).basic(SERVICE.0, SERVICE.1),
            400,
            "unauthorized_client",
        ),
        (
            "the parameters of the grant before the scope",
            form(&[("grant_type", "password"), ("scope", "*")]).basic(APPLICATION.0, APPLICATION.1),
            400,
            "invalid_request",
        ),
        (
            "the scope before the user",
            form(&[("grant_type", "password"), ("username", "x"), ("password", "x"), ("scope", "*")])
                .basic(APPLICATION.0, APPLICATION.1),
            400,
            "invalid_scope",
        ),
        (
            "a scope that the client does not have before the refresh token",
            form(&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("scope", "admin")])
                .basic(APPLICATION.0, APPLICATION.1),
            400,
            "invalid_scope",
        ),
        (
            "the scope before the refresh token",
            form(&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("scope", "a  b")])
                .basic(APPLICATION.0, APPLICATION.1),
            400,
            "invalid_scope",
        ),
    ]
}

#[tokio::test]
async fn s_101_a_request_with_two_errors_gets_the_first_error() {
    let test = TestApp::start().await;
    for (what, request, status, error) in requests_with_two_errors() {
        assert_rejected(&test, what, request, (status, error)).await;
    }
}

#[tokio::test]
async fn s_101_grant_types_are_compared_exactly() {
    let test = TestApp::start().await;
    for grant_type in
        [&"x".repeat(5000), "Password", "client-credentials", "authorization_code", "implicit", "refresh_token ", "x"]
    {
        let request = form(&[("grant_type", grant_type)]).basic(SERVICE.0, SERVICE.1);
        assert_rejected(&test, grant_type, request, (400, "unsupported_grant_type")).await;
    }
    for request in [form(&[("grant_type", "")]), raw_json(r#"{"grant_type":null}"#)] {
        assert_malformed(&test, "absent", request.basic(SERVICE.0, SERVICE.1)).await;
    }
}

#[tokio::test]
async fn s_103_a_panic_affects_only_its_request() {
    let test = TestApp::start().await;
    // No input is known to cause a panic. The counter of hashes panics instead.
    let log = LogLines::collect();
    log.panic_once();
    test.send(raw_form(good_form()).post()).await.assert_error(500, "server_error");
    assert_issued(&test, "the next request", raw_form(good_form())).await;
}

#[tokio::test]
async fn s_105_forged_headers_change_nothing() {
    let test = TestApp::start().await;
    let request = ["host", "forwarded", "x-forwarded-host", "x-forwarded-for", "x-forwarded-proto", "x-original-url"]
        .into_iter()
        .fold(raw_form(good_form()), |request, name| request.header(name, "evil.example"))
        .header("x-http-method-override", "GET");
    let claims = test.send(request.post()).await.assert_issued(2);
    assert_eq!(claims.0["iss"], testing::ISSUER);
    assert_eq!(claims.0["aud"], testing::ISSUER);

    let log = LogLines::collect();
    let mut request = raw_form(good_form()).header("x-forwarded-for", "198.51.100.1").post();
    request.extensions_mut().insert(Origin { request_id: "r".into(), source: "203.0.113.7".into() });
    test.send(request).await.assert_issued(2);
    assert_eq!(log.lines()[0]["source"], "203.0.113.7");
    assert!(!log.text().contains("198.51.100.1"));
}
