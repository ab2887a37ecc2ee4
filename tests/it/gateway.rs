//! The binary of the API function under a Lambda runtime API, with the API Gateway events of `events/`.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use axum::http::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::gateway;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::start_api;
use testing::cloud::{self, environment};
use testing::demo;
use testing::{ISSUER, LogLines, TestApp};

mod cookies;

/// Starts a deployment with the clients and the user of the events. Returns the address of its AWS.
async fn demo() -> (TestApp, SocketAddr) {
    let test = TestApp::start().await;
    demo::seed(&test.cloud, &test.app.hasher).unwrap();
    let cloud = cloud::serve(test.cloud.router().await.unwrap()).await.unwrap();
    (test, cloud)
}

/// Returns the events of `events/` by name.
fn events() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn every_sample_event_gets_its_response() {
    let (_test, cloud) = demo().await;
    let mut function = start_api(cloud, &[]).await;
    for (name, event) in events() {
        let response = function.invoke(event).await;
        match name.as_str() {
            "client_credentials" | "client_credentials_base64" | "other_query" | "password" | "password_form" => {
                response.assert_issued(2);
            }
            "client_credentials_json" => drop(response.assert_issued(1)),
            "refresh_token" | "wrong_password" => response.assert_error(400, "invalid_grant"),
            "cookie_login" => {
                response.assert_issued(2);
                assert!(response.cookie().unwrap().1.starts_with("cs_rt_"));
            }
            "cookie_refresh" => {
                response.assert_error(400, "invalid_grant");
                assert_eq!(response.cookie().unwrap().1, "");
            }
            "revoke" => assert_eq!((response.status, response.bytes.len()), (200, 0)),
            "introspect" => assert_eq!((response.status, response.body), (200, json!({"active": false}))),
            "cookie_log_out" => assert_eq!((response.status, response.cookie().unwrap().1), (200, "")),
            // There is no domain that requires certificates.
            "wrong_secret" | "unknown_client" | "client_certificate" => response.assert_error(401, "invalid_client"),
            // The login pages are off.
            "unsupported_grant_type" | "authorization_code" => response.assert_error(400, "unsupported_grant_type"),
            "scope_not_allowed" => response.assert_error(400, "invalid_scope"),
            "bad_base64" | "bad_version" | "malformed_form" | "malformed_json" | "query_parameters" => {
                response.assert_error(400, "invalid_request");
            }
            "jwks" | "openid_configuration" => {
                assert_eq!(response.status, 200);
                assert_eq!(response.header("cache-control"), Some("public, max-age=300, stale-if-error=7200"));
                assert_eq!(response.header("access-control-allow-origin"), Some("*"));
            }
            "healthz" => assert_eq!((response.status, response.body), (200, json!({"status": "ok"}))),
            "authorize" | "authorize_with_session" => response.assert_error(400, "unsupported_response_type"),
            "preflight" => {
                assert_eq!((response.status, response.bytes.len()), (204, 0));
                assert_eq!(response.header("access-control-allow-origin"), Some("https://app.example"));
            }
            "method_not_allowed" => {
                response.assert_error(405, "method_not_allowed");
                assert_eq!(response.header("allow"), Some("POST,OPTIONS"));
            }
            "not_found" | "login_form" | "userinfo" => response.assert_error(404, "not_found"),
            "too_large" => response.assert_error(413, "invalid_request"),
            other => panic!("the test has no response for the event {other}"),
        }
    }
    let output = function.end().await;
    for line in output.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["source"], "203.0.113.7", "the source address is in the context of the event");
        assert!(!line["request_id"].as_str().unwrap().is_empty());
    }
    // Documents, the health check and preflights have no log line.
    assert_eq!(output.lines().count(), events().len() - 4);
}

#[tokio::test]
async fn a_refresh_token_from_one_event_is_used_by_the_next() {
    let (_test, cloud) = demo().await;
    let mut function = start_api(cloud, &[]).await;
    let events = events();
    let token = function.invoke(events["password"].clone()).await.refresh_token();
    let refresh = events["refresh_token"].to_string().replace("cs_rt_replace_me", &token);
    function.invoke(serde_json::from_str(&refresh).unwrap()).await.assert_issued(2);
}

/// Returns an event with another value at a JSON pointer.
fn with(event: &Value, pointer: &str, value: Value) -> Value {
    let mut event = event.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[name] = value;
    event
}

/// Returns an event without a member.
fn without(event: &Value, pointer: &str) -> Value {
    let mut event = event.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    event
}

#[tokio::test]
async fn s_105_an_event_with_unusual_or_missing_context_gets_a_token() {
    let (_test, cloud) = demo().await;
    let mut function = start_api(cloud, &[]).await;
    let good = &events()["client_credentials"];
    let name = "x-".to_owned() + &"n".repeat(10_000);
    for event in [
        with(good, "/headers/host", json!("a b<>")),
        with(good, "/headers/host", json!("[")),
        with(good, "/headers/host", json!("\u{fc}.example:99999999")),
        with(good, "/headers/x-forwarded-proto", json!("1:")),
        with(good, "/headers/x-forwarded-proto", json!("")),
        with(good, "/headers/x-forwarded-for", json!("\u{fc}")),
        with(good, &format!("/headers/{name}"), json!("a".repeat(100_000))),
        with(good, "/requestContext/domainName", json!(" ")),
        with(good, "/requestContext/domainName", Value::Null),
        with(good, "/requestContext/stage", json!("a".repeat(70_000))),
        with(good, "/requestContext/stage", json!("v1")),
        with(good, "/requestContext/authorizer", json!({"jwt": 1})),
        with(good, "/requestContext/timeEpoch", json!("now")),
        with(good, "/requestContext/http/sourceIp", Value::Null),
        without(good, "/requestContext/http/path"),
        without(good, "/requestContext/requestId"),
        without(good, "/rawQueryString"),
        with(good, "/rawQueryString", Value::Null),
        with(good, "/queryStringParameters", json!(1)),
        with(good, "/cookies", json!(["a=1", "b=\u{fc}"])),
        with(good, "/cookies", json!([])),
        with(good, "/cookies", Value::Null),
        without(good, "/isBase64Encoded"),
        with(good, "/isBase64Encoded", Value::Null),
        without(good, "/version"),
        with(good, "/later", serde_json::from_str(&("[".repeat(100) + &"]".repeat(100))).unwrap()),
    ] {
        function.invoke(event).await.assert_issued(2);
    }
    let in_base64 = with(good, "/body", json!(STANDARD.encode(good["body"].as_str().unwrap())));
    function.invoke(with(&in_base64, "/isBase64Encoded", json!(true))).await.assert_issued(2);
    function.invoke(in_base64).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn s_1024_the_certificate_of_an_event_is_in_its_context() {
    let (test, cloud) = demo().await;
    let subject = "CN=certified,O=Countersign Test";
    let record = json!({
        "client_id": "demo-service", "enabled": true, "grant_types": ["client_credentials"], "scopes": ["a"],
        "default_scopes": ["a"], "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": subject,
    });
    test.cloud.put("ClientsTable", &record).unwrap();
    let mut function = start_api(cloud, &[("MTLS_DOMAIN", "mtls.auth.example")]).await;
    let good = &events()["client_certificate"];
    function.invoke(good.clone()).await.assert_issued(2);
    let certificate = "/requestContext/authentication/clientCert";
    let pem = good.pointer(&format!("{certificate}/clientCertPem")).unwrap().as_str().unwrap();
    let without_certificate = without(good, "/requestContext/authentication");
    for event in [
        without_certificate.clone(),
        with(good, "/requestContext/authentication", Value::Null),
        with(good, certificate, Value::Null),
        without(good, &format!("{certificate}/clientCertPem")),
        with(good, &format!("{certificate}/clientCertPem"), json!("")),
        with(
            &with(good, &format!("{certificate}/clientCertPem"), Value::Null),
            &format!("{certificate}/subjectDN"),
            json!(subject),
        ),
        with(&without_certificate, "/authentication", good["requestContext"]["authentication"].clone()),
        with(&without_certificate, "/requestContext/authorizer", good["requestContext"]["authentication"].clone()),
        with(&without_certificate, "/headers/x-amzn-mtls-clientcert", json!(pem.replace('\n', "%0A"))),
        with(&without_certificate, "/headers/x-client-cert", json!(STANDARD.encode(pem))),
    ] {
        function.invoke(event).await.assert_error(401, "invalid_client");
    }
    let malformed = with(good, "/requestContext/authentication", json!("x"));
    function.invoke(malformed).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn repeated_headers_are_joined_and_cookies_are_not() {
    let headers = [("vary", "a"), ("set-cookie", "x=1"), ("vary", "b"), ("set-cookie", "y=2")];
    let response =
        headers.into_iter().fold(Response::builder().status(400), |built, (name, value)| built.header(name, value));
    let response = gateway::response(response.body("text".into()).unwrap()).await;
    let expected = json!({
        "statusCode": 400, "headers": {"vary": "a, b"}, "cookies": ["x=1", "y=2"], "body": "text", "isBase64Encoded": false,
    });
    assert_eq!(serde_json::to_value(response).unwrap(), expected);
}

#[tokio::test]
async fn s_102_the_query_of_an_event_is_passed_on_or_rejected() {
    let (_test, cloud) = demo().await;
    let mut function = start_api(cloud, &[]).await;
    let events = events();
    let with_query = |name: &str, query: &str| with(&events[name], "/rawQueryString", json!(query));
    for query in ["", "a=1&a=2", "api-version=2024-01-01", "a[]=1&b=/?:@!$'()*+,;~", "%C3%BC", "{a}=\\|^`", "\u{fc}"] {
        function.invoke(with_query("client_credentials", query)).await.assert_issued(2);
    }
    let long = "a".repeat(65_000);
    let characters = ["a b", "<", ">", "\"", "\u{7f}", "#", "a=1#", "\0", "\n", "scope=\u{fc}", "{&scope=}"];
    for query in ["scope=", "a=1&%73cope=admin", "%", "%ff", "%zz", &long].into_iter().chain(characters) {
        function.invoke(with_query("client_credentials", query)).await.assert_error(400, "invalid_request");
    }
    // This query exceeds the maximum length of a URI.
    let event = with_query("client_credentials", &"a".repeat(70_000));
    function.invoke(event).await.assert_error(400, "invalid_request");
    for query in ["scope=", "%", "\u{fc}"] {
        assert_eq!(function.invoke(with_query("jwks", query)).await.status, 200);
    }
    let output = function.end().await;
    assert!(!output.contains("api-version") && !output.contains("aaaa"), "{output}");
}

#[tokio::test]
async fn s_103_an_event_with_another_path_is_not_found() {
    let (_test, cloud) = demo().await;
    let mut function = start_api(cloud, &[]).await;
    let good = &events()["client_credentials"];
    for path in [
        "",
        " ",
        "oauth/token",
        "/oauth/token/",
        "/oauth/./token",
        "/oauth/x/../token",
        "/oauth\\token",
        "//oauth/token",
        "/oauth/token?",
        "/oauth/token?x=1",
        "/oauth/token#",
        "/oauth/%74oken",
        "/\u{fc}",
        "/a b",
        "/%",
        "/[",
        ":1",
        "@",
        "*",
        "https://auth.example/oauth/token",
        &format!("/{}", "a".repeat(70_000)),
    ] {
        function.invoke(with(good, "/rawPath", json!(path))).await.assert_error(404, "not_found");
    }
    function.invoke(with(good, "/rawPath", Value::Null)).await.assert_error(404, "not_found");
    function.invoke(without(good, "/rawPath")).await.assert_error(404, "not_found");
    let output = function.end().await;
    assert!(!output.contains("panic"), "{output}");
}

#[tokio::test]
async fn s_103_an_event_that_http_cannot_represent_is_rejected() {
    let (_test, cloud) = demo().await;
    let mut function = start_api(cloud, &[]).await;
    let good = &events()["client_credentials"];
    for (body, is_base64) in [("=", true), ("a", true), ("Z3Jh\n", true), ("\u{fc}", true), ("", true), ("", false)] {
        let event = with(&with(good, "/body", json!(body)), "/isBase64Encoded", json!(is_base64));
        function.invoke(event).await.assert_error(400, "invalid_request");
    }
    let many: serde_json::Map<_, _> = (0..40_000).map(|n| (format!("x-{n}"), json!("1"))).collect();
    for event in [
        with(good, "/body", Value::Null),
        without(good, "/body"),
        without(good, "/headers"),
        with(good, "/headers", Value::Null),
        with(good, "/headers", many.into()),
        with(good, "/headers/x", json!("a\nb")),
        with(good, "/headers/x", json!("a\0")),
        with(good, "/headers/x", json!("\u{7f}")),
        with(good, "/headers/user-agent", json!("\u{1b}[31m")),
        with(good, "/headers/a b", json!("1")),
        with(good, "/headers/\u{fc}", json!("1")),
        with(good, "/headers/", json!("1")),
        with(good, "/headers/x:", json!("1")),
        with(good, "/cookies", json!(["a=1", "b=\r\n"])),
        with(good, "/requestContext/http/method", json!("")),
        with(good, "/requestContext/http/method", json!("PO ST")),
        with(good, "/requestContext/http/method", json!("P\u{d6}ST")),
    ] {
        let response = function.invoke(event).await;
        response.assert_error(400, "invalid_request");
        assert_eq!(response.header("vary"), Some("Origin"), "every response of this path has the header");
    }
    let at_any_path = with(&with(good, "/headers/x", json!("\0")), "/rawPath", json!("/other"));
    function.invoke(at_any_path).await.assert_error(400, "invalid_request");
    let event = with(good, "/requestContext/http/method", json!("post"));
    function.invoke(event).await.assert_error(405, "method_not_allowed");
    let output = function.end().await;
    assert!(!output.contains("panic"), "{output}");
}

#[tokio::test]
async fn s_103_json_that_is_not_an_event_gets_a_response() {
    let (_test, cloud) = demo().await;
    let mut function = start_api(cloud, &[]).await;
    let good = &events()["client_credentials"];
    let load_balancer = json!({
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-2:123456789012:x"}},
        "httpMethod": "POST", "path": "/oauth/token", "queryStringParameters": {}, "isBase64Encoded": false,
        "headers": good["headers"], "body": good["body"],
    });
    let first_format = json!({
        "version": "1.0", "resource": "/oauth/token", "path": "/oauth/token", "httpMethod": "POST",
        "headers": good["headers"], "multiValueHeaders": {"accept": ["*/*"]}, "body": good["body"],
        "requestContext": {"httpMethod": "POST", "path": "/oauth/token", "requestId": "r", "stage": "$default"},
    });
    for event in [
        json!({}),
        json!([]),
        json!(null),
        json!(true),
        json!(1),
        json!("x"),
        json!({"action": "rotate"}),
        load_balancer,
        first_format,
        without(good, "/requestContext"),
        without(good, "/requestContext/http"),
        without(good, "/requestContext/http/method"),
        with(good, "/requestContext", json!("x")),
        with(good, "/requestContext/http/method", json!(1)),
        with(good, "/requestContext/requestId", json!(1)),
        with(good, "/rawPath", json!(1)),
        with(good, "/rawQueryString", json!({})),
        with(good, "/headers", json!([])),
        with(good, "/headers/accept", json!(["*/*", "version=1"])),
        with(good, "/headers/accept", json!(1)),
        with(good, "/headers/accept", Value::Null),
        with(good, "/cookies", json!("a=1")),
        with(good, "/body", json!({})),
        with(good, "/isBase64Encoded", json!("true")),
    ] {
        function.invoke(event).await.assert_error(400, "invalid_request");
    }
    let output = function.end().await;
    assert!(!output.contains("panic"), "{output}");
}

#[tokio::test]
async fn s_601_the_log_line_of_a_panic_has_its_location_without_its_message() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_api"));
    command.env_clear().env("AWS_REGION", "eu-west-2").env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    // The runtime panics because the name of the function is missing.
    command
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b");
    command.envs(environment(ISSUER));
    let output = command.output().await.unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let line: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(line["message"], "panic");
    assert!(line["location"].as_str().unwrap().contains("lambda_runtime"));
    assert!(output.stderr.is_empty() && !lines.contains("Missing"), "{lines}");
}

#[tokio::test]
async fn s_707_the_function_starts_without_its_secret_and_recovers() {
    LogLines::install();
    let (test, cloud) = demo().await;
    let good = test.cloud.secret().unwrap().unwrap();
    test.cloud.put_secret("").unwrap();
    let mut function = start_api(cloud, &[]).await;
    let event = &events()["client_credentials"];
    function.invoke(event.clone()).await.assert_error(503, "temporarily_unavailable");
    test.cloud.put_secret(&good).unwrap();
    function.invoke(event.clone()).await.assert_issued(2);
    let output = function.end().await;
    assert!(output.lines().next().unwrap().contains("there are no signing keys"), "{output}");
}
