//! Verification of access tokens: the content of a token, and all its problems. Uses no network and no clock.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::{Map, Value};

use super::TokenVersion;

mod claims;
mod problem;

pub use problem::{Form, Part, Problem};

/// The result of an inspection. Contains the header and the claims even if they cannot be trusted.
#[derive(Debug, Default)]
pub struct Inspection {
    /// The token version that the header names.
    pub version: Option<TokenVersion>,
    /// The header, if it is a JSON object.
    pub header: Option<Map<String, Value>>,
    /// The claims, if they are a JSON object.
    pub claims: Option<Map<String, Value>>,
    /// All problems of the token. A token without problems is valid.
    pub problems: Vec<Problem>,
}

impl Inspection {
    /// Returns true if the token has no problem.
    pub fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Inspects a token like a verifier that trusts this issuer and these keys, but does not stop at the first problem.
/// Without keys, the signature is not verified, and that is a problem, too. The audience is not checked, because only
/// the resource server knows which audience it requires.
pub fn inspect(token: &str, issuer: &str, keys: Option<&JwkSet>, now: u64) -> Inspection {
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = *parts.as_slice() else {
        return Inspection { problems: vec![Problem::Parts(parts.len())], ..Inspection::default() };
    };
    let message = format!("{header}.{claims}");
    let mut problems = Vec::new();
    let header = decode(Part::Header, header, &mut problems);
    let claims = decode(Part::Payload, claims, &mut problems);
    let mut version = None;
    if let Some(header) = &header {
        version = check_type(header, &mut problems);
        match keys {
            Some(keys) => {
                if let Some((key, algorithm)) = find_key(header, keys, &mut problems) {
                    problems.extend(check_signature(&message, signature, key, algorithm));
                }
            }
            None => problems.push(Problem::NotVerified),
        }
    }
    if let Some(claims) = &claims {
        claims::check(claims, version, issuer, &mut problems);
        claims::check_times(claims, now, &mut problems);
    }
    Inspection { version, header, claims, problems }
}

fn decode(part: Part, text: &str, problems: &mut Vec<Problem>) -> Option<Map<String, Value>> {
    let Ok(json) = URL_SAFE_NO_PAD.decode(text) else {
        problems.push(Problem::Encoding(part));
        return None;
    };
    let object = serde_json::from_slice(&json).ok();
    if object.is_none() {
        problems.push(Problem::NotAnObject(part));
    }
    object
}

fn check_type(header: &Map<String, Value>, problems: &mut Vec<Problem>) -> Option<TokenVersion> {
    if header.contains_key("crit") {
        problems.push(Problem::Critical);
    }
    let version = header.get("typ").and_then(Value::as_str).and_then(TokenVersion::of_type);
    if version.is_none() {
        problems.push(Problem::Type);
    }
    version
}

/// Returns the key that the header names, and its algorithm. Returns `None` if the `alg` of the header is another one.
fn find_key<'a>(
    header: &Map<String, Value>,
    keys: &'a JwkSet,
    problems: &mut Vec<Problem>,
) -> Option<(&'a Jwk, Algorithm)> {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let key = text("kid").and_then(|kid| keys.find(kid));
    let algorithm = key.and_then(algorithm_of);
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
        (Some(alg), Some(algorithm)) if alg != format!("{algorithm:?}") => Some(Problem::OtherAlgorithm(algorithm)),
        _ => None,
    };
    let is_possible = of_algorithm.is_none();
    problems.extend(of_key);
    problems.extend(of_algorithm);
    key.zip(algorithm).filter(|_| is_possible)
}

/// Returns the algorithm of a key. The header of a token is not trusted.
fn algorithm_of(key: &Jwk) -> Option<Algorithm> {
    match key.common.key_algorithm? {
        KeyAlgorithm::RS256 => Some(Algorithm::RS256),
        KeyAlgorithm::ES256 => Some(Algorithm::ES256),
        KeyAlgorithm::EdDSA => Some(Algorithm::EdDSA),
        _ => None,
    }
}

fn check_signature(message: &str, signature: &str, key: &Jwk, algorithm: Algorithm) -> Option<Problem> {
    if URL_SAFE_NO_PAD.decode(signature).is_err() {
        return Some(Problem::SignatureEncoding);
    }
    let key = DecodingKey::from_jwk(key);
    match key.and_then(|key| crypto::verify(signature, message.as_bytes(), &key, algorithm)) {
        Ok(true) => None,
        Ok(false) => Some(Problem::Signature),
        Err(_) => Some(Problem::InvalidKey),
    }
}
