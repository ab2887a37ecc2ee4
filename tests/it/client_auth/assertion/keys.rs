//! The keys of a client, and their algorithms (S-709, S-1009, S-1011).

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;

const ALGORITHMS: [&str; 6] = ["EdDSA", "Ed25519", "ES256", "ES384", "PS256", "RS256"];

#[tokio::test]
async fn a_key_of_each_algorithm_verifies() {
    let test = TestApp::start().await;
    for algorithm in ALGORITHMS {
        let key = ClientKeyPair::generate(algorithm);
        test.change_client(SERVICE.0, &json!({"jwks": [key.entry("first")]}));
        send(&test, &key.assertion(SERVICE.0, algorithm, &json!({}))).await.assert_issued(2);
    }
}

#[tokio::test]
async fn both_names_of_eddsa_mean_the_same_algorithm() {
    let test = TestApp::start().await;
    for [of_key, of_header] in [["EdDSA", "Ed25519"], ["Ed25519", "EdDSA"]] {
        let key = ClientKeyPair::generate(of_key);
        test.change_client(SERVICE.0, &json!({"jwks": [key.entry("first")]}));
        let claims = json!({"iss": SERVICE.0, "sub": SERVICE.0, "aud": ISSUER, "exp": NOW + 60, "jti": of_key});
        send(&test, &key.sign(&json!({"alg": of_header}), &claims)).await.assert_issued(2);
    }
}

#[tokio::test]
async fn s_1009_the_record_decides_the_algorithm() {
    let rsa = ClientKeyPair::generate("PS256");
    let test = started(&rsa).await;
    let claims = |jti: &str| json!({"iss": SERVICE.0, "sub": SERVICE.0, "aud": ISSUER, "exp": NOW + 60, "jti": jti});
    for alg in ["RS256", "RS384", "PS384", "none", "None", "HS256", "ps256", "ES256", "EdDSA", ""] {
        let assertion = rsa.sign(&json!({"alg": alg}), &claims("1"));
        send(&test, &assertion).await.assert_error(401, "invalid_client");
    }
    // HMAC under the public key, in each of its usual forms.
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(rsa.public_der()));
    for secret in [rsa.public_der(), pem.into_bytes(), rsa.jwk.to_string().into_bytes()] {
        let [header, payload] = [json!({"alg": "HS256", "kid": "first"}), claims("1")];
        let encode = |part: Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(header), encode(payload));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        let assertion = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
        send(&test, &assertion).await.assert_error(401, "invalid_client");
    }
    // A key that the header brings along is not read.
    let stranger = ClientKeyPair::generate("PS256");
    let headers = [
        json!({"alg": "PS256", "jwk": stranger.jwk}),
        json!({"alg": "PS256", "kid": "first", "jku": "https://attacker.example.test/jwks"}),
        json!({"alg": "PS256", "x5u": "https://attacker.example.test/x5u", "x5c": ["MIIB"]}),
    ];
    for (jti, header) in headers.iter().enumerate() {
        let claims = claims(&jti.to_string());
        send(&test, &stranger.sign(header, &claims)).await.assert_error(401, "invalid_client");
        send(&test, &rsa.sign(header, &claims)).await.assert_issued(2);
    }
}

#[tokio::test]
async fn an_active_key_with_the_kid_of_the_header_counts() {
    let (old, new) = (ClientKeyPair::generate("ES256"), ClientKeyPair::generate("ES256"));
    let test = TestApp::start().await;
    let put = |old: Value| test.change_client(SERVICE.0, &json!({"jwks": [old, new.entry("new")]}));
    let mut expiring = old.entry("old");
    expiring["expires_at"] = json!(NOW + 1);
    put(expiring.clone());
    let claims = |jti: &str| json!({"iss": SERVICE.0, "sub": SERVICE.0, "aud": ISSUER, "exp": NOW + 60, "jti": jti});
    send(&test, &old.assertion(SERVICE.0, "1", &json!({}))).await.assert_issued(2);
    send(&test, &new.assertion(SERVICE.0, "2", &json!({}))).await.assert_issued(2);
    let header = |kid: &str| json!({"alg": "ES256", "kid": kid});
    send(&test, &new.sign(&header("new"), &claims("3"))).await.assert_issued(2);
    send(&test, &new.sign(&header("old"), &claims("4"))).await.assert_error(401, "invalid_client");
    expiring["expires_at"] = json!(NOW);
    put(expiring);
    send(&test, &old.assertion(SERVICE.0, "5", &json!({}))).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn a_client_with_a_secret_and_a_key_may_use_either_unless_its_method_is_private_key_jwt() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);
    let method = json!({"jwks": [key.entry("first")], "token_endpoint_auth_method": "private_key_jwt"});
    test.change_client(SERVICE.0, &method);
    assert_same(&[
        test.form(SERVICE, &CLIENT_CREDENTIALS).await,
        test.form((SERVICE.0, "wrong"), &CLIENT_CREDENTIALS).await,
        test.send(form(&[CLIENT_CREDENTIALS[0], ("client_id", SERVICE.0)]).post()).await,
    ]);
    send(&test, &key.assertion(SERVICE.0, "1", &json!({}))).await.assert_issued(2);
}

#[tokio::test]
async fn s_1011_none_of_our_tokens_is_an_assertion() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    for version in [1, 2] {
        let accept = format!("application/json; version={version}");
        let request = form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1).header("accept", &accept);
        let token = test.send(request.post()).await.access_token();
        send(&test, &token).await.assert_error(401, "invalid_client");
        send_with(&test, &token, &[("client_id", SERVICE.0)]).await.assert_error(401, "invalid_client");
    }
}

#[tokio::test]
async fn s_709_a_record_with_a_malformed_key_is_a_server_error() {
    let key = ClientKeyPair::generate("ES256");
    let test = TestApp::start().await;
    let with = |changes: Value| {
        let mut entry = key.entry("first");
        for (name, value) in changes.as_object().unwrap() {
            entry[name] = value.clone();
        }
        json!([entry])
    };
    let jwk = |changes: Value| {
        let mut jwk = key.jwk.clone();
        for (name, value) in changes.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        with(json!({"jwk": jwk.to_string()}))
    };
    let rsa = |first: u8, others: usize| {
        let modulus = [&[first][..], &vec![0xff; others]].concat();
        let jwk = json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"});
        with(json!({"jwk": jwk.to_string(), "alg": "RS256"}))
    };
    let five: Vec<_> = (0..5).map(|number| key.entry(&number.to_string())).collect();
    for (what, jwks) in [
        ("a private member", jwk(json!({"d": "AA"}))),
        ("a symmetric key", with(json!({"jwk": r#"{"kty":"oct","k":"AA"}"#, "alg": "ES256"}))),
        ("an alg that does not fit", with(json!({"alg": "RS256"}))),
        ("an unknown alg", with(json!({"alg": "ES512"}))),
        ("another alg in the key", jwk(json!({"alg": "ES384"}))),
        ("a key for encryption", jwk(json!({"use": "enc"}))),
        ("a key that may only sign", jwk(json!({"key_ops": ["sign"]}))),
        ("a short coordinate", jwk(json!({"x": "AA"}))),
        ("another curve", jwk(json!({"crv": "secp256k1"}))),
        ("RSA with 1024 bits", rsa(0xff, 127)),
        ("RSA with 2047 bits", rsa(0x7f, 255)),
        ("RSA with 4097 bits", rsa(0x01, 512)),
        ("RSA with 8192 bits", rsa(0xff, 1023)),
        ("text", with(json!({"jwk": "x"}))),
        ("a repeated member", with(json!({"jwk": key.jwk.to_string().replacen('{', "{\"kty\":\"EC\",", 1)}))),
        ("no kid", json!([{"alg": "ES256", "jwk": key.jwk.to_string()}])),
        ("the same kid twice", json!([key.entry("first"), key.entry("first")])),
        ("five keys", json!(five)),
        ("not a list", json!("x")),
        ("a list of lists", json!([["first", "ES256", key.jwk.to_string(), NOW, NOW + 60]])),
    ] {
        test.change_client(SERVICE.0, &json!({"jwks": jwks}));
        let response = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
        assert_eq!((response.status, &response.body["error"]), (500, &json!("server_error")), "{what}");
    }
    for jwks in [json!(five[..4]), rsa(0x80, 255), rsa(0xff, 511)] {
        test.change_client(SERVICE.0, &json!({"jwks": jwks}));
        test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);
    }
    for method in ["client_secret_post", "self_signed_tls_client_auth", "", "None"] {
        test.change_client(SERVICE.0, &json!({"token_endpoint_auth_method": method}));
        test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_error(500, "server_error");
    }
    let public = json!({"jwks": [key.entry("first")], "secrets": null, "token_endpoint_auth_method": "none"});
    test.change_client(SERVICE.0, &public);
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_error(500, "server_error");
}
