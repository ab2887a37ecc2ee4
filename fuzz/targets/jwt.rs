//! JWTs of others. The first line of an input is the header, the second one the claims, and the rest is the signature. The
//! whole input is also read as a JWT.
//!
//! A JWT that is read has one form, no repeated member, at most the allowed depth, a known algorithm and nothing critical.
//! No key verifies it.

#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::jwt::{Algorithm, Jwt, PublicKey};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

/// The public key of RFC 7515 appendix A.3.
static KEY: LazyLock<PublicKey> = LazyLock::new(|| {
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    PublicKey::of(&serde_json::from_str(jwk).unwrap()).unwrap()
});

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |byte| *byte == b'\n').map(|line| URL_SAFE_NO_PAD.encode(line));
    let mut part = || lines.next().unwrap_or_default();
    check(&format!("{}.{}.{}", part(), part(), part()));
    if let Ok(text) = str::from_utf8(input) {
        check(text);
    }
});

fn check(text: &str) {
    let Ok(jwt) = Jwt::read(text) else { return };
    let parts: Vec<_> = text.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("not three parts") };
    for part in [header, claims] {
        let json = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        assert_eq!(URL_SAFE_NO_PAD.encode(&json), part, "another form");
        let object: Map<String, Value> = serde_json::from_slice(&json).expect("an object");
        let object = Value::Object(object);
        assert_eq!(members(&object), colons(&json), "a repeated member");
        assert!(depth(&object) <= 8, "too deep");
    }
    URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    assert!(jwt.header("crit").is_none());
    let alg = jwt.header("alg").and_then(Value::as_str).expect("a text");
    assert_eq!(Algorithm::named(alg), Some(jwt.algorithm()));
    for name in ["exp", "iat", "nbf"] {
        if let Ok(Some(time)) = jwt.time(name) {
            assert!(time <= 1 << 53 && jwt.claim(name).is_some_and(Value::is_number));
        }
    }
    let _ = jwt.may_be(&["JWT"]);
    assert!(!jwt.is_signed_by(&KEY));
    if let Some(jwk) = jwt.header("jwk").and_then(Value::as_object)
        && let Ok(key) = PublicKey::of(jwk)
    {
        assert!(!jwk.contains_key("d") && !jwk.contains_key("k"), "a private key");
        assert!(Algorithm::ALL.into_iter().any(|algorithm| key.fits(algorithm)));
        let again = serde_json::from_str(key.json()).expect("an object");
        assert_eq!(PublicKey::of(&again).expect("the same key").thumbprint(), key.thumbprint());
        let _ = jwt.is_signed_by(&key);
    }
}

/// Returns the number of members in all objects of a value.
fn members(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        Value::Array(values) => values.iter().map(members).sum(),
        _ => 0,
    }
}

/// Returns the number of colons outside strings: one for each member.
fn colons(json: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b':' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Object(object) => object.values().map(depth).max(),
        Value::Array(values) => values.iter().map(depth).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or(0)
}
