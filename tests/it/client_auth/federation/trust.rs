//! The checks of a token, and that only one which passes them causes a fetch.

use countersign::client_auth::assertion;
use serde_json::{Value, json};

use testing::{LogLines, NOW, Response, form, with_changes};

use super::{Federation, OWN_ISSUER, SUBJECT, WORKLOAD, assert_status, put_client, request};
use crate::client_auth::assert_same;

/// Sends tokens that differ from a good one in these claims, and asserts that each gets the same 401 with the reason, and
/// that nothing is fetched.
async fn assert_rejected(federation: &Federation, changes: &[(Value, &str)]) -> Vec<Response> {
    let log = LogLines::collect();
    let mut responses = Vec::new();
    for (change, reason) in changes {
        let token = federation.token(change);
        responses.push(federation.send(&token).await);
        let line = log.lines().pop().unwrap();
        assert_eq!(line["reason"], *reason, "{change}");
        assert_eq!(line["secret_id"], Value::Null);
        assert!(!log.text().contains(&token));
    }
    assert_eq!(federation.issuer.requests(), [""; 0], "{changes:?}");
    assert_same(&responses);
    responses
}

#[tokio::test]
async fn s_1012_trust_entries_are_compared_exactly() {
    let federation = Federation::start().await;
    federation.trust(&json!({"claims": {"kubernetes.io": {"namespace": "jobs", "pod": {"uid": 7, "host": true}}}}));
    let url = &federation.issuer.url;
    let (issuer, subject) = ("a token of an issuer that is not trusted", "a token with another subject");
    let (audience, claims) = ("a token for another audience", "a token without the required claims");
    let nested = |value: Value| json!({"kubernetes.io": {"namespace": "jobs", "pod": value}});
    assert_rejected(
        &federation,
        &[
            (json!({"iss": format!("{url}/")}), issuer),
            (json!({"iss": url.to_uppercase()}), issuer),
            (json!({"iss": [url]}), issuer),
            (json!({"iss": null}), issuer),
            (json!({"iss": OWN_ISSUER}), "a token of our own issuer"),
            (json!({"sub": format!("{SUBJECT}s")}), subject),
            (json!({"sub": SUBJECT.strip_suffix('t').unwrap()}), subject),
            (json!({"sub": SUBJECT.to_uppercase()}), subject),
            (json!({"sub": "*"}), subject),
            (json!({"sub": null}), subject),
            (json!({"aud": format!("{OWN_ISSUER}/")}), audience),
            (json!({"aud": [OWN_ISSUER, "https://other.example"]}), audience),
            (json!({"aud": []}), audience),
            (json!({"aud": WORKLOAD}), audience),
            (json!({"aud": null}), audience),
            (json!({}), claims),
            (json!({"kubernetes.io": "jobs"}), claims),
            (json!({"namespace": "jobs", "pod": {"uid": 7, "host": true}}), claims),
            (nested(json!({"uid": "7", "host": true})), claims),
            (nested(json!({"uid": 7.5, "host": true})), claims),
            (nested(json!({"uid": 8, "host": true})), claims),
            (nested(json!({"uid": 7, "host": "true"})), claims),
            (nested(json!([{"uid": 7, "host": true}])), claims),
            (json!({"kubernetes.io": {"namespace": ["jobs"], "pod": {"uid": 7, "host": true}}}), claims),
        ],
    )
    .await;
    let mut good = nested(json!({"uid": 7, "host": true, "name": "report-1"}));
    assert_status(&federation.send(&federation.token(&good)).await, 200);
    good["aud"] = json!([OWN_ISSUER]);
    assert_status(&federation.send(&federation.token(&good)).await, 200);
}

#[tokio::test]
async fn s_1012_the_first_entry_with_equal_issuer_subject_audience_and_claims_counts() {
    let federation = Federation::start().await;
    let entry = |id: &str, changes: Value| with_changes(federation.entry(), &with_changes(changes, &json!({"id": id})));
    let federated = json!([
        entry("aaaa0001", json!({"audience": "https://other.example"})),
        entry("aaaa0002", json!({"claims": {"ref": "main"}, "max_age": 60})),
        entry("aaaa0003", json!({})),
    ]);
    put_client(&federation.test, &json!({"federated": federated}));
    let log = LogLines::collect();
    for (changes, status, entry) in [
        (json!({}), 200, Some("aaaa0003")),
        (json!({"ref": "main"}), 200, Some("aaaa0002")),
        // The entry that counts has a smaller max_age than the one after it.
        (json!({"ref": "main", "iat": NOW - 121}), 401, None),
        (json!({"ref": "other", "iat": NOW - 121}), 200, Some("aaaa0003")),
        (json!({"aud": "https://other.example"}), 200, Some("aaaa0001")),
    ] {
        assert_status(&federation.send(&federation.token(&changes)).await, status);
        assert_eq!(log.lines().pop().unwrap()["secret_id"].as_str(), entry, "{changes}");
    }
}

#[tokio::test]
async fn s_1013_times_and_the_client_are_checked_before_a_fetch() {
    let federation = Federation::start().await;
    let ahead = "an iat or nbf in the future";
    let malformed = "a time that is not a number from 0 to 2^53";
    assert_rejected(
        &federation,
        &[
            (json!({"exp": NOW - 60}), "an expired token"),
            (json!({"exp": null}), "a token without exp"),
            (json!({"exp": "never"}), malformed),
            (json!({"exp": 9_007_199_254_740_993_u64}), malformed),
            (json!({"iat": NOW - 3_661}), "a token that is older than max_age"),
            (json!({"iat": null}), "a token without iat"),
            (json!({"iat": -1}), malformed),
            (json!({"iat": NOW + 61}), ahead),
            (json!({"nbf": NOW + 61}), ahead),
            (json!({"nbf": true}), malformed),
        ],
    )
    .await;
    put_client(&federation.test, &json!({"enabled": false, "federated": [federation.entry()]}));
    assert_rejected(&federation, &[(json!({}), "disabled client")]).await;
    let by_certificate = json!({
        "federated": [federation.entry()], "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "workload.example",
    });
    put_client(&federation.test, &by_certificate);
    assert_rejected(&federation, &[(json!({}), "a client that authenticates by another method")]).await;
    put_client(&federation.test, &json!({"federated": []}));
    assert_rejected(&federation, &[(json!({}), "a token of an issuer that is not trusted")]).await;

    federation.trust(&json!({"max_age": 60}));
    assert_rejected(&federation, &[(json!({"iat": NOW - 121}), "a token that is older than max_age")]).await;
    for bound in
        [json!({"exp": NOW - 59}), json!({"iat": NOW - 120}), json!({"iat": NOW + 60}), json!({"nbf": NOW + 60})]
    {
        assert_status(&federation.send(&federation.token(&bound)).await, 200);
    }
    let no_nbf = federation.token(&json!({"nbf": null}));
    assert_status(&federation.send(&no_nbf).await, 200);
    // A platform hands out a token repeatedly.
    assert_status(&federation.send(&no_nbf).await, 200);
    assert_eq!(federation.issuer.fetches(), 1);
}

#[tokio::test]
async fn s_1013_a_header_without_kid_or_of_another_type_causes_no_fetch() {
    let federation = Federation::start().await;
    let log = LogLines::collect();
    let mut responses = Vec::new();
    for (header, reason) in [
        (json!({"alg": "ES256"}), "a token without kid"),
        (json!({"alg": "ES256", "kid": 1}), "a token without kid"),
        (json!({"alg": "ES256", "kid": "1", "typ": "at+jwt"}), "a JWT of another type"),
        (json!({"alg": "ES256", "kid": "1", "typ": "dpop+jwt"}), "a JWT of another type"),
        (json!({"alg": "HS256", "kid": "1"}), "an alg that is not supported"),
        (json!({"alg": "none", "kid": "1"}), "an alg that is not supported"),
        (json!({"alg": "ES256", "kid": "1", "crit": ["exp"]}), "a header with crit"),
    ] {
        responses.push(federation.send(&federation.token_with(&header, &json!({}))).await);
        assert_eq!(log.lines().pop().unwrap()["reason"], reason);
    }
    let token = federation.token(&json!({}));
    responses.push(federation.test.send(request(&token, &[])).await);
    responses.push(federation.test.send(request(&token, &[("client_id", "")])).await);
    responses.push(federation.test.send(request(&token, &[("client_id", "unknown")])).await);
    // The subject is a client, but the request does not name it.
    let token = federation.token(&json!({"sub": WORKLOAD}));
    responses.push(federation.test.send(request(&token, &[])).await);
    assert_eq!(log.lines().pop().unwrap()["reason"], "a token of an issuer without client_id");
    assert_same(&responses);
    assert_eq!(federation.issuer.requests(), [""; 0]);
}

#[tokio::test]
async fn a_token_of_an_issuer_works_at_each_endpoint_with_one_read_and_no_write() {
    let federation = Federation::start().await;
    let token = federation.token(&json!({}));
    assert_status(&federation.send(&token).await, 200);
    federation.test.interceptor.clear_calls();
    assert_status(&federation.send(&token).await, 200);
    assert_eq!(federation.test.interceptor.calls(), ["GetItem ClientsTable"]);
    let params = [
        ("token", "x"),
        ("client_id", WORKLOAD),
        ("client_assertion_type", assertion::TYPES[1]),
        ("client_assertion", &token),
    ];
    let introspected = federation.test.send(form(&params).to("POST", "/oauth/introspect")).await;
    assert_eq!((introspected.status, &introspected.body), (200, &json!({"active": false})));
    assert_eq!(federation.test.send(form(&params).to("POST", "/oauth/revoke")).await.status, 200);
    assert_eq!(federation.test.interceptor.calls(), ["GetItem ClientsTable"; 3]);
}
