//! Client assertions: `private_key_jwt` (S-1005 to S-1011).

use countersign::scope::ScopeTexts;
use serde_json::{Value, json};

use super::assert_same;
use testing::{
    APPLICATION, CLIENT_CREDENTIALS, ClientKeyPair, ISSUER, LogLines, NOW, Response, SERVICE, TestApp, form, join_all,
};

mod form;
mod keys;
mod order;
mod replay;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Starts a deployment whose service has this key, besides its secret.
async fn started(key: &ClientKeyPair) -> TestApp {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"jwks": [key.entry("first")]}));
    test
}

/// Sends a token request of a service with an assertion.
async fn send(test: &TestApp, assertion: &str) -> Response {
    send_with(test, assertion, &[]).await
}

async fn send_with(test: &TestApp, assertion: &str, params: &[(&str, &str)]) -> Response {
    let own = [("client_assertion_type", TYPE), ("client_assertion", assertion)];
    test.send(form(&[&CLIENT_CREDENTIALS[..], &own, params].concat()).post()).await
}

/// Returns the last line of a log.
fn last(log: &LogLines) -> Value {
    log.lines().pop().unwrap()
}

/// Returns the number of assertions that are stored as used.
fn used(test: &TestApp) -> usize {
    let items = test.items("GrantsTable");
    items.iter().filter(|item| item["id"]["S"].as_str().unwrap().starts_with("assertion#")).count()
}

#[tokio::test]
async fn an_assertion_proves_the_client_with_and_without_its_id() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    let log = LogLines::collect();
    let claims = send(&test, &key.assertion(SERVICE.0, "1", &json!({}))).await.assert_issued(2);
    assert_eq!(claims.0["sub"], SERVICE.0);
    assert_eq!(last(&log)["secret_id"], "first");
    let id = [("client_id", SERVICE.0), ("client_secret", "")];
    send_with(&test, &key.assertion(SERVICE.0, "2", &json!({})), &id).await.assert_issued(2);
    let spiffe = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";
    let third = key.assertion(SERVICE.0, "3", &json!({}));
    let own = [("client_assertion_type", spiffe), ("client_assertion", third.as_str())];
    test.send(form(&[&CLIENT_CREDENTIALS[..], &own].concat()).post()).await.assert_issued(2);
    assert_eq!(used(&test), 3);
}

#[tokio::test]
async fn s_1005_two_methods_are_never_accepted() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    let (id, secret) = SERVICE;
    let (good, bad) = (key.assertion(id, "1", &json!({})), "x");
    for assertion in [&good, bad] {
        for secret in [secret, "wrong"] {
            let beside = [("client_id", id), ("client_secret", secret)];
            send_with(&test, assertion, &beside).await.assert_error(400, "invalid_request");
            let own = [("client_assertion_type", TYPE), ("client_assertion", assertion)];
            let params = [&CLIENT_CREDENTIALS[..], &own].concat();
            test.send(form(&params).basic(id, secret).post()).await.assert_error(400, "invalid_request");
        }
    }
    for incomplete in [
        &[("client_assertion", good.as_str())][..],
        &[("client_assertion_type", TYPE)],
        &[("client_assertion_type", TYPE), ("client_assertion", "")],
        &[
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
            ("client_assertion", &good),
        ],
        &[("client_assertion_type", &TYPE.to_uppercase()), ("client_assertion", &good)],
        &[("client_assertion_type", TYPE), ("client_assertion", &"x".repeat(8193))],
    ] {
        let params = [&CLIENT_CREDENTIALS[..], &[("client_id", id), ("client_secret", secret)], incomplete].concat();
        test.send(form(&params).post()).await.assert_error(400, "invalid_request");
    }
    // None of these requests used the assertion up.
    send(&test, &good).await.assert_issued(2);
}

#[tokio::test]
async fn s_1006_every_failed_assertion_gets_the_response_of_a_wrong_secret_and_writes_nothing() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    test.change_client(APPLICATION.0, &json!({"jwks": [key.entry("first")], "enabled": false}));
    test.cloud.put("ClientsTable", &json!({"client_id": ScopeTexts::KEY})).unwrap();
    let good = key.assertion(SERVICE.0, "1", &json!({}));
    let of = |changes: Value| key.assertion(SERVICE.0, "1", &changes);
    let headed = |header: Value| {
        let claims = json!({"iss": SERVICE.0, "sub": SERVICE.0, "aud": ISSUER, "exp": NOW + 60, "jti": "1"});
        key.sign(&header, &claims)
    };
    let parts: Vec<_> = good.split('.').collect();
    let assertions = [
        ("text", "x".to_owned()),
        ("two parts", parts[..2].join(".")),
        ("an empty signature", format!("{}.{}.", parts[0], parts[1])),
        ("four parts", format!("{good}.x")),
        ("padding", format!("{}=.{}.{}", parts[0], parts[1], parts[2])),
        ("an unknown client", key.assertion("unknown", "1", &json!({}))),
        ("the key of another record", key.assertion(ScopeTexts::KEY, "1", &json!({}))),
        ("a long client id", key.assertion(&"x".repeat(257), "1", &json!({}))),
        ("a disabled client", key.assertion(APPLICATION.0, "1", &json!({}))),
        ("no iss", of(json!({"iss": null}))),
        ("another iss", of(json!({"iss": APPLICATION.0}))),
        ("iss is a list", of(json!({"iss": [SERVICE.0]}))),
        ("no sub", of(json!({"sub": null}))),
        ("no aud", of(json!({"aud": null}))),
        ("no exp", of(json!({"exp": null}))),
        ("exp is text", of(json!({"exp": (NOW + 60).to_string()}))),
        ("exp is negative", of(json!({"exp": -1}))),
        ("exp is beyond 2^53", of(json!({"exp": 9.1e15}))),
        ("expired", of(json!({"exp": NOW - 60}))),
        ("exp is too far ahead", of(json!({"exp": NOW + 361}))),
        ("iat is in the future", of(json!({"iat": NOW + 61}))),
        ("iat is null", of(json!({"iat": [1]}))),
        ("nbf is in the future", of(json!({"nbf": NOW + 61}))),
        ("no jti", of(json!({"jti": null}))),
        ("an empty jti", of(json!({"jti": ""}))),
        ("a long jti", of(json!({"jti": "x".repeat(257)}))),
        ("a jti with more bytes than characters", of(json!({"jti": "\u{e9}".repeat(129)}))),
        ("a jti that is a number", of(json!({"jti": 1}))),
        ("the type of an access token", headed(json!({"alg": "ES256", "typ": "at+jwt"}))),
        ("the type of a proof", headed(json!({"alg": "ES256", "typ": "dpop+jwt"}))),
        ("a type that is a number", headed(json!({"alg": "ES256", "typ": 1}))),
        ("crit", headed(json!({"alg": "ES256", "crit": ["exp"]}))),
        ("another kid", headed(json!({"alg": "ES256", "kid": "other"}))),
        ("a kid that is a number", headed(json!({"alg": "ES256", "kid": 1}))),
        ("no alg", headed(json!({"typ": "JWT"}))),
    ];
    let wrong_secret = test.form((SERVICE.0, "wrong"), &CLIENT_CREDENTIALS).await;
    for (what, assertion) in assertions {
        let log = LogLines::collect();
        let response = send(&test, &assertion).await;
        assert_eq!(response.status, 401, "{what}");
        assert_same(&[response, wrong_secret_again(&test).await]);
        let is_right = |line: &Value| line["outcome"] == "rejected" && line["secret_id"].is_null();
        assert!(log.lines().iter().all(is_right), "{what}");
    }
    assert_same(&[wrong_secret, send_with(&test, &good, &[("client_id", APPLICATION.0)]).await]);
    // S-1008
    assert_eq!(used(&test), 0);
}

async fn wrong_secret_again(test: &TestApp) -> Response {
    test.form((SERVICE.0, "wrong"), &CLIENT_CREDENTIALS).await
}

#[tokio::test]
async fn the_times_of_an_assertion_have_a_skew_of_60_seconds_and_their_fraction_is_dropped() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    for (jti, changes) in [
        json!({"exp": NOW - 59}),
        json!({"exp": NOW + 360}),
        json!({"iat": NOW + 60, "nbf": NOW + 60}),
        json!({"iat": null}),
        json!({"iat": 1, "nbf": 0, "jti": "x".repeat(256)}),
        json!({"exp": 1_900_000_360.9, "iat": 1_900_000_060.9}),
    ]
    .into_iter()
    .enumerate()
    {
        send(&test, &key.assertion(SERVICE.0, &jti.to_string(), &changes)).await.assert_issued(2);
    }
}

#[tokio::test]
async fn s_1010_the_audience_is_our_issuer_only_unless_the_record_has_legacy_audience() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    let at = |path: &str| format!("{ISSUER}{path}");
    let strict = [json!(ISSUER), json!([ISSUER])];
    let legacy = [json!(at("/oauth/token")), json!([at("/oauth/token")]), json!([ISSUER, at("/oauth/token")])];
    let never = [
        json!(at("/")),
        json!(at("/oauth/revoke")),
        json!(at("/oauth/token/")),
        json!([]),
        json!([ISSUER, "https://other.example.test"]),
        json!({"aud": ISSUER}),
        json!(ISSUER.to_uppercase()),
    ];
    let mut jti = 0;
    let mut status = async |audience: &Value| {
        jti += 1;
        let log = LogLines::collect();
        let response = send(&test, &key.assertion(SERVICE.0, &jti.to_string(), &json!({"aud": audience}))).await;
        (response.status, last(&log).get("legacy_audience").cloned())
    };
    for audience in &strict {
        assert_eq!(status(audience).await, (200, None), "{audience}");
    }
    for audience in legacy.iter().chain(&never).chain([&json!([ISSUER, ISSUER])]) {
        assert_eq!(status(audience).await, (401, None), "{audience}");
    }
    test.change_client(SERVICE.0, &json!({"jwks": [key.entry("first")], "legacy_audience": true}));
    for audience in &strict {
        assert_eq!(status(audience).await, (200, None), "{audience}");
    }
    for audience in &legacy {
        assert_eq!(status(audience).await, (200, Some(json!(true))), "{audience}");
    }
    for audience in &never {
        assert_eq!(status(audience).await, (401, None), "{audience}");
    }
}

#[tokio::test]
async fn s_1010_a_legacy_audience_may_be_the_called_endpoint() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    test.change_client(SERVICE.0, &json!({"jwks": [key.entry("first")], "legacy_audience": true}));
    for (path, other) in [("/oauth/revoke", "/oauth/introspect"), ("/oauth/introspect", "/oauth/revoke")] {
        for (audience, status) in [(path, 200), ("/oauth/token", 200), (other, 401)] {
            let jti = format!("{path} {audience}");
            let aud = json!({"aud": format!("{ISSUER}{audience}")});
            let assertion = key.assertion(SERVICE.0, &jti, &aud);
            let own = [("client_assertion_type", TYPE), ("client_assertion", assertion.as_str()), ("token", "x")];
            let response = test.send(form(&own).to("POST", path)).await;
            assert_eq!(response.status, status, "{path} {audience}");
        }
    }
}
