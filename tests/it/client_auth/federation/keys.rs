//! The keys of an issuer: rotation, and the bounds of fetches.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use countersign::issuer_keys::{IssuerKeys, Unavailable};
use testing::{Behavior, ClientKeyPair, FakeIssuer, TestApp, join_all, with_changes};

use super::{Federation, OWN_ISSUER, WORKLOAD, assert_status, published, put_client, request};

#[tokio::test]
async fn s_1015_a_set_is_fetched_once_and_is_fresh_for_10_minutes() {
    let federation = Federation::start().await;
    federation.assert_status(200).await;
    assert_eq!(federation.issuer.requests(), ["/.well-known/openid-configuration", "/keys"]);
    federation.test.advance_clock(599);
    federation.assert_status(200).await;
    assert_eq!(federation.issuer.fetches(), 1);
    federation.test.advance_clock(1);
    federation.assert_status(200).await;
    assert_eq!(federation.issuer.fetches(), 2);
    // The age of a set is not known after the clock was set back.
    federation.test.advance_clock(-3_600);
    federation.assert_status(200).await;
    assert_eq!(federation.issuer.fetches(), 3);
}

#[tokio::test]
async fn the_url_of_an_issuer_may_end_in_a_slash() {
    let federation = Federation::start().await;
    federation.issuer.set(Behavior::FinalSlash);
    for (issuer, status) in [(format!("{}/", federation.issuer.url), 200), (federation.issuer.url.clone(), 503)] {
        federation.trust(&json!({"issuer": issuer}));
        assert_status(&federation.send(&federation.token(&json!({"iss": issuer}))).await, status);
    }
    let document = "/.well-known/openid-configuration";
    assert_eq!(federation.issuer.requests(), [document, "/keys", document]);
}

#[tokio::test]
async fn s_1015_an_unknown_key_causes_a_fetch_at_most_every_10_seconds() {
    let federation = Federation::start().await;
    federation.assert_status(200).await;
    let next = ClientKeyPair::generate("ES256");
    let rotated = Federation { key: next, ..federation };
    let header = json!({"alg": "ES256", "kid": "2"});
    for seconds in [0, 0, 0, 9] {
        rotated.test.advance_clock(seconds);
        assert_status(&rotated.send(&rotated.token_with(&header, &json!({}))).await, 401);
    }
    assert_eq!(rotated.issuer.fetches(), 1);
    rotated.test.advance_clock(1);
    for _ in 0..5 {
        assert_status(&rotated.send(&rotated.token_with(&header, &json!({}))).await, 401);
    }
    assert_eq!(rotated.issuer.fetches(), 2);
    // The issuer rotates: the old key disappears with the fetch of the new one.
    rotated.issuer.set_keys(&[published(&rotated.key, "2")]);
    rotated.test.advance_clock(10);
    assert_status(&rotated.send(&rotated.token_with(&header, &json!({}))).await, 200);
    rotated.assert_status(401).await;
    assert_eq!(rotated.issuer.fetches(), 3);
}

#[tokio::test]
async fn s_1015_simultaneous_requests_wait_for_one_fetch() {
    let federation = Federation::start().await;
    federation.issuer.set(Behavior::Delayed(Duration::from_millis(200)));
    join_all((0..5).map(|_| federation.assert_status(200))).await;
    assert_eq!(federation.issuer.fetches(), 1);
    federation.issuer.set(Behavior::Down);
    federation.test.advance_clock(90_000);
    join_all((0..20).map(|_| federation.assert_status(503))).await;
    assert_eq!(federation.issuer.fetches(), 2);
}

#[tokio::test]
async fn s_1015_a_request_that_ends_early_loses_no_fetch_and_holds_no_lock() {
    let federation = Federation::start().await;
    federation.issuer.set(Behavior::Delayed(Duration::from_millis(300)));
    let request = federation.assert_status(200);
    assert!(timeout(Duration::from_millis(150), request).await.is_err());
    federation.assert_status(200).await;
    assert_eq!(federation.issuer.fetches(), 1);
}

#[tokio::test]
async fn s_1015_two_clients_share_the_keys_of_an_issuer_and_not_its_subjects() {
    let federation = Federation::start().await;
    let other = with_changes(federation.entry(), &json!({"subject": "other"}));
    put_client(&federation.test, &json!({"client_id": "other", "federated": [other]}));
    let (own, of_other) = (federation.token(&json!({})), federation.token(&json!({"sub": "other"})));
    for (client_id, token, status) in
        [(WORKLOAD, &own, 200), ("other", &of_other, 200), (WORKLOAD, &of_other, 401), ("other", &own, 401)]
    {
        let response = federation.test.send(request(token, &[("client_id", client_id)])).await;
        assert_status(&response, status);
    }
    assert_eq!(federation.issuer.fetches(), 1);
}

#[tokio::test]
async fn every_key_with_the_kid_of_the_token_counts() {
    let federation = Federation::start().await;
    let stranger = ClientKeyPair::generate("ES256");
    federation.issuer.set_keys(&[published(&stranger, "1"), published(&federation.key, "1")]);
    federation.assert_status(200).await;
    // A key with another kid does not.
    federation.issuer.set_keys(&[published(&stranger, "1"), published(&federation.key, "2")]);
    federation.test.advance_clock(600);
    federation.assert_status(401).await;
}

#[tokio::test]
async fn s_1009_the_key_of_the_issuer_decides_the_algorithm() {
    let federation = Federation::start().await;
    let federation = Federation { key: ClientKeyPair::generate("RS256"), ..federation };
    for (of_key, of_header, status) in [
        (json!("PS256"), "PS256", 200),
        (json!("PS256"), "RS256", 401),
        (json!("RS256"), "PS256", 401),
        (json!(null), "RS256", 200),
        (json!(null), "PS256", 200),
        (json!(null), "ES256", 401),
    ] {
        federation.issuer.set_keys(&[with_changes(published(&federation.key, "1"), &json!({"alg": of_key}))]);
        federation.test.advance_clock(600);
        let token = federation.token_with(&json!({"alg": of_header, "kid": "1"}), &json!({}));
        assert_status(&federation.send(&token).await, status);
    }
}

#[tokio::test]
async fn s_1015_at_most_100_issuers_are_remembered() {
    let test = TestApp::start().await;
    let issuer = FakeIssuer::start(&[published(&ClientKeyPair::generate("ES256"), "1")]).await;
    let keys = IssuerKeys::new(OWN_ISSUER, test.clock());
    let fetch = async |number: usize| keys.of(&format!("{}/{number}", issuer.url), "1").await.map(drop);
    for number in 0..100 {
        fetch(number).await.unwrap();
    }
    // To forget an issuer would allow another fetch within 10 seconds.
    assert_eq!(fetch(100).await, Err(Unavailable));
    assert_eq!(issuer.fetches(), 100);
    test.advance_clock(10);
    fetch(0).await.unwrap();
    fetch(100).await.unwrap();
    assert_eq!(issuer.fetches(), 101);
    // The issuer that was not used for longest has lost its place.
    fetch(0).await.unwrap();
    fetch(2).await.unwrap();
    assert_eq!(issuer.fetches(), 101);
    fetch(1).await.unwrap();
    assert_eq!(issuer.fetches(), 102);
}

#[tokio::test]
async fn keys_that_cannot_verify_a_token_are_skipped() {
    let federation = Federation::start().await;
    let key = &federation.key.jwk;
    let small = json!({"kty": "RSA", "kid": "1", "e": "AQAB", "n": "A".repeat(170)});
    let mut keys = vec![
        json!("not a key"),
        json!({}),
        json!({"kty": "oct", "kid": "1", "k": "AAAA"}),
        json!({"kty": "EC", "crv": "secp256k1", "kid": "1", "x": key["x"], "y": key["y"]}),
        small,
        with_changes(published(&federation.key, "1"), &json!({"use": "enc"})),
        with_changes(published(&federation.key, "1"), &json!({"d": "AAAA"})),
        with_changes(published(&federation.key, "1"), &json!({"alg": "ES384"})),
        key.clone(),
    ];
    federation.issuer.set_keys(&keys);
    federation.assert_status(503).await;
    keys.push(published(&federation.key, "1"));
    federation.issuer.set_keys(&keys);
    federation.test.advance_clock(10);
    federation.assert_status(200).await;
    // Only the first 100 usable keys count.
    let mut many: Vec<_> = (0..100).map(|number| published(&federation.key, &format!("x{number}"))).collect();
    many.push(published(&federation.key, "1"));
    federation.issuer.set_keys(&many);
    federation.test.advance_clock(600);
    federation.assert_status(401).await;
}

#[tokio::test]
async fn s_1016_a_removed_entry_and_a_disabled_client_stop_at_the_next_request() {
    let federation = Federation::start().await;
    federation.assert_status(200).await;
    put_client(&federation.test, &json!({}));
    federation.assert_status(401).await;
    federation.trust(&json!({}));
    federation.assert_status(200).await;
    put_client(&federation.test, &json!({"enabled": false, "federated": [federation.entry()]}));
    federation.assert_status(401).await;
    assert_eq!(federation.issuer.fetches(), 1);
}
