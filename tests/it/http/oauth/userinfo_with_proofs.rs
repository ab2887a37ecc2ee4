//! The userinfo endpoint with tokens that are bound to a key (RFC 9449 section 7).

use serde_json::{Value, json};

use super::round_trips::assert_round_trips;
use testing::{
    CODE_CLIENT, ClientKeyPair, LogLines, RequestBuilder, Response, TestApp, access_token_hash, exchange, form,
    raw_form, with_changes,
};

const USERINFO: &str = "/oauth/userinfo";

/// Starts a deployment. Returns an access token of a login by code, bound to the key.
async fn started(key: &ClientKeyPair) -> (TestApp, String) {
    let test = TestApp::start_with_codes().await;
    let token = log_in(&test, Some(key)).await;
    (test, token)
}

async fn log_in(test: &TestApp, key: Option<&ClientKeyPair>) -> String {
    let code = test.code().await;
    let request = form(&exchange(&[("code", &code)])).basic(CODE_CLIENT.0, CODE_CLIENT.1);
    let request = key.into_iter().fold(request, |request, key| request.header("dpop", &key.proof(test)));
    test.send(request.post()).await.access_token()
}

fn request(scheme: &str, token: &str, proof: &str) -> RequestBuilder {
    raw_form("").header("authorization", &format!("{scheme} {token}")).header("dpop", proof)
}

async fn get(test: &TestApp, scheme: &str, token: &str, proof: &str) -> Response {
    test.send(request(scheme, token, proof).to("GET", USERINFO)).await
}

/// Returns the claims of a valid proof with changed members; `null` removes a member.
fn changed(test: &TestApp, token: &str, changes: &Value) -> Value {
    let mut claims = test.proof_claims();
    claims["htm"] = "GET".into();
    claims["htu"] = "https://auth.example/oauth/userinfo".into();
    claims["ath"] = access_token_hash(token).into();
    with_changes(claims, changes)
}

#[tokio::test]
async fn s_1023_a_bound_token_is_accepted_with_a_proof_of_its_key() {
    for key in [ClientKeyPair::generate("ES256"), ClientKeyPair::generate("EdDSA")] {
        let (test, token) = started(&key).await;
        for scheme in ["DPoP", "dpop", "DPOP"] {
            let log = LogLines::collect();
            let response = get(&test, scheme, &token, &key.proof_for(&test, &token)).await;
            assert_eq!((response.status, &response.body), (200, &json!({"sub": "1042"})), "{scheme}");
            assert_eq!(response.header("dpop-nonce"), Some(&*test.nonce()));
            assert_eq!(response.header("access-control-expose-headers"), Some("DPoP-Nonce, WWW-Authenticate"));
            assert_eq!(log.lines()[0]["jkt"], key.thumbprint());
        }
        let proof = key.proof_of(&changed(&test, &token, &json!({"htm": "POST"})));
        assert_eq!(test.send(request("DPoP", &token, &proof).to("POST", USERINFO)).await.status, 200);
    }
}

#[tokio::test]
async fn s_1023_an_invalid_proof_is_401_before_any_read() {
    let key = ClientKeyPair::generate("ES256");
    let (test, token) = started(&key).await;
    for (changes, error) in [
        (json!({"htm": "POST"}), "invalid_dpop_proof"),
        (json!({"htu": "https://auth.example/oauth/token"}), "invalid_dpop_proof"),
        (json!({"iat": null}), "invalid_dpop_proof"),
        (json!({"jti": ""}), "invalid_dpop_proof"),
        (json!({"nonce": null}), "use_dpop_nonce"),
        (json!({"nonce": "x"}), "use_dpop_nonce"),
        (json!({"ath": null}), "invalid_token"),
        (json!({"ath": access_token_hash("another token")}), "invalid_token"),
        (json!({"ath": token}), "invalid_token"),
    ] {
        let proof = key.proof_of(&changed(&test, &token, &changes));
        let response = assert_round_trips(&test, get(&test, "DPoP", &token, &proof), &[]).await;
        response.assert_dpop_error(401, error);
        assert_eq!(response.header("dpop-nonce"), Some(&*test.nonce()), "{changes}");
    }
    let other = ClientKeyPair::generate("ES256");
    get(&test, "DPoP", &token, &other.proof_for(&test, &token)).await.assert_dpop_error(401, "invalid_token");
    get(&test, "DPoP", &token, "x").await.assert_dpop_error(401, "invalid_dpop_proof");
    let proof = key.proof_for(&test, &token);
    get(&test, "DPoP", &token, &format!("{proof},{proof}")).await.assert_dpop_error(401, "invalid_dpop_proof");
    let without = raw_form("").header("authorization", &format!("DPoP {token}")).to("GET", USERINFO);
    let response = test.send(without).await;
    response.assert_dpop_error(401, "invalid_dpop_proof");
    assert_eq!(response.header("dpop-nonce"), Some(&*test.nonce()));
}

#[tokio::test]
async fn s_1023_a_bound_token_is_not_a_bearer_token() {
    let key = ClientKeyPair::generate("ES256");
    let (test, token) = started(&key).await;
    let proof = key.proof_for(&test, &token);
    get(&test, "Bearer", &token, &proof).await.assert_dpop_error(401, "invalid_token");
    let without = raw_form("").header("authorization", &format!("Bearer {token}")).to("GET", USERINFO);
    let response = test.send(without).await;
    response.assert_dpop_error(401, "invalid_token");
    assert_eq!(response.header("dpop-nonce"), None);
    let in_form = form(&[("access_token", &token)]).header("dpop", &proof);
    test.send(in_form.to("POST", USERINFO)).await.assert_dpop_error(401, "invalid_token");
}

#[tokio::test]
async fn a_token_that_is_not_bound_is_not_accepted_with_a_proof() {
    let key = ClientKeyPair::generate("ES256");
    let (test, _) = started(&key).await;
    let token = log_in(&test, None).await;
    get(&test, "DPoP", &token, &key.proof_for(&test, &token)).await.assert_dpop_error(401, "invalid_token");
    get(&test, "DPoP", "x", &key.proof_for(&test, "x")).await.assert_dpop_error(401, "invalid_token");
    // A bearer token needs no proof, so the header does not matter.
    let response = get(&test, "Bearer", &token, "x").await;
    assert_eq!((response.status, response.header("dpop-nonce")), (200, Some(&*test.nonce())));
}

#[tokio::test]
async fn other_errors_about_a_bound_token_have_the_challenge_of_dpop() {
    let key = ClientKeyPair::generate("ES256");
    let (test, token) = started(&key).await;
    test.put_code_client(&json!({"scopes": ["legacy:*"]}));
    get(&test, "DPoP", &token, &key.proof_for(&test, &token)).await.assert_dpop_error(403, "insufficient_scope");
    test.put_code_client(&json!({}));
    test.interceptor.fail("GetItem UsersTable", 400, "ThrottlingException");
    let response = get(&test, "DPoP", &token, &key.proof_for(&test, &token)).await;
    response.assert_error(503, "temporarily_unavailable");
    assert_eq!((response.header("www-authenticate"), response.header("dpop-nonce")), (None, Some(&*test.nonce())));
    test.interceptor.stop_failing();
    test.advance_clock(3_600);
    get(&test, "DPoP", &token, &key.proof_for(&test, &token)).await.assert_dpop_error(401, "invalid_token");
}

#[tokio::test]
async fn two_tokens_in_one_request_are_rejected() {
    let key = ClientKeyPair::generate("ES256");
    let (test, token) = started(&key).await;
    let proof = key.proof_for(&test, &token);
    for request in [
        request("DPoP", &token, &proof).header("authorization", &format!("Bearer {token}")).to("GET", USERINFO),
        request("DPoP", &format!("{token}, DPoP {token}"), &proof).to("GET", USERINFO),
        form(&[("access_token", &token)])
            .header("authorization", &format!("DPoP {token}"))
            .header("dpop", &proof)
            .to("POST", USERINFO),
    ] {
        test.send(request).await.assert_bearer_error(400, "invalid_request");
    }
}
