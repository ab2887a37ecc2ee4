//! S-6: what the log says, and what nothing ever says.

use serde_json::{Value, json};

use crate::support::{
    APPLICATION, Answer, Ask, LogLines, PASSWORD, SCOPE, SERVICE, TestApp, USERNAME, form, percent, raw_form, raw_json,
};

/// HMAC-SHA-256 of the username, 64 bits, with HKDF-SHA256(the refresh token key of the tests, "countersign log v1");
/// computed by another program.
const USER_IN_LOG: &str = "2b8ff1bbd77a00c0";

const CANARY: &str = "CANARY0secret";

/// Requests with the canary in every place that a caller can write to.
fn poisoned() -> Vec<Ask> {
    let names = ["grant_type", "client_id", "client_secret", "username", "password", "scope", "refresh_token", CANARY];
    let complete = [
        ("client_credentials", SERVICE, vec![]),
        ("password", APPLICATION, vec![("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)]),
        ("refresh_token", APPLICATION, vec![("refresh_token", "cs_rt_x")]),
    ];
    let mut asks = vec![
        raw_form(CANARY),
        raw_form(format!("{CANARY}=%zz")),
        raw_json(CANARY),
        raw_json(format!(r#"{{"{CANARY}":"{CANARY}","{CANARY}":1}}"#)),
        raw_json(format!(r#"{{"grant_type":["{CANARY}"]}}"#)),
        form(&[("grant_type", "client_credentials")]).query("?client_secret=CANARY0secret"),
        form(&[("grant_type", "client_credentials")]).header("authorization", &format!("Bearer {CANARY}")),
        form(&[("grant_type", "client_credentials")]).header("authorization", &format!("Basic {CANARY}")),
        form(&[("grant_type", "client_credentials")]).header("authorization", CANARY),
        form(&[("grant_type", "client_credentials")]).basic(CANARY, CANARY),
        form(&[("grant_type", "client_credentials")]).basic(SERVICE.0, CANARY),
        raw_form("").header("accept", &format!("a/b;version={CANARY}")),
        raw_form("").header("content-type", CANARY),
        raw_form("").header("x-request-id", CANARY).header("x-forwarded-for", CANARY).header("user-agent", CANARY),
    ];
    for (grant_type, (id, secret), params) in complete {
        let mut whole = vec![("grant_type", grant_type), ("client_id", id), ("client_secret", secret)];
        whole.extend(params);
        for name in names {
            let mut params = whole.clone();
            params.retain(|(known, _)| *known != name);
            params.push((name, CANARY));
            asks.push(form(&params));
            let members: serde_json::Map<_, _> =
                params.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
            asks.push(raw_json(Value::Object(members).to_string()));
        }
    }
    asks
}

#[tokio::test]
async fn s_601_what_a_caller_writes_is_in_no_log_and_no_error() {
    let test = TestApp::start().await;
    let log = LogLines::collect();
    for fault in [None, Some(("", 500, "InternalServerError")), Some(("", 400, "AccessDeniedException"))] {
        if let Some((call, status, code)) = fault {
            test.door.fail(call, status, code);
        }
        for ask in poisoned() {
            let answer = test.send(ask.post()).await;
            // A client's own unknown parameters are the one place where the canary does no harm.
            if answer.status != 200 {
                assert_canary_free(&answer);
            }
        }
        test.send(raw_form("").to("POST", "/CANARY0secret")).await.assert_refused(404, "not_found");
        test.send(raw_form("").to("CANARY0secret", "/oauth/token")).await.assert_refused(405, "method_not_allowed");
    }
    assert!(!log.text().contains(CANARY), "{}", log.text());
    assert!(log.lines().len() > 150);
}

#[track_caller]
fn assert_canary_free(answer: &Answer) {
    assert!(!String::from_utf8_lossy(&answer.bytes).contains(CANARY));
    assert!(!format!("{:?}", answer.headers).contains(CANARY));
}

#[tokio::test]
async fn s_601_no_secret_is_in_a_log_or_an_item() {
    let test = TestApp::start().await;
    let log = LogLines::collect();
    let mut secrets: Vec<String> =
        [SERVICE.1, APPLICATION.1, PASSWORD, USERNAME, &percent(PASSWORD)].map(ToOwned::to_owned).to_vec();
    let keys: Value = serde_json::from_str(&test.cloud.secret().unwrap().unwrap()).unwrap();
    for key in [&keys["current"]["private_key"], &keys["refresh"]["current"]] {
        secrets.extend(key.as_str().unwrap().lines().filter(|line| !line.starts_with("-----")).map(ToOwned::to_owned));
    }
    let mut keep = |answer: &Answer| {
        for name in ["access_token", "refresh_token"] {
            secrets.extend(answer.body[name].as_str().map(ToOwned::to_owned));
        }
    };
    keep(&test.form(SERVICE, &[("grant_type", "client_credentials")]).await);
    let login = test.password(USERNAME, PASSWORD).await;
    keep(&login);
    let refreshed = test.refresh(&login.refresh_token()).await;
    keep(&refreshed);
    keep(&test.refresh(&login.refresh_token()).await);
    test.pass(60);
    test.refresh(&login.refresh_token()).await.assert_refused(400, "invalid_grant");
    test.form((SERVICE.0, APPLICATION.1), &[("grant_type", "client_credentials")])
        .await
        .assert_refused(401, "invalid_client");
    test.pass(300);
    test.form(SERVICE, &[("grant_type", "client_credentials")]).await.assert_issued(2);

    assert!(secrets.len() > 10);
    let family = test.family(&login.refresh_token()).to_string();
    for secret in &secrets {
        assert!(!log.text().contains(secret), "{secret}");
        assert!(secret == USERNAME || !family.contains(secret), "{secret}");
    }
    let client = test.app.store.client(SERVICE.0).await.unwrap();
    assert!(!format!("{client:?}").contains("sha256"));
}

#[tokio::test]
async fn s_602_one_line_says_what_was_decided() {
    let test = TestApp::start().await;
    let log = LogLines::collect();
    let origin = countersign::http::Origin { request_id: "r-1".into(), source: "203.0.113.7".into() };
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    let mut request = form(&params).basic(APPLICATION.0, APPLICATION.1).header("accept", "version=1").post();
    request.extensions_mut().insert(origin);
    let answer = test.send(request).await;
    answer.assert_issued(1);
    let kid = jsonwebtoken::decode_header(answer.body["access_token"].as_str().unwrap()).unwrap().kid;

    let lines = log.lines();
    assert_eq!(lines.len(), 1);
    let expected = json!({
        "timestamp": lines[0]["timestamp"], "level": "INFO", "outcome": "issued", "status": 200,
        "request_id": "r-1", "source": "203.0.113.7", "grant": "password", "version": 1,
        "client_id": "autonomy-web", "user": USER_IN_LOG, "kid": kid,
    });
    assert_eq!(lines[0], expected);
    assert!(lines[0]["timestamp"].as_str().unwrap().ends_with('Z'));
    // Each member once: readers disagree on which of two counts.
    assert_eq!(log.text().matches("\":").count(), expected.as_object().unwrap().len());
}

#[tokio::test]
async fn s_602_a_refusal_has_its_reason_in_the_log_alone() {
    let test = TestApp::start().await;
    for (username, reason, user) in [
        (USERNAME, "wrong password", Some(USER_IN_LOG)),
        // Users type their passwords into the field of the username.
        ("nobody@itccompliance.co.uk", "unknown user", None),
        ("a password", "unknown user", None),
        ("off@itccompliance.co.uk", "disabled user", Some("5b8c70d89dc75008")),
        ("nopassword@itccompliance.co.uk", "user without a password", Some("8f34a7f790e8130a")),
    ] {
        let log = LogLines::collect();
        test.password(username, "wrong").await.assert_refused(400, "invalid_grant");
        let lines = log.lines();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["outcome"], "refused");
        assert_eq!((&lines[0]["error"], &lines[0]["reason"]), (&json!("invalid_grant"), &json!(reason)));
        assert_eq!(lines[0]["grant"], "password");
        assert_eq!(lines[0]["user"], json!(user), "{username}");
        assert!(!log.text().contains('@'), "a user is named by hash");
    }
    let log = LogLines::collect();
    test.form(("an unknown client", "x"), &[("grant_type", "client_credentials")]).await;
    assert_eq!(log.lines()[0]["reason"], "unknown client");
    assert!(log.lines()[0].get("client_id").is_none());
}

#[tokio::test]
async fn s_602_values_are_escaped() {
    let test = TestApp::start().await;
    let id = "a\" b\\";
    let client = json!({"client_id": id, "enabled": false});
    test.cloud.put("ClientsTable", &client).unwrap();
    let log = LogLines::collect();
    test.form((id, "x"), &[("grant_type", "client_credentials")]).await.assert_refused(401, "invalid_client");
    assert_eq!(log.lines().len(), 1);
    assert_eq!(log.lines()[0]["client_id"], id);
}
