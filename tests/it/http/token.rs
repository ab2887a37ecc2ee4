//! S-101, S-103, S-105: the surface of `POST /oauth/token`, and which of several errors decides.

use countersign::http::Origin;
use serde_json::json;

use testing::{APPLICATION, LogLines, RequestBuilder, Response, SERVICE, TestApp, form, raw_form, raw_json};

/// A form that gets a token, the credentials in it.
pub fn good_form() -> String {
    format!("grant_type=client_credentials&client_id={}&client_secret={}", SERVICE.0, SERVICE.1)
}

pub async fn assert_rejected(test: &TestApp, what: &str, ask: RequestBuilder, status: u16, error: &str) -> Response {
    let response = test.send(ask.post()).await;
    assert_eq!((response.status, &response.body["error"]), (status, &json!(error)), "{what}");
    response.assert_error(status, error);
    response
}

pub async fn assert_malformed(test: &TestApp, what: &str, ask: RequestBuilder) {
    assert_rejected(test, what, ask, 400, "invalid_request").await;
}

pub async fn assert_issued(test: &TestApp, what: &str, ask: RequestBuilder) {
    let response = test.send(ask.post()).await;
    assert_eq!(response.status, 200, "{what}: {:?}", response.bytes);
    response.assert_issued(2);
}

#[tokio::test]
async fn s_101_methods_and_paths() {
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
    assert_rejected(&test, "16,385 bytes", raw_form(padded(16_385)), 413, "invalid_request").await;
    // Size decides before the encoding and the type do.
    let ask = raw_form(padded(16_385)).header("content-encoding", "br").header("content-type", "text/plain");
    assert_rejected(&test, "too large in every way", ask, 413, "invalid_request").await;
}

#[tokio::test]
async fn s_101_the_first_error_decides() {
    let test = TestApp::start().await;
    let bad_everything = |query: &'static str, accept: &str| {
        raw_form("scope=%").query(query).header("accept", accept).header("authorization", "Basic !")
    };
    let two_content_types = || bad_everything("?scope=", "version=x").header("content-type", "a/b");
    let description = async |ask: RequestBuilder| {
        let response = test.send(ask.post()).await;
        response.assert_error(400, "invalid_request");
        response.body["error_description"].as_str().unwrap().to_owned()
    };
    assert!(description(two_content_types().header("content-encoding", "br")).await.contains("Content-Encoding"));
    assert!(description(two_content_types()).await.contains("Content-Type"));
    assert!(description(bad_everything("?%", "version=x")).await.contains("query"));
    assert!(description(bad_everything("?scope=", "version=x")).await.contains("query"));
    assert!(description(bad_everything("", "version=x")).await.contains("Accept"));
    assert!(description(bad_everything("", "version=1")).await.contains("form"));

    for (what, ask, status, error) in [
        (
            "two methods before the grant type",
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
        ("its absence before the client", form(&[]), 400, "invalid_request"),
        ("the client before the grant's parameters", form(&[("grant_type", "password")]), 401, "invalid_client"),
        (
            "the client's grants before the grant's parameters",
            form(&[("grant_type", "password")]).basic(SERVICE.0, SERVICE.1),
            400,
            "unauthorized_client",
        ),
        (
            "the grant's parameters before the scope",
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
            "a scope that the client may not have before the refresh token",
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
    ] {
        assert_rejected(&test, what, ask, status, error).await;
    }
}

#[tokio::test]
async fn s_101_grant_types_are_compared_to_the_letter() {
    let test = TestApp::start().await;
    for grant_type in
        [&"x".repeat(5000), "Password", "client-credentials", "authorization_code", "implicit", "refresh_token ", "x"]
    {
        let ask = form(&[("grant_type", grant_type)]).basic(SERVICE.0, SERVICE.1);
        assert_rejected(&test, grant_type, ask, 400, "unsupported_grant_type").await;
    }
    for ask in [form(&[("grant_type", "")]), raw_json(r#"{"grant_type":null}"#)] {
        assert_malformed(&test, "absent", ask.basic(SERVICE.0, SERVICE.1)).await;
    }
}

#[tokio::test]
async fn s_103_a_panic_costs_one_answer() {
    let test = TestApp::start().await;
    // No input causes a panic. The test's own counter of hashes can be made to panic.
    let log = LogLines::collect();
    log.panic_once();
    test.send(raw_form(good_form()).post()).await.assert_error(500, "server_error");
    assert_issued(&test, "the next one", raw_form(good_form())).await;
}

#[tokio::test]
async fn s_105_forged_headers_change_nothing() {
    let test = TestApp::start().await;
    let ask = ["host", "forwarded", "x-forwarded-host", "x-forwarded-for", "x-forwarded-proto", "x-original-url"]
        .into_iter()
        .fold(raw_form(good_form()), |ask, name| ask.header(name, "evil.example"))
        .header("x-http-method-override", "GET");
    let claims = test.send(ask.post()).await.assert_issued(2);
    assert_eq!(claims.0["iss"], testing::ISSUER);
    assert_eq!(claims.0["aud"], testing::ISSUER);

    let log = LogLines::collect();
    let mut request = raw_form(good_form()).header("x-forwarded-for", "198.51.100.1").post();
    request.extensions_mut().insert(Origin { request_id: "r".into(), source: "203.0.113.7".into() });
    test.send(request).await.assert_issued(2);
    assert_eq!(log.lines()[0]["source"], "203.0.113.7");
    assert!(!log.text().contains("198.51.100.1"));
}
