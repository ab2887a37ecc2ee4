//! The signing secret: its forms, invalid secrets, and reloads (S-503 to S-506).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::keys::KeySet;
use countersign::refresh_token::RefreshToken;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Value, json};

use testing::{
    CLIENT_CREDENTIALS, Claims, LogLines, NOW, Response, SERVICE, TestApp, key_document, key_record, p256_pem, pem,
};

/// Returns a key of each algorithm, with the raw public key that verifies its signatures.
pub fn keys() -> [(Algorithm, String, DecodingKey); 3] {
    let rsa = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
    let rsa: Pkcs8V1Der<'_> = rsa.as_der().unwrap();
    let rsa_public = RsaKeyPair::from_pkcs8(rsa.as_ref()).unwrap();
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    [
        (Algorithm::RS256, pem(rsa.as_ref()), DecodingKey::from_rsa_der(rsa_public.public_key().as_ref())),
        (
            Algorithm::ES256,
            pem(p256.to_pkcs8v1().unwrap().as_ref()),
            DecodingKey::from_ec_der(p256.public_key().as_ref()),
        ),
        (
            Algorithm::EdDSA,
            pem(ed25519.to_pkcs8v1().unwrap().as_ref()),
            DecodingKey::from_ed_der(ed25519.public_key().as_ref()),
        ),
    ]
}

fn kid(response: &Response) -> String {
    jsonwebtoken::decode_header(response.body["access_token"].as_str().unwrap()).unwrap().kid.unwrap()
}

#[tokio::test]
async fn the_key_selects_the_algorithm_in_both_forms_of_the_secret() {
    for (algorithm, pem, public_key) in keys() {
        for secret in [pem.clone(), key_document(&pem).to_string()] {
            let test = TestApp::start_without_keys(|_| {}).await;
            test.cloud.put_secret(&secret).unwrap();
            let response = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
            assert_eq!(response.status, 200, "{algorithm:?}");
            let token = response.body["access_token"].as_str().unwrap();
            Claims::verify_with(token, 2, algorithm, &public_key);
            assert_eq!(kid(&response), key_record(&pem)["kid"]);

            let refreshed = test.refresh(&test.log_in().await).await;
            assert_eq!(refreshed.status, 200);
            Claims::verify_with(refreshed.body["access_token"].as_str().unwrap(), 2, algorithm, &public_key);
        }
    }
}

#[tokio::test]
async fn a_pem_always_derives_the_same_refresh_token_key() {
    let pem = p256_pem();
    let test = TestApp::start_without_keys(|_| {}).await;
    test.cloud.put_secret(&pem).unwrap();
    let token = test.log_in().await;
    // White space and line breaks are not part of the key.
    test.cloud.put_secret(&format!("\n{}\n\n", pem.replace('\n', "\r\n"))).unwrap();
    test.app.keyring.load().await.unwrap();
    assert_eq!(test.refresh(&token).await.status, 200);
    test.cloud.put_secret(&p256_pem()).unwrap();
    test.app.keyring.load().await.unwrap();
    test.refresh(&token).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn refresh_tokens_of_a_previous_key_stay_valid_and_their_successors_use_the_current_key() {
    let test = TestApp::start().await;
    let token = test.log_in().await;
    let mut document: Value = serde_json::from_str(&test.cloud.secret().unwrap().unwrap()).unwrap();
    let old = document["refresh"]["current"].take();
    let new = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";
    document["refresh"] = json!({"current": new, "previous": [old]});
    test.cloud.put_secret(&document.to_string()).unwrap();
    test.app.keyring.load().await.unwrap();
    let successor = test.refresh(&token).await.refresh_token();

    document["refresh"] = json!({"current": new});
    test.cloud.put_secret(&document.to_string()).unwrap();
    test.app.keyring.load().await.unwrap();
    test.refresh(&token).await.assert_error(400, "invalid_grant");
    test.refresh(&successor).await.assert_issued(2);
}

/// HKDF-SHA256 of the PKCS#8 bytes, without salt and with the info `countersign refresh v1`, and the layout of the token.
/// Another implementation computed the values.
#[test]
fn the_refresh_token_key_of_a_pem_and_the_token_layout_do_not_change() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
               -----END PRIVATE KEY-----\n";
    let set = KeySet::parse(pem, NOW).unwrap();
    let token = "cs_rt_AQABAgMEBQYHCAkKCwwNDg8AAAAHkE1peHndkdr0lNPvY1arWfdNmevBk0-fNO_FLF6ooao";
    let parsed = RefreshToken::read(&set.refresh_token_keys, token).unwrap();
    assert_eq!(parsed.generation, 7);
    assert_eq!(parsed.family.to_string(), "AAECAwQFBgcICQoLDA0ODw");
    assert_eq!(parsed.mint(&set.refresh_token_keys), token);
}

#[test]
fn a_document_can_have_null_members_and_keys_in_any_base64() {
    let mut document = key_document(&p256_pem());
    document["next"] = Value::Null;
    document["previous"] = Value::Null;
    for current in ["-_8BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE", "+/8BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="] {
        for previous in [Value::Null, json!(current), json!([]), json!([current, current])] {
            document["refresh"] = json!({"current": current, "previous": previous});
            assert!(KeySet::parse(&document.to_string(), NOW).is_ok(), "{document}");
        }
    }
}

#[test]
fn s_503_only_strong_keys_of_three_algorithms_are_accepted() {
    // 1,024 bits, generated by openssl for this test.
    let weak = include_str!("rsa1024.pem");
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    for pem in [weak.to_owned(), pem(p384.to_pkcs8v1().unwrap().as_ref()), pem(b"junk"), String::new(), "x".into()] {
        let Err(error) = KeySet::parse(&pem, NOW) else { panic!("{pem}") };
        assert!(!error.to_string().contains("junk"));
    }
    for (_, pem, _) in keys() {
        assert!(KeySet::parse(&pem, NOW).is_ok());
    }
}

/// A previous key has only its public half, which still verifies tokens, and is published.
#[test]
fn s_503_a_previous_key_has_one_of_the_three_algorithms() {
    let bytes = |length| URL_SAFE_NO_PAD.encode(vec![0xc1; length]);
    let rsa = |length| json!({"kty": "RSA", "alg": "RS256", "n": bytes(length), "e": "AQAB"});
    for (jwk, is_accepted) in [
        (rsa(256), true),
        (rsa(255), false),
        (rsa(128), false),
        (json!({"kty": "EC", "alg": "ES256", "crv": "P-256", "x": bytes(32), "y": bytes(32)}), true),
        (json!({"kty": "EC", "alg": "ES384", "crv": "P-384", "x": bytes(48), "y": bytes(48)}), false),
        (json!({"kty": "OKP", "alg": "EdDSA", "crv": "Ed25519", "x": bytes(32)}), true),
        (json!({"kty": "oct", "alg": "HS256", "k": bytes(32)}), false),
    ] {
        let mut key: Jwk = serde_json::from_value(jwk.clone()).unwrap();
        key.common.key_id = Some(key.thumbprint(ThumbprintHash::SHA256).unwrap());
        let mut document = key_document(&p256_pem());
        document["previous"] = json!([{"public_key": key, "leaves_at": NOW + 1}]);
        assert_eq!(KeySet::parse(&document.to_string(), NOW).is_ok(), is_accepted, "{jwk}");
    }
}

#[test]
fn s_503_a_key_with_the_public_half_of_another_key_is_not_accepted() {
    let rsa = [(); 2].map(|()| {
        let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        (der.as_ref().to_vec(), pair.public_key().modulus().big_endian_without_leading_zero().to_vec())
    });
    let p256 = [(); 2].map(|()| {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        (pair.to_pkcs8v1().unwrap().as_ref().to_vec(), pair.public_key().as_ref().to_vec())
    });
    let ed25519 = [(); 2].map(|()| {
        let pair = Ed25519KeyPair::generate().unwrap();
        (pair.to_pkcs8().unwrap().as_ref().to_vec(), pair.public_key().as_ref().to_vec())
    });
    for [(mut der, public), (_, other)] in [rsa, p256, ed25519] {
        assert!(KeySet::parse(&pem(&der), NOW).is_ok());
        let position = der.windows(public.len()).position(|bytes| bytes == public).unwrap();
        der[position..position + other.len()].copy_from_slice(&other);
        assert!(KeySet::parse(&pem(&der), NOW).is_err());
    }
}

#[test]
fn s_504_the_public_keys_have_only_public_members_and_their_kids_are_thumbprints() {
    for (algorithm, pem, _) in keys() {
        let mut document = key_document(&pem);
        document["next"] = key_record(&p256_pem());
        document["previous"] = json!([key_record(&p256_pem()), key_record(&p256_pem())]);
        let set = serde_json::from_str::<Value>(&KeySet::parse(&document.to_string(), NOW).unwrap().jwks).unwrap();
        let set = set["keys"].as_array().unwrap();
        assert_eq!(set.len(), 4);
        assert_eq!(set[0]["alg"], json!(algorithm));
        for key in set {
            for name in key.as_object().unwrap().keys() {
                assert!(["kty", "use", "alg", "kid", "n", "e", "crv", "x", "y"].contains(&name.as_str()), "{name}");
            }
        }
    }
    // The example of RFC 8037 appendix A.
    let der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20\
        \x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\
        \x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";
    assert_eq!(key_record(&pem(der))["kid"], "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

fn broken_secrets() -> Vec<String> {
    let good = key_document(&p256_pem());
    let without = |name: &str| {
        let mut document = good.clone();
        document.as_object_mut().unwrap().remove(name);
        document.to_string()
    };
    let with = |pointer: &str, value: Value| {
        let mut document = good.clone();
        *document.pointer_mut(pointer).unwrap() = value;
        document.to_string()
    };
    let mut bad_next = good.clone();
    bad_next["next"] = json!({"kid": "x", "alg": "ES256", "private_key": p256_pem()});
    vec![
        String::new(),
        "not JSON, not a PEM".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        without("version"),
        without("current"),
        without("refresh"),
        with("/version", json!(2)),
        with("/current/kid", json!("another")),
        with("/current/alg", json!("RS256")),
        with("/current/alg", json!("none")),
        with("/current/private_key", json!("canary-private-key")),
        with("/refresh/current", json!("c2hvcnQ")),
        with("/refresh/current", json!("!")),
        bad_next.to_string(),
        p256_pem().replace("PRIVATE KEY", "PUBLIC KEY"),
        p256_pem().replace("PRIVATE KEY", "RSA PRIVATE KEY"),
    ]
}

#[tokio::test]
async fn s_506_an_invalid_secret_is_a_503_until_it_is_replaced() {
    let test = TestApp::start_without_keys(|_| {}).await;
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_error(503, "temporarily_unavailable");
    for secret in broken_secrets() {
        let log = LogLines::collect();
        test.cloud.put_secret(&secret).unwrap();
        let response = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
        assert_eq!(response.status, 503, "{secret}");
        response.assert_error(503, "temporarily_unavailable");
        let line = &log.lines()[0];
        assert_eq!(line["level"], "ERROR");
        assert!(line["reason"].as_str().unwrap().contains("the signing secret cannot be used"), "{line}");
        // The log contains no part of the secret that is longer than 39 bytes.
        let shown = secret.as_bytes().windows(40).find(|part| log.text().contains(std::str::from_utf8(part).unwrap()));
        assert_eq!(shown, None);
        assert!(!log.text().contains("canary"));
    }
    // Client authentication does not need the keys.
    test.form((SERVICE.0, "wrong"), &CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
    test.cloud.put_secret(&key_document(&p256_pem()).to_string()).unwrap();
    assert_eq!(test.form(SERVICE, &CLIENT_CREDENTIALS).await.status, 200);
}

#[tokio::test]
async fn s_506_the_last_valid_keys_are_used_while_the_secret_is_invalid_or_unavailable() {
    let test = TestApp::start().await;
    let log = LogLines::collect();
    test.advance_clock(300);
    test.interceptor.fail("GetSecretValue", 400, "AccessDeniedException");
    assert_eq!(test.form(SERVICE, &CLIENT_CREDENTIALS).await.status, 200);
    until(|| log.text().contains("keeping the last good signing keys")).await;
    test.interceptor.stop_failing();
    for secret in broken_secrets() {
        test.cloud.put_secret(&secret).unwrap();
        test.advance_clock(300);
        test.interceptor.clear_calls();
        test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);
        until(|| test.interceptor.calls().contains(&"GetSecretValue".to_owned())).await;
    }
    let fixed = key_document(&p256_pem());
    test.cloud.put_secret(&fixed.to_string()).unwrap();
    test.advance_clock(300);
    assert_eq!(json!(kid(&test.form(SERVICE, &CLIENT_CREDENTIALS).await)), fixed["current"]["kid"]);
}

#[tokio::test]
async fn s_505_a_reload_that_was_frozen_is_repeated() {
    let test = TestApp::start().await;
    let before = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
    // Lambda freezes the execution environment for hours during a reload.
    test.interceptor.hold();
    test.advance_clock(240);
    test.app.keyring.reload_if_due();
    test.interceptor.wait_for(1).await;
    test.advance_clock(36_000);
    let document = key_document(&p256_pem());
    test.cloud.put_secret(&document.to_string()).unwrap();
    let current = test.app.keyring.current();
    let (current, ()) = tokio::join!(current, async {
        test.interceptor.let_through(1).await;
        test.interceptor.let_through(1).await;
    });
    assert_eq!(json!(current.unwrap().current.kid()), document["current"]["kid"]);
    assert_ne!(json!(kid(&before)), document["current"]["kid"]);
}

#[tokio::test]
async fn a_request_with_old_keys_waits_for_a_reload_for_a_limited_time_and_only_once() {
    let test = TestApp::start().await;
    let kid = test.app.keyring.current().await.unwrap().current.kid().to_owned();
    test.advance_clock(36_000);
    test.interceptor.hold();
    assert_eq!(
        test.app.keyring.current().await.unwrap().current.kid(),
        kid,
        "the last valid keys, because the reload hangs"
    );
    assert_eq!(test.interceptor.calls(), ["GetSecretValue"]);
    assert_eq!(test.app.keyring.current().await.unwrap().current.kid(), kid);
    assert_eq!(test.interceptor.calls(), ["GetSecretValue"], "the next request does not wait");
}

#[tokio::test]
async fn the_secret_is_reloaded_within_five_minutes_concurrently_with_requests() {
    let test = TestApp::start().await;
    let loads = || test.interceptor.calls().iter().filter(|call| *call == "GetSecretValue").count();
    let before = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
    test.cloud.put_secret(&key_document(&p256_pem()).to_string()).unwrap();
    test.advance_clock(239);
    assert_eq!(kid(&test.form(SERVICE, &CLIENT_CREDENTIALS).await), kid(&before));
    assert_eq!(loads(), 0);
    test.advance_clock(1);
    test.form(SERVICE, &CLIENT_CREDENTIALS).await;
    until(|| loads() == 1).await;
    for _ in 0..1000 {
        if kid(&test.form(SERVICE, &CLIENT_CREDENTIALS).await) != kid(&before) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_ne!(kid(&test.form(SERVICE, &CLIENT_CREDENTIALS).await), kid(&before));
    // There was one reload. A clock that is set back does not delay the next one.
    assert_eq!(loads(), 1);
    test.advance_clock(-86_400);
    test.form(SERVICE, &CLIENT_CREDENTIALS).await;
    until(|| loads() == 2).await;
}

#[tokio::test]
async fn s_505_a_resumed_execution_environment_signs_with_the_current_key() {
    let test = TestApp::start().await;
    let before = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
    for age in [300, 36_000] {
        test.cloud.put_secret(&key_document(&p256_pem()).to_string()).unwrap();
        test.advance_clock(age);
        let signing = kid(&test.form(SERVICE, &CLIENT_CREDENTIALS).await);
        assert_ne!(signing, kid(&before));
        assert_eq!(signing, test.app.keyring.current().await.unwrap().current.kid());
        let written: Value = serde_json::from_str(&test.cloud.secret().unwrap().unwrap()).unwrap();
        assert_eq!(signing, written["current"]["kid"]);
    }
}

#[tokio::test]
async fn a_failed_reload_is_repeated_after_15_seconds_and_not_at_each_request() {
    let test = TestApp::start().await;
    test.interceptor.fail("GetSecretValue", 400, "AccessDeniedException");
    test.advance_clock(300);
    let loads = || test.interceptor.calls().iter().filter(|call| *call == "GetSecretValue").count();
    for _ in 0..5 {
        test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);
    }
    until(|| loads() == 1).await;
    test.advance_clock(15);
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);
    until(|| loads() == 2).await;
}

/// Waits until a condition is true, for about a minute.
async fn until(is_true: impl Fn() -> bool) {
    for _ in 0..12_000 {
        if is_true() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the condition did not become true");
}
