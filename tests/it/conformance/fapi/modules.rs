//! The modules about metadata, assertions, and valid proofs.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use testing::ISSUER;

use super::{API, CLIENTS, Fapi, KNOWN, lists};

#[tokio::test]
async fn s_1027_discovery_end_point_verification_finds_the_grant_the_method_and_the_algorithms() {
    let fapi = Fapi::start().await;
    let request = Request::get("/.well-known/oauth-authorization-server").body(Body::empty()).unwrap();
    let response = fapi.test.send(request).await;
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")));
    let metadata = &response.body;
    assert_eq!(metadata["issuer"], ISSUER);
    assert_eq!(metadata["token_endpoint"], format!("{ISSUER}/oauth/token"));
    assert!(metadata.as_object().unwrap().keys().all(|name| KNOWN.contains(&name.as_str())), "{metadata}");
    assert!(lists(metadata, "grant_types_supported", "client_credentials"));
    assert!(lists(metadata, "token_endpoint_auth_methods_supported", "private_key_jwt"));
    for algorithm in ["PS256", "ES256", "EdDSA"] {
        assert!(lists(metadata, "token_endpoint_auth_signing_alg_values_supported", algorithm));
    }
    assert!(lists(metadata, "dpop_signing_alg_values_supported", "ES256"));
}

#[tokio::test]
async fn s_1027_happy_flow_works_for_two_clients_and_not_with_the_key_of_the_other() {
    let fapi = Fapi::start().await;
    let token = fapi.succeed(0, &json!({})).await;
    let proof = |token: &str| fapi.proof_keys[0].proof_of(&fapi.api_claims(token));
    // The token in the query only.
    let (status, _) = fapi.request(&format!("{API}?access_token={token}"), &[("dpop", &proof(&token))]).await;
    assert_eq!(status, 401);
    for accept in ["application/json;charset=UTF-8", "application/json, application/*+json, */*"] {
        let authorization = format!("DPoP {token}");
        let address = ("x-fapi-customer-ip-address", "2001:db8::1893:25c8:1946");
        let headers = [("authorization", &*authorization), ("dpop", &proof(&token)), ("accept", accept), address];
        assert_eq!(fapi.request(API, &headers).await.0, 200, "{accept}");
    }
    let other = fapi.succeed(1, &json!({})).await;
    assert_eq!(fapi.call(0, &format!("DPoP {other}"), &json!({})).await, 401);
}

#[tokio::test]
async fn s_1027_access_token_type_header_case_sensitivity_accepts_each_case() {
    let fapi = Fapi::start().await;
    let token = fapi.token(0, &json!({})).await;
    for scheme in ["dpOp", "dpop", "DPOP"] {
        assert_eq!(fapi.call(0, &format!("{scheme} {token}"), &json!({})).await, 200, "{scheme}");
    }
}

#[tokio::test]
async fn s_1027_check_dpop_proof_nbf_exp_succeeds() {
    let fapi = Fapi::start().await;
    let now = fapi.test.now();
    fapi.succeed(0, &json!({"nbf": now, "exp": now + 300})).await;
}

#[tokio::test]
async fn s_1027_ensure_dpopproof_with_iat_10seconds_before_succeeds() {
    let fapi = Fapi::start().await;
    fapi.succeed(0, &json!({"iat": fapi.test.now() - 10})).await;
}

#[tokio::test]
async fn s_1027_ensure_dpopproof_with_iat_10seconds_after_succeeds() {
    let fapi = Fapi::start().await;
    fapi.succeed(0, &json!({"iat": fapi.test.now() + 10})).await;
}

#[tokio::test]
async fn s_1027_ensure_holder_of_key_required_rejects_a_request_without_a_proof() {
    let fapi = Fapi::start().await;
    let response = fapi.send_assertion(None, &fapi.assertion(0, &json!({}))).await;
    response.assert_error(400, "invalid_dpop_proof");
}

#[tokio::test]
async fn s_1027_ensure_client_id_in_token_endpoint_does_not_match_another_key() {
    let fapi = Fapi::start().await;
    // The id and the assertion of the second client, which the key of the first one signed.
    let id = CLIENTS[1].0;
    let assertion = fapi.assertion(0, &json!({"iss": id, "sub": id}));
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let credentials = [("client_id", id), ("client_assertion", &*assertion), ("client_assertion_type", kind)];
    fapi.send(Some(&fapi.proof(1)), &credentials).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn s_1027_ensure_client_assertion_in_token_endpoint_is_required() {
    let fapi = Fapi::start().await;
    let response = fapi.send(Some(&fapi.proof(0)), &[("client_id", CLIENTS[0].0)]).await;
    response.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn s_1027_ensure_signed_client_assertion_with_rs256_fails() {
    let fapi = Fapi::start().await;
    let (id, now) = (CLIENTS[0].0, fapi.test.now());
    let claims = json!({"iss": id, "sub": id, "aud": ISSUER, "jti": "1", "nbf": now, "iat": now, "exp": now + 60});
    for (algorithm, is_accepted) in [("RS256", false), ("PS256", true)] {
        let assertion = fapi.keys[0].sign(&json!({"alg": algorithm, "kid": id}), &claims);
        let response = fapi.send_assertion(Some(&fapi.proof(0)), &assertion).await;
        if is_accepted {
            response.assert_issued(2);
        } else {
            response.assert_error(401, "invalid_client");
        }
    }
}

#[tokio::test]
async fn s_1027_ensure_client_assertion_with_exp_is_5_minutes_in_past_fails() {
    let fapi = Fapi::start().await;
    let assertion = fapi.assertion(0, &json!({"exp": fapi.test.now() - 300}));
    fapi.send_assertion(Some(&fapi.proof(0)), &assertion).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn s_1027_ensure_client_assertion_with_wrong_aud_fails() {
    let fapi = Fapi::start().await;
    let assertion = fapi.assertion(0, &json!({"aud": "https://other.example/api/userinfo"}));
    fapi.send_assertion(Some(&fapi.proof(0)), &assertion).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn s_1027_ensure_client_assertion_with_no_sub_fails() {
    let fapi = Fapi::start().await;
    let assertion = fapi.assertion(0, &json!({"sub": null}));
    fapi.send_assertion(Some(&fapi.proof(0)), &assertion).await.assert_error(401, "invalid_client");
}
