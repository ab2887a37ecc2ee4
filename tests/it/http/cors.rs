//! Cross-origin requests of browsers to the token endpoint (S-912, S-916).

use std::collections::BTreeSet;

use axum::http::HeaderMap;
use countersign::client::{AllowedOrigins, MAX_ALLOWED_ORIGINS, OriginError};
use countersign::config::{Config, Limits};
use serde_json::json;

use testing::{
    APPLICATION, CLIENT_CREDENTIALS, LogLines, PASSWORD, RequestBuilder, Response, SERVICE, TestApp, USERNAME, form,
    raw_form, raw_json,
};

const ORIGIN: &str = "https://app.example.test";
const OTHER_ORIGIN: &str = "https://evil.example.test";
const BEARER: &str = "Bearer realm=\"oauth\"";
const BASIC: &str = "Basic realm=\"oauth\", charset=\"UTF-8\"";

/// Starts a deployment in which two clients allow the origin `ORIGIN`.
async fn started() -> TestApp {
    started_with(|_| {}).await
}

async fn started_with(change: impl FnOnce(&mut Config)) -> TestApp {
    let test = TestApp::start_with(change).await;
    for client_id in [SERVICE.0, APPLICATION.0] {
        test.change_client(client_id, &json!({"allowed_origins": ["http://localhost:5173", ORIGIN]}));
    }
    test
}

fn grant(params: &[(&str, &str)], (id, secret): (&str, &str)) -> RequestBuilder {
    form(params).basic(id, secret)
}

fn service() -> RequestBuilder {
    grant(&CLIENT_CREDENTIALS, SERVICE)
}

/// Returns the CORS headers of a response.
fn cors(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let names = headers.iter().filter(|(name, _)| name.as_str().starts_with("access-control-"));
    names.map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
}

#[track_caller]
fn assert_readable(response: &Response, what: &str) {
    let expected =
        [("access-control-allow-origin", ORIGIN), ("access-control-expose-headers", "Retry-After, DPoP-Nonce")];
    assert_eq!(cors(&response.headers), expected, "{what}");
    assert_eq!(response.header("vary"), Some("Origin"), "{what}");
}

#[track_caller]
fn assert_not_readable(response: &Response, what: &str) {
    assert_eq!(cors(&response.headers), [], "{what}");
    assert_eq!(response.header("vary"), Some("Origin"), "{what}");
}

#[tokio::test]
async fn s_912_a_page_of_an_allowed_origin_reads_every_response_to_the_authenticated_client() {
    let test = started().await;
    let password = |password, scope| {
        let params = [("grant_type", "password"), ("username", USERNAME), ("password", password), ("scope", scope)];
        grant(&params, APPLICATION)
    };
    let json_body =
        format!(r#"{{"grant_type":"client_credentials","client_id":"{}","client_secret":"{}"}}"#, SERVICE.0, SERVICE.1);
    for (what, request, status) in [
        ("a token", service(), 200),
        ("a token, requested in JSON", raw_json(json_body), 200),
        ("a login", password(PASSWORD, "legacy:autonomy.read"), 200),
        ("invalid_grant", password("wrong", "legacy:autonomy.read"), 400),
        ("invalid_scope", password(PASSWORD, "admin"), 400),
        ("a missing parameter of the grant", grant(&[("grant_type", "password")], APPLICATION), 400),
        ("unauthorized_client", grant(&[("grant_type", "password")], SERVICE), 400),
    ] {
        let response = test.send(request.header("origin", ORIGIN).post()).await;
        assert_eq!(response.status, status, "{what}: {:?}", response.bytes);
        assert_readable(&response, what);
    }
    test.interceptor.fail("GetItem UsersTable", 400, "ThrottlingException");
    let response = test.send(password(PASSWORD, "legacy:autonomy.read").header("origin", ORIGIN).post()).await;
    response.assert_error(503, "temporarily_unavailable");
    assert_readable(&response, "an outage after the client was authenticated");
}

#[tokio::test]
async fn s_912_a_page_of_an_allowed_origin_reads_the_response_after_the_deadline() {
    let test = started_with(|config| config.limits = Limits::default()).await;
    let params =
        [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", "legacy:autonomy.read")];
    test.interceptor.hold();
    let request = test.send(grant(&params, APPLICATION).header("origin", ORIGIN).post());
    // The client and the user are read. The write of the family hangs.
    let (response, calls) = tokio::join!(request, test.interceptor.let_through(3));
    assert_eq!(calls, ["GetItem ClientsTable", "GetItem GrantsTable", "GetItem UsersTable"]);
    response.assert_error(503, "temporarily_unavailable");
    assert_readable(&response, "a response after the deadline");
    test.interceptor.release();
}

#[tokio::test]
async fn s_912_a_page_of_another_origin_reads_no_response() {
    let test = started().await;
    for origin in [
        OTHER_ORIGIN,
        "null",
        "",
        "https://app.example.test.evil.test",
        "https://app.example.test:443",
        "https://app.example.test/",
        "HTTPS://APP.EXAMPLE.TEST",
        "http://app.example.test",
        "https://sub.app.example.test",
        "\u{fc}",
    ] {
        let response = test.send(service().header("origin", origin).post()).await;
        response.assert_issued(2);
        assert_not_readable(&response, origin);
    }
    let response = test.send(service().post()).await;
    response.assert_issued(2);
    assert_not_readable(&response, "no page");
    test.change_client(SERVICE.0, &json!({}));
    let response = test.send(service().header("origin", ORIGIN).post()).await;
    response.assert_issued(2);
    assert_not_readable(&response, "a client without origins");
}

#[tokio::test]
async fn s_912_a_page_reads_no_response_before_the_client_is_authenticated() {
    let test = started().await;
    for (what, request, status) in [
        ("a wrong secret", grant(&CLIENT_CREDENTIALS, (SERVICE.0, "wrong")), 401),
        ("an unknown client", grant(&CLIENT_CREDENTIALS, ("unknown", "x")), 401),
        ("no client", form(&CLIENT_CREDENTIALS), 401),
        ("an unknown grant type", grant(&[("grant_type", "implicit")], SERVICE), 400),
        ("a malformed body", raw_form("%").basic(SERVICE.0, SERVICE.1), 400),
        ("a body that is too large", raw_form(vec![b'a'; 20_000]).basic(SERVICE.0, SERVICE.1), 413),
    ] {
        let response = test.send(request.header("origin", ORIGIN).post()).await;
        assert_eq!(response.status, status, "{what}");
        assert_not_readable(&response, what);
    }
    for method in ["GET", "HEAD", "PUT"] {
        let response = test.send(service().header("origin", ORIGIN).to(method, "/oauth/token")).await;
        assert_eq!(response.status, 405);
        assert_not_readable(&response, method);
    }
    test.interceptor.fail("GetItem ClientsTable", 400, "ThrottlingException");
    let response = test.send(service().header("origin", ORIGIN).post()).await;
    response.assert_error(503, "temporarily_unavailable");
    assert_not_readable(&response, "an outage before the client was read");
    test.interceptor.stop_failing();
    let log = LogLines::collect();
    log.panic_once();
    let response = test.send(service().header("origin", ORIGIN).post()).await;
    response.assert_error(500, "server_error");
    assert_not_readable(&response, "a panic");
}

#[tokio::test]
async fn every_preflight_is_approved_without_a_call() {
    let test = started().await;
    let preflight = |origin: &str, method: &str| {
        let request = raw_form("").header("origin", origin).header("access-control-request-method", method);
        request.header("access-control-request-headers", "content-type").to("OPTIONS", "/oauth/token")
    };
    for (origin, method) in [(ORIGIN, "POST"), (OTHER_ORIGIN, "POST"), ("null", "DELETE"), ("not an origin", "")] {
        let response = test.send(preflight(origin, method)).await;
        assert_eq!((response.status, response.bytes.len()), (204, 0));
        assert_eq!(response.headers["access-control-allow-origin"].as_bytes(), origin.as_bytes());
        for (name, value) in [
            ("access-control-allow-credentials", Some("true")),
            ("access-control-allow-methods", Some("POST")),
            ("access-control-allow-headers", Some("authorization, content-type, accept, dpop")),
            ("access-control-max-age", Some("7200")),
            ("access-control-expose-headers", None),
            ("vary", Some("Origin")),
            ("cache-control", Some("no-store")),
            ("content-type", None),
        ] {
            assert_eq!(response.header(name), value, "{name}");
        }
    }
    let with = |headers: &[(&str, &str)], path| {
        let request = headers.iter().fold(raw_form(""), |request, (name, value)| request.header(name, value));
        request.to("OPTIONS", path)
    };
    for headers in [&[][..], &[("origin", ORIGIN)], &[("access-control-request-method", "POST")]] {
        let response = test.send(with(headers, "/oauth/token")).await;
        response.assert_error(405, "method_not_allowed");
        assert_eq!(response.header("allow"), Some("POST,OPTIONS"));
        assert_not_readable(&response, "not a preflight");
    }
    // The other paths have no preflight.
    for path in ["/.well-known/jwks.json", "/healthz", "/oauth/authorize"] {
        let headers = [("origin", ORIGIN), ("access-control-request-method", "POST")];
        test.send(with(&headers, path)).await.assert_error(405, "method_not_allowed");
    }
    assert!(test.interceptor.calls().is_empty());
}

#[tokio::test]
async fn s_916_a_page_that_did_not_use_basic_gets_no_basic_challenge() {
    let test = started().await;
    let wrong = || form(&[("grant_type", "client_credentials"), ("client_id", SERVICE.0), ("client_secret", "wrong")]);
    let mut bytes = BTreeSet::new();
    for (what, request, challenge) in [
        ("no page", wrong(), BASIC),
        ("a page", wrong().header("origin", OTHER_ORIGIN), BEARER),
        ("a page of an allowed origin", wrong().header("origin", ORIGIN), BEARER),
        ("a page with a token", wrong().header("origin", ORIGIN).header("authorization", "Bearer x"), BEARER),
        (
            "a page with a scheme that begins with Basic",
            wrong().header("origin", ORIGIN).header("authorization", "Basics x"),
            BEARER,
        ),
        ("a page with Basic", grant(&CLIENT_CREDENTIALS, (SERVICE.0, "wrong")).header("origin", ORIGIN), BASIC),
        (
            "a page with Basic in another case",
            form(&CLIENT_CREDENTIALS).header("authorization", "bAsIc eDp5").header("origin", ORIGIN),
            BASIC,
        ),
        ("Basic without a page", grant(&CLIENT_CREDENTIALS, (SERVICE.0, "wrong")), BASIC),
    ] {
        let response = test.send(request.post()).await;
        assert_eq!(response.status, 401, "{what}");
        assert_eq!(response.header("www-authenticate"), Some(challenge), "{what}");
        bytes.insert(response.bytes);
    }
    assert_eq!(bytes.len(), 1);
}

/// Origins in the form of browsers.
const ORIGINS: [&str; 8] = [
    ORIGIN,
    "https://a.example:8443",
    "https://xn--mnchen-3ya.example",
    "https://192.0.2.1",
    "https://[2001:db8::1]",
    "http://localhost",
    "http://localhost:5173",
    "http://127.0.0.1:8080",
];

/// Texts that browsers never send as an origin, and origins that are not allowed.
const NO_ORIGINS: [&str; 38] = [
    "",
    "*",
    "null",
    "a.example",
    "https://",
    "https://*",
    "https://*.example",
    "https://a.example/",
    "https://a.example/path",
    "https://a.example?x",
    "https://a.example#x",
    "https://a.example:443",
    "https://a.example:0443",
    "https://a.example:",
    "https://a.example:65536",
    "https://A.example",
    "HTTPS://a.example",
    "https://m\u{fc}nchen.example",
    "https://user@a.example",
    "https://a.example ",
    " https://a.example",
    "https://a b.example",
    "https://a.example\n",
    "https://a.example,https://b.example",
    "https:a.example",
    "https:\\\\a.example",
    "https://192.0.2.01",
    "https://[2001:DB8::1]",
    "http://a.example",
    "http://localhost:80",
    "http://localhost.a.example",
    "http://127.1",
    "http://127.0.0.2",
    "http://[::1]",
    "ftp://localhost",
    "file://",
    "chrome-extension://abc",
    "data:text/html,x",
];

#[test]
fn an_allowed_origin_has_exactly_the_form_that_browsers_send() {
    let parse = |origins: &[&str]| AllowedOrigins::parse(origins.iter().map(|origin| (*origin).to_owned()).collect());
    for origin in ORIGINS {
        assert!(parse(&[origin]).unwrap().contains(origin), "{origin}");
    }
    for origin in NO_ORIGINS {
        assert_eq!(parse(&[ORIGIN, origin]), Err(OriginError::Malformed(origin.to_owned())));
    }
    let many = |count| {
        parse(
            &(0..count)
                .map(|n| format!("https://{n}.example"))
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        )
    };
    assert!(many(MAX_ALLOWED_ORIGINS).is_ok());
    assert_eq!(many(MAX_ALLOWED_ORIGINS + 1), Err(OriginError::TooMany));
}
