//! The function itself: its binary under a Lambda runtime API, answering the gateway events of `events/`.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::cloud::{self, Cloud, environment};
use crate::demo;
use crate::support::{Function, ISSUER, LogLines, TestApp};

/// The demo's clients and its user, of whom the events speak.
async fn demo() -> (TestApp, SocketAddr) {
    let test = TestApp::start().await;
    demo::seed(&test.cloud, &test.app).unwrap();
    let door = cloud::serve(Cloud::door(&test.cloud).await.unwrap()).await.unwrap();
    (test, door)
}

/// Every event of `events/`, by name.
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
async fn every_event_has_its_answer() {
    let (_test, door) = demo().await;
    let mut function = Function::start(door).await;
    for (name, event) in events() {
        let answer = function.invoke(event).await;
        match name.as_str() {
            "client_credentials" | "client_credentials_base64" | "password" | "password_form" => {
                answer.assert_issued(2);
            }
            "client_credentials_json" => drop(answer.assert_issued(1)),
            "refresh_token" | "wrong_password" => answer.assert_refused(400, "invalid_grant"),
            "wrong_secret" | "unknown_client" => answer.assert_refused(401, "invalid_client"),
            "unsupported_grant_type" => answer.assert_refused(400, "unsupported_grant_type"),
            "scope_not_allowed" => answer.assert_refused(400, "invalid_scope"),
            "bad_base64" | "bad_version" | "malformed_form" | "malformed_json" | "query_parameters" => {
                answer.assert_refused(400, "invalid_request");
            }
            "jwks" | "openid_configuration" => {
                assert_eq!(answer.status, 200);
                assert_eq!(answer.header("cache-control"), Some("public, max-age=300, stale-if-error=7200"));
                assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            }
            "healthz" => assert_eq!((answer.status, answer.body), (200, json!({"status": "ok"}))),
            "authorize" => answer.assert_refused(400, "unsupported_response_type"),
            "preflight" => {
                assert_eq!((answer.status, answer.bytes.len()), (204, 0));
                assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
            }
            "method_not_allowed" => {
                answer.assert_refused(405, "method_not_allowed");
                assert_eq!(answer.header("allow"), Some("POST,OPTIONS"));
            }
            "not_found" => answer.assert_refused(404, "not_found"),
            "too_large" => answer.assert_refused(413, "invalid_request"),
            other => panic!("no answer is known to the event {other}"),
        }
    }
    let output = function.end().await;
    for line in output.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["source"], "203.0.113.7", "from the gateway's context");
        assert!(!line["request_id"].as_str().unwrap().is_empty());
    }
    // Documents, the health check and preflights decide nothing: only the access log has them.
    assert_eq!(output.lines().count(), events().len() - 4);
}

#[tokio::test]
async fn a_refresh_token_from_one_event_is_used_by_the_next() {
    let (_test, door) = demo().await;
    let mut function = Function::start(door).await;
    let events = events();
    let token = function.invoke(events["password"].clone()).await.refresh_token();
    let refresh = events["refresh_token"].to_string().replace("cs_rt_replace_me", &token);
    function.invoke(serde_json::from_str(&refresh).unwrap()).await.assert_issued(2);
}

#[tokio::test]
async fn s_103_an_event_that_lambda_http_would_panic_on_is_answered() {
    let (_test, door) = demo().await;
    let mut function = Function::start(door).await;
    let good = &events()["client_credentials"];
    let with = |pointer: &str, value: Value| {
        let mut event = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[name] = value;
        event
    };
    // S-105: these decide nothing.
    for event in [
        with("/headers/host", json!("a b<>")),
        with("/headers/host", json!("[")),
        with("/headers/host", json!("\u{fc}.example:99999999")),
        with("/headers/x-forwarded-proto", json!("1:")),
        with("/headers/x-forwarded-proto", json!("")),
        with("/requestContext/domainName", json!(" ")),
        with("/requestContext/domainName", Value::Null),
        with("/headers/x-forwarded-for", json!("\u{fc}")),
    ] {
        function.invoke(event).await.assert_issued(2);
    }
    for query in ["a b", "%", "%ff", "\u{fc}", "<>\"{}|\\^`", "#", "a=1&a=2"] {
        function.invoke(with("/rawQueryString", json!(query))).await.assert_refused(400, "invalid_request");
    }
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
        "/oauth/token#",
        "/oauth/%74oken",
        "/\u{fc}",
        "/a b",
        "/%",
        "/[",
        ":1",
        "@",
        &format!("/{}", "a".repeat(70_000)),
    ] {
        function.invoke(with("/rawPath", json!(path))).await.assert_refused(404, "not_found");
    }
    for (body, is_base64) in [("=", true), ("a", true), ("Z3Jh\n", true), ("\u{fc}", true), ("", true), ("", false)] {
        let mut event = with("/body", json!(body));
        event["isBase64Encoded"] = json!(is_base64);
        function.invoke(event).await.assert_refused(400, "invalid_request");
    }
    function.invoke(with("/body", Value::Null)).await.assert_refused(400, "invalid_request");
    let output = function.end().await;
    assert!(!output.contains("panic"), "{output}");
}

#[tokio::test]
async fn s_601_a_panic_says_where_and_not_what() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_api"));
    command.env_clear().env("AWS_REGION", "eu-west-2").env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    // The runtime panics for want of the function's name.
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
async fn s_707_the_function_starts_without_its_secret_and_heals_by_itself() {
    LogLines::install();
    let (test, door) = demo().await;
    let good = test.cloud.secret().unwrap().unwrap();
    test.cloud.put_secret("").unwrap();
    let mut function = Function::start(door).await;
    let event = &events()["client_credentials"];
    function.invoke(event.clone()).await.assert_refused(503, "temporarily_unavailable");
    test.cloud.put_secret(&good).unwrap();
    function.invoke(event.clone()).await.assert_issued(2);
    let output = function.end().await;
    assert!(output.lines().next().unwrap().contains("starting without signing keys"), "{output}");
}
