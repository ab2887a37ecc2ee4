//! Properties of arbitrary input: no panic, no server error, and round trips.

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::hmac_keys::HmacKeys;
use countersign::password_hash::{Hash, Hasher, hash_client_secret};
use countersign::refresh_token::{FamilyId, RefreshToken, RefreshTokenKeys};
use countersign::scope::Scope;
use countersign::user::Username;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use tokio::runtime::Runtime;

use testing::guess::verify_password;
use testing::{
    APPLICATION, CHEAP_ARGON2, CLIENT_CREDENTIALS, Response, SCOPE, SERVICE, TestApp, USERNAME, form, raw_form,
    raw_json,
};

/// Checks a property of the router, in one deployment.
#[allow(clippy::needless_pass_by_value, reason = "callers pass a closure")]
pub fn check<S: Strategy>(
    cases: u32,
    strategy: S,
    property: impl AsyncFn(&TestApp, S::Value) -> Result<(), TestCaseError>,
) {
    let runtime = Runtime::new().unwrap();
    let test = runtime.block_on(TestApp::start());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&strategy, |input| runtime.block_on(property(&test, input))).unwrap();
}

/// Asserts that a response is not a server error.
fn is_no_server_error(response: &Response) -> Result<(), TestCaseError> {
    prop_assert!([200, 400, 401, 413].contains(&response.status), "{} {:?}", response.status, response.bytes);
    Ok(())
}

/// Returns arbitrary bytes, or text of characters that decoders treat specially.
fn bytes(special: &'static str) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(prop::sample::select(special.as_bytes()), 0..200),
    ]
}

/// Returns client ids and secrets with all allowed characters.
fn vschar() -> impl Strategy<Value = String> {
    "[ -~]{1,60}"
}

#[test]
fn any_form_gets_a_response() {
    check(300, bytes("%&=+0aFgrant_type\0\u{fc}"), async |test, body| {
        let mut whole = form_of(SERVICE).into_bytes();
        whole.push(b'&');
        whole.extend_from_slice(&body);
        is_no_server_error(&test.send(raw_form(body).post()).await)?;
        is_no_server_error(&test.send(raw_form(whole).post()).await)
    });
}

fn form_of((id, secret): (&str, &str)) -> String {
    format!("grant_type=client_credentials&client_id={id}&client_secret={secret}")
}

#[test]
fn any_json_gets_a_response() {
    check(300, bytes("{}[]\":,\\u0ntrue1.e-"), async |test, body| {
        is_no_server_error(&test.send(raw_json(body).post()).await)
    });
}

#[test]
fn any_content_type_gets_a_response() {
    let content_type = "application/x-www-form-urlencoded[;, =\"\\\\charsetUTF8-]{0,30}|[ -~]{0,40}";
    check(300, content_type, async |test, content_type| {
        let request = Request::post("/oauth/token").header("content-type", content_type);
        is_no_server_error(&test.send(request.body(Body::from(form_of(SERVICE))).unwrap()).await)
    });
}

#[test]
fn any_accept_gets_a_response() {
    let accept = "[a-z*/]{0,8}[;, ]{0,2}[vV]ersion[ =\"\\\\;,.0-9+\u{fc}-]{0,20}|[ -~]{0,40}";
    check(500, accept, async |test, accept| {
        is_no_server_error(&test.send(raw_form(form_of(SERVICE)).header("accept", &accept).post()).await)
    });
}

#[test]
fn any_basic_credentials_get_a_response() {
    let decoded = bytes("%:+=0aFbilling-cron\0\u{fc}");
    check(500, (decoded, "Basic [A-Za-z0-9+/=:% ]{0,40}"), async |test, (decoded, encoded)| {
        for header in [format!("Basic {}", STANDARD.encode(decoded)), encoded] {
            let request = form(&CLIENT_CREDENTIALS).header("authorization", &header);
            is_no_server_error(&test.send(request.post()).await)?;
        }
        Ok(())
    });
}

#[test]
fn any_password_is_valid_in_a_form_and_in_json() {
    // Characters of one and of several bytes, and characters that NFC changes.
    let password = "[ -~\u{e4}\u{308}\u{20ac}\u{4e2d}\u{9df}\u{212b}\u{1f600}]{1,40}";
    let hasher = Hasher::new(CHEAP_ARGON2).unwrap();
    check(60, password, async |test, password| {
        let hash = hasher.hash(&password).unwrap();
        test.change_user(&json!({"password_hash": hash.as_str()}));
        prop_assert_eq!(test.password(USERNAME, &password).await.status, 200);
        test.change_user(&json!({"password_hash": hash.as_str()}));
        let body = json!({
            "grant_type": "password", "username": USERNAME, "password": password, "scope": SCOPE,
        });
        let request = raw_json(body.to_string()).basic(APPLICATION.0, APPLICATION.1);
        prop_assert_eq!(test.send(request.post()).await.status, 200);
        Ok(())
    });
}

#[test]
fn any_credentials_are_valid_in_basic_form_and_json_in_every_encoding() {
    check(150, (vschar(), vschar(), any::<u64>()), async |test, (id, secret, which)| {
        let client = json!({
            "client_id": id, "enabled": true, "grant_types": ["client_credentials"], "scopes": ["a"],
            "default_scopes": ["a"], "secrets": [{"id": "1", "hash": hash_client_secret(&secret), "created_at": 1}],
        });
        test.cloud.put("ClientsTable", &client).unwrap();
        // The bits of `which` select the characters that are encoded.
        let encode = |text: &str| -> String {
            let encode = |(position, byte): (usize, u8)| match byte {
                b' ' if which >> (position % 64) & 1 == 1 => "+".to_owned(),
                _ if byte.is_ascii_alphanumeric() && which >> (position % 64) & 1 == 1 => char::from(byte).to_string(),
                _ => format!("%{byte:02x}"),
            };
            text.bytes().enumerate().map(encode).collect()
        };
        let basic = STANDARD.encode(format!("{}:{}", encode(&id), encode(&secret)));
        let by_basic = form(&CLIENT_CREDENTIALS).header("authorization", &format!("Basic {basic}"));
        let by_form = raw_form(form_of((&encode(&id), &encode(&secret))));
        let by_json = json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret});
        for request in [by_basic, by_form, raw_json(by_json.to_string())] {
            prop_assert_eq!(test.send(request.post()).await.status, 200);
        }
        Ok(())
    });
}

#[test]
fn the_integer_part_of_a_version_selects_the_token_version() {
    let version = (0u32..100, prop::option::of(0u32..100), any::<bool>());
    check(200, version, async |test, (whole, fraction, quoted)| {
        let version = fraction.map_or(whole.to_string(), |fraction| format!("{whole}.{fraction}"));
        let value = if quoted { format!("\"{version}\"") } else { version };
        let request = raw_form(form_of(SERVICE)).header("accept", &format!("application/json; q=0.9; version={value}"));
        let response = test.send(request.post()).await;
        match whole {
            0 => response.assert_error(400, "invalid_request"),
            1 => drop(response.assert_issued(1)),
            _ => drop(response.assert_issued(2)),
        }
        Ok(())
    });
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_scope_is_parsed_as_it_was_written(tokens in prop::collection::btree_set("[!#-)+-\\[\\]-~]{1,20}", 1..20)) {
        let text = Vec::from_iter(tokens.clone()).join(" ");
        let scope = Scope::parse(&text).unwrap();
        prop_assert_eq!(scope.to_string(), text);
        prop_assert_eq!(&Scope::try_from(tokens).unwrap(), &scope);
        prop_assert_eq!(Scope::parse(&format!("{scope} {scope}")).unwrap(), scope);
    }

    #[test]
    fn any_text_is_a_valid_scope_or_rejected(text in any::<String>()) {
        if let Ok(scope) = Scope::parse(&text) {
            prop_assert!(scope.tokens().iter().all(|token| !token.is_empty() && !token.contains(['*', ' ', '"', '\\'])));
        }
    }

    #[test]
    fn a_refresh_token_is_valid_only_for_its_key(generation in any::<u32>(), current: [u8; 32], other: [u8; 32]) {
        let keys = RefreshTokenKeys::new(HmacKeys::new(current, []));
        let parsed = RefreshToken { family: FamilyId::generate(), generation };
        let token = parsed.mint(&keys);
        let reads = |keys: &RefreshTokenKeys| RefreshToken::read(keys, &token) == Some(parsed);
        prop_assert!(reads(&keys));
        prop_assert!(reads(&RefreshTokenKeys::new(HmacKeys::new(other, [current]))));
        prop_assert_eq!(reads(&RefreshTokenKeys::new(HmacKeys::new(other, []))), current == other);
        prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        prop_assert!(parsed.successor().mint(&keys) != token || generation == u32::MAX);
    }

    #[test]
    fn any_other_text_is_not_a_refresh_token(text in any::<String>(), encoded in "cs_rt_[A-Za-z0-9_=-]{0,90}") {
        let keys = RefreshTokenKeys::new(HmacKeys::new([1; 32], []));
        prop_assert!(RefreshToken::read(&keys, &text).is_none());
        prop_assert!(RefreshToken::read(&keys, &encoded).is_none());
    }

    #[test]
    fn the_form_of_a_username_does_not_change_when_it_is_parsed_again(text in any::<String>()) {
        if let Some(username) = Username::parse(&text) {
            prop_assert_eq!(Username::parse(username.as_str()), Some(username));
        }
    }

    #[test]
    fn any_text_is_a_hash_or_is_rejected(text in any::<String>(), similar in similar_to_a_hash(), password in any::<String>()) {
        let _ = Hash::try_from(text);
        if let Ok(hash) = Hash::try_from(similar) {
            // A random hash verifies no password. The parameters are small, because argon2 runs for each case.
            let hasher = Hasher::new(CHEAP_ARGON2).unwrap();
            prop_assert!(verify_password(&hasher, Some(&hash), &password).is_none());
        }
    }

    #[test]
    fn a_bcrypt_hash_verifies_its_password(password in any::<String>()) {
        let hash = Hash::try_from(bcrypt::hash(&password, 4).unwrap()).unwrap();
        prop_assert!(verify_password(&Hasher::new(CHEAP_ARGON2).unwrap(), Some(&hash), &password).is_some());
    }
}

/// Returns texts that are similar to hashes and cheap to verify.
fn similar_to_a_hash() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\$(argon2id|2y|2b|pbkdf2-sha256|sha256|scrypt|P|H|S|wp)\\$[$a-z0-9=,./+]{0,80}",
        "\\$(P|H|S)\\$[5-7][./0-9A-Za-z]{30}([./0-9A-Za-z]{21})?",
        "(\\$wp|bcrypt_sha256\\$)?\\$2[aby]\\$04\\$[./0-9A-Za-z]{21}[.Oeu][./0-9A-Za-z]{30}[.CGKOSWaeimquy26]",
        "\\$pbkdf2-sha(1|256|512)\\$i=[0-9]{1,3}\\$([a-z0-9+/]{4}){0,9}\\$([a-z0-9+/]{4}){2,20}",
        "\\$scrypt\\$ln=[0-6],r=[0-9],p=[0-9]\\$([a-z0-9+/]{4}){0,9}\\$([a-z0-9+/]{4}){2,20}",
        "\\$argon2(id|i|d)(\\$v=(16|19|20))?\\$m=[0-9]{1,2},t=[0-3],p=[0-3]\\$([a-z0-9+/]{4}){1,9}\\$([a-z0-9+/]{4}){2,20}",
    ]
}
