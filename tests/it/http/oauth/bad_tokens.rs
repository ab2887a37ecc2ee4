//! Texts that are not tokens of this issuer: inactive, and 200 without effect. The JWT library accepts some of them by
//! default.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use countersign::keys::{KeySet, SigningKey};
use serde_json::{Value, json};

use super::{API, log_in, service_token, started};
use testing::{APPLICATION, ISSUER, NOW, SERVICE, TestApp, changed_token, p256_pem};

/// Signs a header and claims with the current key of a deployment, so that only their content decides.
pub async fn signed(test: &TestApp, header: &str, claims: &str) -> String {
    let keys = test.app.keyring.current().await.unwrap();
    sign(&keys.current, header, claims)
}

fn sign(key: &SigningKey, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap()))
}

/// Returns the header and the claims of a token.
pub fn parts(token: &str) -> (Value, Value) {
    let parts: Vec<_> = token.split('.').collect();
    let decode = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (decode(parts[0]), decode(parts[1]))
}

/// Asserts that a text is not a token: it is inactive, and its revocation has no effect and reads the client only.
async fn assert_not_a_token(test: &TestApp, what: &str, text: &str) {
    for client in [APPLICATION, SERVICE, API] {
        let response = test.introspect(client, text).await;
        assert_eq!((response.status, &response.bytes[..]), (200, &br#"{"active":false}"#[..]), "{what}");
        test.interceptor.clear_calls();
        test.revoke(client, &[("token", text)]).await.assert_revoked();
        assert_eq!(test.interceptor.calls(), ["GetItem ClientsTable"], "{what}");
    }
}

#[tokio::test]
async fn s_906_a_token_with_another_header_never_passes() {
    let test = started().await;
    for token in [log_in(&test, 2).await.access_token(), service_token(&test, 2).await] {
        let (header, claims) = parts(&token);
        let (header_text, claims_text) = (header.to_string(), claims.to_string());
        let valid = signed(&test, &header_text, &claims_text).await;
        assert_eq!(test.introspect(API, &valid).await.body["active"], true, "the helper signs valid tokens");
        let with = |name: &str, value: Value| {
            let mut changed = header.clone();
            changed[name] = value;
            changed.to_string()
        };
        let without = |name: &str| {
            let mut changed = header.clone();
            changed.as_object_mut().unwrap().remove(name);
            changed.to_string()
        };
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"});
        for (what, header) in [
            ("alg none", with("alg", json!("none"))),
            ("alg None", with("alg", json!("None"))),
            ("alg HS256", with("alg", json!("HS256"))),
            ("alg of another key", with("alg", json!("RS256"))),
            ("no alg", without("alg")),
            ("no kid", without("kid")),
            ("a foreign kid", with("kid", json!("foreign"))),
            ("no typ", without("typ")),
            ("typ of an ID token", with("typ", json!("JWT"))),
            ("typ of a log-out token", with("typ", json!("logout+jwt"))),
            ("typ in another case", with("typ", json!("AT+JWT"))),
            ("typ with its media type", with("typ", json!("application/at+jwt"))),
            ("an embedded key", with("jwk", jwk)),
            ("a URL of keys", with("jku", json!("https://evil.example/jwks.json"))),
            ("a certificate", with("x5c", json!(["MIIB"]))),
            ("an unknown crit", with("crit", json!(["b64"]))),
            ("an empty crit", with("crit", json!([]))),
            ("an extra member", with("x", json!(1))),
            ("a repeated alg", header_text.replacen('{', r#"{"alg":"none","#, 1)),
            ("a repeated kid", header_text.replacen('{', r#"{"kid":"foreign","#, 1)),
            ("an array", format!("[{header_text}]")),
            ("not JSON", "x".to_owned()),
        ] {
            assert_not_a_token(&test, what, &signed(&test, &header, &claims_text).await).await;
        }
    }
}

#[tokio::test]
async fn s_502_a_token_with_other_claims_never_passes() {
    let test = started().await;
    for version in [1, 2] {
        let (header, claims) = parts(&service_token(&test, version).await);
        let (header, claims_text) = (header.to_string(), claims.to_string());
        let with = |name: &str, value: Value| {
            let mut changed = claims.clone();
            changed[name] = value;
            changed.to_string()
        };
        let mut cases = vec![
            ("another issuer".to_owned(), with("iss", json!(format!("{ISSUER}/")))),
            ("an expired token".to_owned(), with("exp", json!(NOW))),
            ("a token of the future".to_owned(), with("iat", json!(NOW + 61))),
            ("a repeated claim".to_owned(), claims_text.replacen('{', r#"{"sub":"another","#, 1)),
            ("a repeated member in a claim".to_owned(), claims_text.replacen('{', r#"{"x":{"a":1,"a":1},"#, 1)),
            ("an array".to_owned(), format!("[{claims_text}]")),
            ("not JSON".to_owned(), String::new()),
        ];
        for name in claims.as_object().unwrap().keys().filter(|name| *name != "system") {
            let mut missing = claims.clone();
            missing.as_object_mut().unwrap().remove(name);
            cases.push((format!("no {name}"), missing.to_string()));
            for value in [json!(null), json!([1]), json!({}), json!(true), json!(-1), json!(1.5)] {
                cases.push((format!("{name} is {value}"), with(name, value)));
            }
        }
        for (what, claims) in cases {
            assert_not_a_token(&test, &format!("version {version}: {what}"), &signed(&test, &header, &claims).await)
                .await;
        }
    }
}

/// Tokens of version 1 have `typ: JWT` like ID tokens.
#[tokio::test]
async fn s_502_an_id_token_is_never_an_access_token() {
    let test = started().await;
    let (header, claims) = parts(&log_in(&test, 1).await.access_token());
    let id_token = json!({
        "iss": ISSUER, "sub": claims["sub"], "aud": claims["aud"], "iat": NOW, "exp": NOW + 3_600, "auth_time": NOW,
        "nonce": "n", "at_hash": "h", "amr": ["pwd"], "sid": "s",
    });
    let mut with_scopes = id_token.clone();
    for name in ["scopes", "nbf", "jti"] {
        with_scopes[name] = claims[name].clone();
    }
    for (what, claims) in [("an ID token", id_token), ("an ID token with all claims of version 1", with_scopes)] {
        assert_not_a_token(&test, what, &signed(&test, &header.to_string(), &claims.to_string()).await).await;
    }
}

#[tokio::test]
async fn s_906_a_forged_signature_and_another_encoding_never_pass() {
    let test = started().await;
    let token = log_in(&test, 2).await.access_token();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let (header_json, claims_json) = parts(&token);
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let keys = test.app.keyring.current().await.unwrap();
    let hmac_token = changed_token(&token, |header, _| header["alg"] = json!("HS256"));
    let hmac_message = hmac_token.rsplit_once('.').unwrap().0;
    let jwk = serde_json::from_str::<Value>(&keys.jwks).unwrap()["keys"][0].to_string();
    let by_public_key = |key: &[u8]| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), hmac_message.as_bytes());
        format!("{hmac_message}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let foreign = KeySet::parse(&testing::key_document(&p256_pem()).to_string(), NOW).unwrap().current;
    // The last character of a part has bits that must be zero.
    let other_bits = |part: &str| {
        let (start, last) = part.split_at(part.len() - 1);
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let index = alphabet.find(last).unwrap();
        format!("{start}{}", &alphabet[index ^ 1..=index ^ 1])
    };
    for (what, text) in [
        ("no signature", format!("{message}.")),
        ("two parts", message.to_owned()),
        ("four parts", format!("{token}.{signature}")),
        ("a JWE", "a.b.c.d.e".to_owned()),
        ("a changed claim", changed_token(&token, |_, claims| claims["scope"] = json!("admin"))),
        ("a flipped bit", format!("{message}.{}", URL_SAFE_NO_PAD.encode([&[bytes[0] ^ 1], &bytes[1..]].concat()))),
        ("an HMAC under the JWK", by_public_key(jwk.as_bytes())),
        ("an HMAC under the whole set", by_public_key(keys.jwks.as_bytes())),
        ("an HMAC without a key", by_public_key(b"")),
        ("a foreign key", sign(&foreign, &header_json.to_string(), &claims_json.to_string())),
        ("a signature with padding", format!("{message}.{}", URL_SAFE.encode(&bytes))),
        ("a signature in standard base64", format!("{message}.{}+/", STANDARD.encode(&bytes))),
        ("other bits after the signature", format!("{message}.{}", other_bits(signature))),
        ("a header with padding", format!("{header}=.{claims}.{signature}")),
        ("a space before", format!(" {token}")),
        ("a newline after", format!("{token}\n")),
        ("the scheme before", format!("Bearer {token}")),
        ("the prefix of refresh tokens", format!("cs_rt_{token}")),
        ("more than 8 KiB", format!("{token}{}", "A".repeat(8_192))),
        ("NUL", "\0".to_owned()),
        ("text that is not ASCII", "\u{1f511}".to_owned()),
        ("a code", "cs_ac_AAAA".to_owned()),
        ("only dots", "..".to_owned()),
    ] {
        assert_not_a_token(&test, what, &text).await;
    }
    assert_eq!(test.introspect(APPLICATION, &token).await.body["active"], true);
}

/// A token of exactly 8 KiB is verified, and a longer one is not.
#[tokio::test]
async fn s_502_a_token_has_at_most_8_kib() {
    let test = started().await;
    let (header, claims) = parts(&service_token(&test, 2).await);
    let token_of = async |length: usize| {
        let mut claims = claims.clone();
        for padding in (length / 2)..length {
            claims["x"] = json!("a".repeat(padding));
            let token = signed(&test, &header.to_string(), &claims.to_string()).await;
            if token.len() >= length {
                return token;
            }
        }
        unreachable!()
    };
    let token = token_of(8_190).await;
    assert!((8_190..=8_192).contains(&token.len()));
    assert_eq!(test.introspect(SERVICE, &token).await.body["active"], true);
    let token = token_of(8_193).await;
    assert_not_a_token(&test, "a longer token", &token).await;
}

/// Access tokens of all published keys are verified, and those of removed keys are not.
#[tokio::test]
async fn s_502_the_keys_are_the_published_ones() {
    let test = started().await;
    let (_, claims) = parts(&service_token(&test, 2).await);
    let pems = [p256_pem(), p256_pem(), p256_pem()];
    let mut document = testing::key_document(&pems[0]);
    document["next"] = testing::key_record(&pems[1]);
    document["next"]["public_since"] = json!(NOW - 100);
    test.cloud.put_secret(&document.to_string()).unwrap();
    test.app.keyring.load().await.unwrap();
    for (pem, is_published) in pems.iter().zip([true, true, false]) {
        let key = KeySet::parse(&testing::key_document(pem).to_string(), NOW).unwrap().current;
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": key.kid()}).to_string();
        let token = sign(&key, &header, &claims.to_string());
        assert_eq!(test.introspect(SERVICE, &token).await.body["active"], is_published);
    }
}
