//! Log lines (S-602).

use serde_json::json;

mod fields;
mod size;
mod steps;

use testing::{APPLICATION, CLIENT_CREDENTIALS, LogLines, PASSWORD, SCOPE, SERVICE, TestApp, USERNAME, form};

/// HMAC-SHA-256 of the username, 64 bits, with HKDF-SHA256(the refresh token key of the tests, "countersign log v1");
/// computed with another implementation.
const USER_IN_LOG: &str = "2b8ff1bbd77a00c0";

#[tokio::test]
async fn s_602_each_token_request_has_one_log_line() {
    let test = TestApp::start().await;
    let log = LogLines::collect();
    let origin = countersign::http::Origin { request_id: "r-1".into(), source: "203.0.113.7".into() };
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    let mut request = form(&params).basic(APPLICATION.0, APPLICATION.1).header("accept", "version=1").post();
    request.extensions_mut().insert(origin);
    let response = test.send(request).await;
    response.assert_issued(1);
    let kid = jsonwebtoken::decode_header(response.body["access_token"].as_str().unwrap()).unwrap().kid;

    let lines = log.lines();
    assert_eq!(lines.len(), 1);
    let expected = json!({
        "timestamp": lines[0]["timestamp"], "level": "INFO", "event": "token", "outcome": "issued", "status": 200,
        "hash_ms": lines[0]["hash_ms"], "store_ms": lines[0]["store_ms"], "total_ms": lines[0]["total_ms"], "request_id": "r-1", "source": "203.0.113.7", "route": "/oauth/token",
        "grant": "password", "version": 1,
        "client_id": "autonomy-web", "secret_id": lines[0]["secret_id"], "user": USER_IN_LOG,
        "session": lines[0]["session"], "jti": lines[0]["jti"], "kid": kid,
        "lane": "common", "failures": 0,
    });
    assert_eq!(lines[0], expected);
    assert!(lines[0]["timestamp"].as_str().unwrap().ends_with('Z'));
    assert!(lines[0]["total_ms"].as_u64().unwrap() < 10_000);
    // No member is repeated, because JSON parsers differ for repeated members.
    assert_eq!(log.text().matches("\":").count(), expected.as_object().unwrap().len());
}

#[tokio::test]
async fn s_602_only_the_log_has_the_reason_of_a_rejection() {
    let test = TestApp::start().await;
    for (username, reason, user) in [
        (USERNAME, "wrong password", Some(USER_IN_LOG)),
        // Users sometimes enter their password as the username.
        ("unknown@itccompliance.co.uk", "unknown user", None),
        ("a password", "unknown user", None),
        ("off@itccompliance.co.uk", "disabled user", Some("5b8c70d89dc75008")),
        ("nopassword@itccompliance.co.uk", "user without a password", Some("8f34a7f790e8130a")),
    ] {
        let log = LogLines::collect();
        test.password(username, "wrong").await.assert_error(400, "invalid_grant");
        let lines = log.lines();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["outcome"], "rejected");
        assert_eq!((&lines[0]["error"], &lines[0]["reason"]), (&json!("invalid_grant"), &json!(reason)));
        assert_eq!(lines[0]["grant"], "password");
        assert_eq!(lines[0]["user"], json!(user), "{username}");
        assert!(!log.text().contains('@'), "the log has only a hash of the username");
    }
    let log = LogLines::collect();
    test.form(("an unknown client", "x"), &CLIENT_CREDENTIALS).await;
    assert_eq!(log.lines()[0]["reason"], "unknown client");
    assert!(log.lines()[0].get("client_id").is_none());
}

#[tokio::test]
async fn s_602_the_route_is_a_known_path_or_absent() {
    let test = TestApp::start().await;
    for (path, route) in [
        ("/oauth/token", json!("/oauth/token")),
        ("/healthz", json!("/healthz")),
        ("/.well-known/jwks.json", json!("/.well-known/jwks.json")),
        ("/an-unknown-path", json!(null)),
    ] {
        let log = LogLines::collect();
        let status = test.send(form(&[]).to("DELETE", path)).await.status;
        assert!([404, 405].contains(&status), "{path}");
        assert_eq!(log.lines().len(), 1);
        assert_eq!(log.lines()[0]["route"], route, "{path}");
        assert!(!log.text().contains("unknown-path"));
    }
}

#[tokio::test]
async fn s_602_values_are_escaped() {
    let test = TestApp::start().await;
    for id in [
        "a\" b\\",
        "\u{1b}[2J\r\n\0\u{8}",
        "\u{7f}\u{85}\u{9b}31m",
        "\u{2028}{\"level\":\"INFO\"}\u{2029}",
        "\u{fffd}\u{feff}\u{1f600}",
    ] {
        let hash = countersign::password_hash::hash_client_secret("x");
        test.change_client(SERVICE.0, &json!({"secrets": [{"id": id, "hash": hash}]}));
        let origin = countersign::http::Origin { request_id: id.into(), source: id.into() };
        let mut request = form(&CLIENT_CREDENTIALS).basic(SERVICE.0, "x").post();
        request.extensions_mut().insert(origin);
        let log = LogLines::collect();
        test.send(request).await.assert_issued(2);
        let [line] = &log.lines()[..] else { panic!("not one line: {}", log.text()) };
        for member in ["secret_id", "request_id", "source"] {
            assert_eq!(line[member], id);
        }
        let is_interpreted = |character: char| character.is_control() || ['\u{2028}', '\u{2029}'].contains(&character);
        assert_eq!(log.text().find(is_interpreted), Some(log.text().len() - 1), "{id:?}");
    }
}
