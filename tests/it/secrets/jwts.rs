//! The JWTs that callers present are in no log line, item and response (S-1028).

use super::{assert_free, everything_stored};
use serde_json::{Value, json};
use testing::{CLIENT_CREDENTIALS, ClientKeyPair, LogLines, SERVICE, TestApp, form};

/// A `jti`, a subject and a claim that are in no other text.
const CANARY: &str = "canary-7f3b1c";

/// Returns the parts of a JWT, each of which would give away its content or its signature.
fn parts(jwt: &str) -> Vec<&str> {
    jwt.split('.').skip(1).filter(|part| part.len() > 16).collect()
}

#[tokio::test]
async fn s_1028_no_assertion_proof_and_platform_token_is_in_a_log_an_item_or_a_response() {
    let (key, platform) = (ClientKeyPair::generate("ES256"), ClientKeyPair::generate("ES256"));
    let test = TestApp::start().await;
    let mut jwk = platform.jwk.clone();
    jwk["kid"] = json!("platform");
    let trust = json!({
        "issuer": "https://ci.example.test", "subject": "job", "jwks": json!({"keys": [jwk]}).to_string(),
    });
    test.change_client(SERVICE.0, &json!({"jwks": [key.entry("first")], "federated": [trust]}));
    let token = |subject: &str| {
        let claims = json!({
            "iss": "https://ci.example.test", "sub": subject, "aud": testing::ISSUER, "iat": test.now(),
            "exp": test.now() + 60, "secret_claim": CANARY,
        });
        platform.sign(&json!({"alg": "ES256", "kid": "platform"}), &claims)
    };
    let assertion = |jti: &str, changes: &Value| key.assertion(SERVICE.0, jti, changes);
    let good = assertion(CANARY, &json!({}));
    let mut proof_claims = test.proof_claims();
    proof_claims["jti"] = CANARY.into();
    let proof = key.proof_of(&proof_claims);
    let stale = key.proof_of(&json!({"jti": CANARY, "htm": "POST", "htu": "https://other.example.test", "iat": 1}));

    let log = LogLines::collect();
    let (mut presented, mut statuses) = (Vec::new(), Vec::new());
    for (jwt, proof) in [
        (good.clone(), None),
        // A replay.
        (good, None),
        (assertion(CANARY, &json!({"exp": 1})), None),
        (assertion("2", &json!({"aud": CANARY})), None),
        (assertion("3", &json!({})), Some(proof)),
        (assertion("4", &json!({})), Some(stale)),
        (token("job"), None),
        (token(CANARY), None),
    ] {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let own = [("client_id", SERVICE.0), ("client_assertion_type", kind), ("client_assertion", jwt.as_str())];
        let mut request = form(&[&CLIENT_CREDENTIALS[..], &own].concat());
        if let Some(proof) = &proof {
            request = request.header("dpop", proof);
        }
        let response = test.send(request.post()).await;
        statuses.push(response.status);
        presented.extend([Some(jwt), proof].into_iter().flatten());
        let headers = format!("{:?}", response.headers);
        let text = format!("{headers}{}", String::from_utf8_lossy(&response.bytes));
        for jwt in &presented {
            assert_free("a response", &text, &parts(jwt));
        }
        assert_free("a response", &text, &[CANARY]);
    }
    assert_eq!(statuses, [200, 401, 401, 401, 200, 400, 200, 401]);
    for jwt in &presented {
        assert_free("the log", &log.text(), &parts(jwt));
        assert_free("an item", &everything_stored(&test), &parts(jwt));
    }
    assert_free("the log", &log.text(), &[CANARY]);
    assert_free("an item", &everything_stored(&test), &[CANARY]);
}
