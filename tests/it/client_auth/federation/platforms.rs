//! Tokens in the forms of the platforms.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use testing::{ClientKeyPair, NOW, with_changes};

use super::{Federation, OWN_ISSUER, WORKLOAD, assert_status, published, put_client, send};

/// Returns the claims of a platform's token besides the issuer.
fn claims(issuer: &str, subject: &str, more: &Value) -> Value {
    with_changes(json!({"iss": issuer, "sub": subject, "aud": OWN_ISSUER, "iat": NOW, "exp": NOW + 300}), more)
}

#[tokio::test]
async fn tokens_of_sts_kubernetes_and_github_authenticate_a_client() {
    let federation = Federation::start().await;
    let (sts, rsa) = (ClientKeyPair::generate("ES384"), ClientKeyPair::generate("RS256"));
    // The keys of these issuers also have certificates, and no alg.
    let other = with_changes(published(&rsa, "cluster-1"), &json!({"alg": null, "x5t": "x", "x5c": ["x"]}));
    federation.issuer.set_keys(&[published(&sts, "EC384_0"), other]);
    let url = |name: &str| format!("{}/{name}", federation.issuer.url);
    let role = "arn:aws:iam::123456789012:role/Report";
    let service_account = "system:serviceaccount:jobs:report";
    let repository = "repo:octo@1/app@2:ref:refs/heads/main";
    put_client(
        &federation.test,
        &json!({"federated": [
            {"id": "1", "issuer": url("sts"), "subject": role,
             "claims": {"https://sts.amazonaws.com/": {"org_id": "o-abc1234567"}}},
            {"id": "2", "issuer": url("cluster"), "subject": service_account},
            {"id": "3", "issuer": url("github"), "subject": repository, "claims": {"repository_id": "2"}},
        ]}),
    );
    let account = json!({"https://sts.amazonaws.com/": {"aws_account": "123456789012", "org_id": "o-abc1234567"}});
    let pod = json!({"aud": [OWN_ISSUER], "nbf": NOW, "kubernetes.io": {"namespace": "jobs", "pod": {"name": "x"}}});
    let workflow = json!({"repository_id": "2", "ref": "refs/heads/main", "jti": "x", "nbf": NOW - 600});
    for (key, header, claims) in [
        (&sts, json!({"alg": "ES384", "kid": "EC384_0", "typ": "JWT"}), claims(&url("sts"), role, &account)),
        (&rsa, json!({"alg": "RS256", "kid": "cluster-1"}), claims(&url("cluster"), service_account, &pod)),
        (
            &rsa,
            json!({"alg": "RS256", "kid": "cluster-1", "typ": "JWT", "x5t": "x"}),
            claims(&url("github"), repository, &workflow),
        ),
    ] {
        let token = key.sign(&header, &claims);
        let issued = send(&federation.test, &token).await.access_token();
        let claims_of_issued = URL_SAFE_NO_PAD.decode(issued.split('.').nth(1).unwrap()).unwrap();
        let payload: Value = serde_json::from_slice(&claims_of_issued).unwrap();
        assert_eq!((&payload["sub"], &payload["client_id"]), (&json!(WORKLOAD), &json!(WORKLOAD)));
        // A signature by another key of the same issuer.
        let other = if key.algorithm == "ES384" { &rsa } else { &sts };
        let forged = other.sign(&with_changes(header, &json!({"alg": other.algorithm})), &claims);
        assert_status(&send(&federation.test, &forged).await, 401);
    }
}

#[tokio::test]
async fn a_spiffe_token_is_verified_with_a_bundle_and_nothing_is_fetched() {
    let federation = Federation::start().await;
    let key = &federation.key;
    let bundle = json!({"spiffe_sequence": 1, "keys": [
        with_changes(key.jwk.clone(), &json!({"use": "x509-svid", "x5c": ["x"]})),
        with_changes(key.jwk.clone(), &json!({"use": "jwt-svid", "kid": "1"})),
    ]});
    let subject = "spiffe://example.org/report";
    federation.trust(&json!({"subject": subject, "jwks": bundle.to_string()}));
    for typ in ["JOSE", "JWT", "jose"] {
        let header = json!({"alg": "ES256", "kid": "1", "typ": typ});
        assert_status(&federation.send(&federation.token_with(&header, &json!({"sub": subject}))).await, 200);
    }
    let header = json!({"alg": "ES256", "kid": "2"});
    assert_status(&federation.send(&federation.token_with(&header, &json!({"sub": subject}))).await, 401);
    assert_eq!(federation.issuer.requests(), [""; 0]);
    // JOSE is not a type of a client's own assertions.
    put_client(&federation.test, &json!({"jwks": [key.entry("1")]}));
    let own = json!({"iss": WORKLOAD, "sub": WORKLOAD, "jti": "1", "exp": NOW + 60});
    for (typ, status) in [("JOSE", 401), ("JWT", 200)] {
        let header = json!({"alg": "ES256", "kid": "1", "typ": typ});
        assert_status(&federation.send(&federation.token_with(&header, &own)).await, status);
    }
}
