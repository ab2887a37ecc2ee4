//! S-5: the signing secret, in every form, good and bad.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use countersign::keys::KeySet;
use countersign::refresh_token::RefreshToken;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Value, json};

use testing::{Claims, LogLines, NOW, Response, SERVICE, TestApp, key_document, key_record, p256_pem, pem};

const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// Keys of each kind, and what verifies their signatures, from the raw public key.
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
async fn the_key_decides_the_algorithm_in_either_form_of_the_secret() {
    for (algorithm, pem, public_key) in keys() {
        for secret in [pem.clone(), key_document(&pem).to_string()] {
            let test = TestApp::start_cold(|_| {}).await;
            test.cloud.put_secret(&secret).unwrap();
            let response = test.form(SERVICE, &GRANT).await;
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
async fn a_bare_pem_always_derives_the_same_key_of_refresh_references() {
    let pem = p256_pem();
    let test = TestApp::start_cold(|_| {}).await;
    test.cloud.put_secret(&pem).unwrap();
    let token = test.log_in().await;
    // White space and line breaks are no part of the key.
    test.cloud.put_secret(&format!("\n{}\n\n", pem.replace('\n', "\r\n"))).unwrap();
    test.app.keyring.load().await.unwrap();
    assert_eq!(test.refresh(&token).await.status, 200);
    test.cloud.put_secret(&p256_pem()).unwrap();
    test.app.keyring.load().await.unwrap();
    test.refresh(&token).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn references_under_a_previous_key_stay_valid_and_their_successors_are_under_the_current_one() {
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

/// HKDF-SHA256 over the PKCS#8 bytes without salt, `countersign refresh v1` for info; and the token's layout. Worked out
/// with another implementation.
#[test]
fn a_bare_pem_derives_what_it_always_derived() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
               -----END PRIVATE KEY-----\n";
    let set = KeySet::parse(pem, NOW).unwrap();
    let token = "cs_rt_AQABAgMEBQYHCAkKCwwNDg8AAAAHkE1peHndkdr0lNPvY1arWfdNmevBk0-fNO_FLF6ooao";
    let reference = RefreshToken::read(&set.refresh_token_keys, token).unwrap();
    assert_eq!(reference.generation, 7);
    assert_eq!(reference.family.to_string(), "AAECAwQFBgcICQoLDA0ODw");
    assert_eq!(reference.mint(&set.refresh_token_keys), token);
}

#[test]
fn a_document_may_say_null_and_write_its_keys_in_any_base64() {
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
fn s_503_only_strong_keys_of_the_three_kinds_are_taken() {
    // 1,024 bits, made by openssl for this test alone.
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

#[test]
fn s_504_the_public_set_has_public_members_only_and_thumbprints_for_names() {
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
async fn s_506_a_broken_secret_is_a_503_and_heals_by_itself() {
    let test = TestApp::start_cold(|_| {}).await;
    test.form(SERVICE, &GRANT).await.assert_error(503, "temporarily_unavailable");
    for secret in broken_secrets() {
        let log = LogLines::collect();
        test.cloud.put_secret(&secret).unwrap();
        let response = test.form(SERVICE, &GRANT).await;
        assert_eq!(response.status, 503, "{secret}");
        response.assert_error(503, "temporarily_unavailable");
        let line = &log.lines()[0];
        assert_eq!(line["level"], "ERROR");
        assert!(line["reason"].as_str().unwrap().contains("the signing secret cannot be used"), "{line}");
        // Any longer part of the secret would show in the line.
        let shown = secret.as_bytes().windows(40).find(|part| log.text().contains(std::str::from_utf8(part).unwrap()));
        assert_eq!(shown, None);
        assert!(!log.text().contains("canary"));
    }
    // Who may not have a token is still told so.
    test.form((SERVICE.0, "wrong"), &GRANT).await.assert_error(401, "invalid_client");
    test.cloud.put_secret(&key_document(&p256_pem()).to_string()).unwrap();
    assert_eq!(test.form(SERVICE, &GRANT).await.status, 200);
}

#[tokio::test]
async fn s_506_a_set_that_was_good_is_kept_while_the_secret_is_broken_or_cannot_be_read() {
    let test = TestApp::start().await;
    let log = LogLines::collect();
    test.pass(300);
    test.interceptor.fail("GetSecretValue", 400, "AccessDeniedException");
    assert_eq!(test.form(SERVICE, &GRANT).await.status, 200);
    until(|| log.text().contains("keeping the last good signing keys")).await;
    test.interceptor.stop_failing();
    for secret in broken_secrets() {
        test.cloud.put_secret(&secret).unwrap();
        test.pass(300);
        test.interceptor.forget();
        test.form(SERVICE, &GRANT).await.assert_issued(2);
        until(|| test.interceptor.calls().contains(&"GetSecretValue".to_owned())).await;
    }
    let mended = key_document(&p256_pem());
    test.cloud.put_secret(&mended.to_string()).unwrap();
    test.pass(300);
    assert_eq!(json!(kid(&test.form(SERVICE, &GRANT).await)), mended["current"]["kid"]);
}

#[tokio::test]
async fn s_505_a_reading_that_was_frozen_is_not_taken_for_one_of_now() {
    let test = TestApp::start().await;
    let before = test.form(SERVICE, &GRANT).await;
    // The response leaves while the reading is under way; then the environment is frozen for hours.
    test.interceptor.hold();
    test.pass(240);
    test.app.keyring.reload_if_due();
    test.interceptor.wait_for(1).await;
    test.pass(36_000);
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
async fn a_request_waits_for_fresh_keys_but_not_for_long_and_not_each_time() {
    let test = TestApp::start().await;
    let kid = test.app.keyring.current().await.unwrap().current.kid().to_owned();
    test.pass(36_000);
    test.interceptor.hold();
    assert_eq!(test.app.keyring.current().await.unwrap().current.kid(), kid, "no response, so the last good set");
    assert_eq!(test.interceptor.calls(), ["GetSecretValue"]);
    assert_eq!(test.app.keyring.current().await.unwrap().current.kid(), kid);
    assert_eq!(test.interceptor.calls(), ["GetSecretValue"], "the next one does not wait again");
}

#[tokio::test]
async fn the_secret_is_read_again_within_five_minutes_and_beside_requests() {
    let test = TestApp::start().await;
    let readings = || test.interceptor.calls().iter().filter(|call| *call == "GetSecretValue").count();
    let before = test.form(SERVICE, &GRANT).await;
    test.cloud.put_secret(&key_document(&p256_pem()).to_string()).unwrap();
    test.pass(239);
    assert_eq!(kid(&test.form(SERVICE, &GRANT).await), kid(&before));
    assert_eq!(readings(), 0);
    test.pass(1);
    test.form(SERVICE, &GRANT).await;
    until(|| readings() == 1).await;
    for _ in 0..1000 {
        if kid(&test.form(SERVICE, &GRANT).await) != kid(&before) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_ne!(kid(&test.form(SERVICE, &GRANT).await), kid(&before));
    // Once is enough, and a clock that is set back does not put it off.
    assert_eq!(readings(), 1);
    test.pass(-86_400);
    test.form(SERVICE, &GRANT).await;
    until(|| readings() == 2).await;
}

#[tokio::test]
async fn s_505_an_environment_that_thaws_signs_with_the_keys_of_now() {
    let test = TestApp::start().await;
    let before = test.form(SERVICE, &GRANT).await;
    for age in [300, 36_000] {
        test.cloud.put_secret(&key_document(&p256_pem()).to_string()).unwrap();
        test.pass(age);
        let read = kid(&test.form(SERVICE, &GRANT).await);
        assert_ne!(read, kid(&before));
        assert_eq!(read, test.app.keyring.current().await.unwrap().current.kid());
        let written: Value = serde_json::from_str(&test.cloud.secret().unwrap().unwrap()).unwrap();
        assert_eq!(read, written["current"]["kid"]);
    }
}

#[tokio::test]
async fn a_reading_that_fails_is_tried_again_soon_and_not_at_each_request() {
    let test = TestApp::start().await;
    test.interceptor.fail("GetSecretValue", 400, "AccessDeniedException");
    test.pass(300);
    let readings = || test.interceptor.calls().iter().filter(|call| *call == "GetSecretValue").count();
    for _ in 0..5 {
        test.form(SERVICE, &GRANT).await.assert_issued(2);
    }
    until(|| readings() == 1).await;
    test.pass(15);
    test.form(SERVICE, &GRANT).await.assert_issued(2);
    until(|| readings() == 2).await;
}

/// Waits for what happens in the background; bounded.
async fn until(happened: impl Fn() -> bool) {
    for _ in 0..1000 {
        if happened() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it did not happen");
}
