//! Checks of the header and the signature.

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{DecodingKey, crypto};
use serde_json::{Map, Value};

use super::Problem;
use crate::jwt::json;
use crate::keys::SigningAlgorithm;
use crate::token::TokenVersion;

/// The members of a header, each required.
const MEMBERS: [&str; 3] = ["alg", "kid", "typ"];

/// Checks the `typ`, and that the header has no member that a verifier would have to understand. Returns the version.
pub(super) fn check_type(header: &Map<String, Value>, problems: &mut Vec<Problem>) -> Option<TokenVersion> {
    if header.contains_key("crit") {
        problems.push(Problem::Critical);
    }
    if header.keys().any(|name| name != "crit" && !MEMBERS.contains(&name.as_str())) {
        problems.push(Problem::OtherHeader);
    }
    let version = header.get("typ").and_then(Value::as_str).and_then(TokenVersion::of_type);
    if version.is_none() {
        problems.push(Problem::Type);
    }
    version
}

/// Checks the signature of a message, if there are keys, with the key that the header names.
pub(super) fn check(
    header: &Map<String, Value>,
    (message, signature): (&str, &str),
    keys: Option<&JwkSet>,
    problems: &mut Vec<Problem>,
) {
    match keys.map(|keys| find_key(header, keys, problems)) {
        None => problems.push(Problem::NotVerified),
        Some(None) => {}
        Some(Some((key, algorithm))) => problems.extend(verify(message, signature, key, algorithm)),
    }
}

/// Returns the key that the header names, and its algorithm. Returns `None` if the `alg` of the header is another one.
fn find_key<'a>(
    header: &Map<String, Value>,
    keys: &'a JwkSet,
    problems: &mut Vec<Problem>,
) -> Option<(&'a Jwk, SigningAlgorithm)> {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let key = text("kid").and_then(|kid| keys.find(kid));
    // The header of a token is not trusted: the key decides the algorithm.
    let algorithm = key.and_then(SigningAlgorithm::of_public_key);
    let of_key = match (text("kid"), key, algorithm) {
        (None, ..) => Some(Problem::NoKid),
        (_, None, _) => Some(Problem::UnknownKey),
        (_, _, None) => Some(Problem::UnsupportedKey),
        _ => None,
    };
    let of_algorithm = match (text("alg"), algorithm) {
        (None, _) => Some(Problem::NoAlgorithm),
        (Some(alg), _) if alg.eq_ignore_ascii_case("none") => Some(Problem::Unsigned),
        (Some(alg), _) if alg.starts_with("HS") => Some(Problem::Hmac),
        (Some(alg), Some(algorithm)) if alg != algorithm.name() => Some(Problem::OtherAlgorithm(algorithm)),
        _ => None,
    };
    let is_possible = of_algorithm.is_none();
    problems.extend(of_key);
    problems.extend(of_algorithm);
    key.zip(algorithm).filter(|_| is_possible)
}

fn verify(message: &str, signature: &str, key: &Jwk, algorithm: SigningAlgorithm) -> Option<Problem> {
    if json::decode(signature).is_none() {
        return Some(Problem::SignatureEncoding);
    }
    let key = DecodingKey::from_jwk(key);
    match key.and_then(|key| crypto::verify(signature, message.as_bytes(), &key, algorithm.verifier())) {
        Ok(true) => None,
        Ok(false) => Some(Problem::Signature),
        Err(_) => Some(Problem::InvalidKey),
    }
}
