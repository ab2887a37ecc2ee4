//! The Rust example of docs/verifying.md. The end-to-end tests run it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a panic fails the test")]

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};

/// `keys` is `<issuer>/.well-known/jwks.json`. Fetch it again when it is five minutes old or does not have the `kid`.
fn verify(token: &str, keys: &JwkSet, issuer: &str, audience: &str) -> Option<serde_json::Value> {
    let header = decode_header(token).ok()?;
    if header.typ.as_deref() != Some("at+jwt") {
        return None;
    }
    let key = DecodingKey::from_jwk(keys.find(&header.kid?)?).ok()?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.leeway = 30;
    validation.validate_nbf = true;
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    Some(decode(token, &key, &validation).ok()?.claims)
}

#[derive(serde::Deserialize)]
struct Settings {
    jwks: JwkSet,
    issuer: String,
    audience: String,
    tokens: Vec<String>,
}

fn main() {
    let settings: Settings = serde_json::from_str(&std::env::var("COUNTERSIGN").unwrap()).unwrap();
    let verify = |token: &String| verify(token, &settings.jwks, &settings.issuer, &settings.audience);
    println!("{}", serde_json::to_string(&settings.tokens.iter().map(verify).collect::<Vec<_>>()).unwrap());
}
