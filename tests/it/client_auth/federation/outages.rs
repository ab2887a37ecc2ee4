//! Issuers that fail.

use std::time::Duration;

use serde_json::{Value, json};

use testing::{Behavior, LogLines};

use super::{Federation, assert_status};

/// Every way in which a fetch fails, with a part of its logged reason.
fn failures() -> Vec<(Behavior, &'static str)> {
    let elsewhere = |uri: &str| Behavior::KeysAt(uri.to_owned());
    let no_host = "key set: the URL is not an https URL with a host name";
    vec![
        (Behavior::Down, "connection"),
        (Behavior::Redirect, "discovery document: status 302"),
        (Behavior::OtherIssuer, "discovery document: it names another issuer"),
        (Behavior::Delayed(Duration::from_millis(1_200)), "discovery document: no response in 1 second"),
        (Behavior::Dripping, "discovery document: no response in 1 second"),
        (Behavior::Huge, "larger than 64 KiB"),
        (Behavior::HugeHeader, "discovery document: message head is too large"),
        (Behavior::Status(201), "discovery document: status 201"),
        (Behavior::Status(404), "discovery document: status 404"),
        (Behavior::Status(500), "discovery document: status 500"),
        (Behavior::Text(""), "discovery document: it is not a JSON object"),
        (Behavior::Text("<html>"), "discovery document: it is not a JSON object"),
        (Behavior::Text("[]"), "discovery document: it is not a JSON object"),
        (Behavior::Text(r#"{"issuer":"a","issuer":"a"}"#), "discovery document: it is not a JSON object"),
        (Behavior::Text("{}"), "discovery document: it names another issuer"),
        (elsewhere(""), "key set: the URL is not valid"),
        (elsewhere("/keys"), "key set: the URL is not valid"),
        (elsewhere("https://127.0.0.1/keys"), no_host),
        (elsewhere("https://2130706433/keys"), no_host),
        (elsewhere("https://[::1]/keys"), no_host),
        (elsewhere("http://issuer.example/keys"), no_host),
        (elsewhere("http://169.254.169.254/keys"), no_host),
        (elsewhere("http://127.0.0.1.nip.io/keys"), no_host),
        (elsewhere("https://user@issuer.example/keys"), no_host),
        (elsewhere("file:///etc/passwd"), no_host),
    ]
}

fn last_failure(log: &LogLines) -> Value {
    log.lines().into_iter().rfind(|line| line["event"] == "issuer_keys").unwrap()
}

#[tokio::test]
async fn s_1014_and_s_1017_a_failed_fetch_is_503_and_never_401() {
    let federation = Federation::start().await;
    let log = LogLines::collect();
    for (behavior, reason) in failures() {
        federation.issuer.set(behavior.clone());
        federation.test.advance_clock(10);
        let fetches = federation.issuer.fetches();
        for _ in 0..3 {
            federation.assert_status(503).await;
        }
        // S-1015
        assert_eq!(federation.issuer.fetches(), fetches + 1, "{behavior:?}");
        let line = last_failure(&log);
        assert!(line["reason"].as_str().unwrap().contains(reason), "{line}");
        assert_eq!(
            (line["outcome"].as_str(), line["issuer"].as_str()),
            (Some("failed"), Some(&*federation.issuer.url))
        );
    }
    assert!(!federation.issuer.requests().iter().any(|path| path.starts_with("/copy")));
    federation.issuer.set(Behavior::Up);
    federation.assert_status(503).await;
    federation.test.advance_clock(10);
    federation.assert_status(200).await;
}

#[tokio::test]
async fn s_1014_the_last_good_keys_are_used_for_a_day() {
    let federation = Federation::start().await;
    federation.assert_status(200).await;
    federation.issuer.set(Behavior::Down);
    for seconds in [600, 10, 3_600, 86_399 - 600 - 10 - 3_600] {
        federation.test.advance_clock(seconds);
        federation.assert_status(200).await;
        federation.assert_status(200).await;
    }
    assert_eq!(federation.issuer.fetches(), 5);
    federation.test.advance_clock(1);
    federation.assert_status(503).await;
    assert_eq!(federation.issuer.fetches(), 5);
    federation.test.advance_clock(10);
    federation.assert_status(503).await;
    federation.issuer.set(Behavior::Up);
    federation.test.advance_clock(10);
    federation.assert_status(200).await;
}

#[tokio::test]
async fn s_1014_an_unknown_key_is_503_only_while_the_last_fetch_failed() {
    let federation = Federation::start().await;
    federation.assert_status(200).await;
    let unknown = json!({"alg": "ES256", "kid": "2"});
    let send = async |status| {
        assert_status(&federation.send(&federation.token_with(&unknown, &json!({}))).await, status);
    };
    send(401).await;
    federation.issuer.set(Behavior::Status(500));
    // The set without the key is from the last attempt.
    send(401).await;
    federation.test.advance_clock(10);
    send(503).await;
    federation.assert_status(200).await;
    // A wrong signature is known to be wrong, also during an outage.
    let token = federation.token(&json!({}));
    let forged = format!("{}A{}", &token[..token.len() - 20], &token[token.len() - 19..]);
    let altered = if forged == token { token.replace('A', "B") } else { forged };
    assert_status(&federation.send(&altered).await, 401);
    federation.issuer.set(Behavior::Up);
    federation.test.advance_clock(10);
    send(401).await;
}
