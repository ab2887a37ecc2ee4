//! ID tokens (OpenID Connect Core section 2).

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::consent::Period;
use countersign::token::verify::{IdTokenHint, verify_hint};
use serde_json::{Value, json};

use testing::{
    APPLICATION, CODE_CLIENT, ISSUER, NOW, PASSWORD, Response, SCOPE, TestApp, USERNAME, changed_token, form, pem,
    with_pages,
};

/// Returns the header and the claims. The tests of access tokens verify the signature of the same function.
fn decode(response: &Response) -> (Value, Value) {
    let token = response.body["id_token"].as_str().unwrap();
    let part = |index| {
        let text = token.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    };
    let header = jsonwebtoken::decode_header(token).unwrap();
    let access = jsonwebtoken::decode_header(response.body["access_token"].as_str().unwrap()).unwrap();
    assert_eq!((header.kid, header.alg), (access.kid, access.alg));
    (part(0), part(1))
}

fn at_hash(response: &Response) -> String {
    let hash = digest(&SHA256, response.access_token().as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
}

/// The hash is the one of the signature: Ed25519 uses SHA-512.
#[tokio::test]
async fn s_824_the_hash_of_the_access_token_follows_the_key() {
    let test = TestApp::start_without_keys(with_pages).await;
    test.cloud.put_secret(&pem(Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref())).unwrap();
    test.put_code_client(&json!({}));
    let exchanged = test.exchange(&test.code().await).await;
    let refreshed = test.refresh_code_login(&exchanged.refresh_token()).await;
    for response in [exchanged, refreshed] {
        let (header, claims) = decode(&response);
        assert_eq!(header["alg"], "EdDSA");
        let hash = digest(&SHA512, response.access_token().as_bytes());
        assert_eq!(claims["at_hash"], URL_SAFE_NO_PAD.encode(&hash.as_ref()[..32]));
    }
}

#[tokio::test]
async fn s_824_an_id_token_has_exactly_its_claims() {
    let test = TestApp::start_with_codes().await;
    let code = test.code().await;
    test.advance_clock(5);
    let response = test.exchange(&code).await;
    response.assert_issued(2);
    let (header, claims) = decode(&response);
    assert_eq!(header["typ"], "JWT");
    let sid = claims["sid"].as_str().unwrap();
    assert_eq!(sid.len(), 22);
    let expected = json!({
        "iss": ISSUER, "sub": "1042", "aud": CODE_CLIENT.0, "iat": NOW + 5, "exp": NOW + 3_605, "auth_time": NOW,
        "nonce": "n-1", "at_hash": at_hash(&response), "amr": ["pwd"], "sid": sid,
    });
    assert_eq!(claims, expected);

    test.advance_clock(100);
    let refreshed = test.refresh_code_login(&response.refresh_token()).await;
    refreshed.assert_issued(2);
    let mut expected = expected;
    expected.as_object_mut().unwrap().remove("nonce");
    expected["at_hash"] = json!(at_hash(&refreshed));
    (expected["iat"], expected["exp"]) = (json!(NOW + 105), json!(NOW + 3_705));
    assert_eq!(decode(&refreshed).1, expected);
}

#[tokio::test]
async fn without_openid_in_the_scope_there_is_no_id_token() {
    let test = TestApp::start_with_codes().await;
    let login = test.sign_in("openid legacy:autonomy.read", Period::Unlimited).await;
    let response = test.exchange(&test.code_of(&login, &[("scope", "legacy:autonomy.read")]).await).await;
    response.assert_issued(2);
    assert_eq!(response.body.get("id_token"), None);
    let response = test.exchange(&test.code_of(&login, &[]).await).await;
    let token = response.refresh_token();
    let params = [("grant_type", "refresh_token"), ("refresh_token", &*token), ("scope", "legacy:autonomy.read")];
    let narrowed = test.form(CODE_CLIENT, &params).await;
    narrowed.assert_issued(2);
    assert_eq!(narrowed.body.get("id_token"), None);
    // The login has the scope as before.
    let response = test.refresh_code_login(&narrowed.refresh_token()).await;
    assert_eq!(decode(&response).1["sub"], "1042");
}

#[tokio::test]
async fn without_a_nonce_in_the_request_the_id_token_has_no_nonce() {
    let test = TestApp::start_with_codes().await;
    let login = test.sign_in("openid", Period::Unlimited).await;
    let response = test.exchange(&test.code_of(&login, &[("scope", "openid"), ("nonce", "")]).await).await;
    assert_eq!(decode(&response).1.get("nonce"), None);
}

#[tokio::test]
async fn s_824_only_an_id_token_is_a_hint_even_after_its_end() {
    let test = TestApp::start_with_codes().await;
    let response = test.exchange(&test.code().await).await;
    let (_, claims) = decode(&response);
    let text = |name: &str| claims[name].as_str().unwrap().to_owned();
    let hint = IdTokenHint { subject: text("sub"), client_id: text("aud"), sid: text("sid") };
    let keys = &test.app.keyring.current().await.unwrap().public_keys;
    let id_token = response.body["id_token"].as_str().unwrap();
    assert_eq!(verify_hint(id_token, ISSUER, keys), Some(hint));

    let password = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    let version_1 = form(&password).basic(APPLICATION.0, APPLICATION.1).header("accept", "version=1").post();
    let version_1 = test.send(version_1).await;
    for other in [
        response.body["access_token"].as_str().unwrap(),
        version_1.body["access_token"].as_str().unwrap(),
        &changed_token(id_token, |_, claims| claims["sub"] = json!("1050")),
        &changed_token(id_token, |header, _| header["alg"] = json!("none")),
        &format!("{id_token}A"),
        "a.b.c",
        "",
    ] {
        assert_eq!(verify_hint(other, ISSUER, keys), None, "{other}");
    }
    assert_eq!(verify_hint(id_token, "https://auth.example/", keys), None);
    assert_eq!(verify_hint(id_token, ISSUER, &serde_json::from_value(json!({"keys": []})).unwrap()), None);
}
