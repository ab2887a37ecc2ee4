//! Inspection of a token: its content and all problems, which do not quote the token. No network and no clock.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::output;

/// The result of an inspection. Has the header and the claims even if they cannot be trusted.
#[derive(Default, Serialize)]
pub struct Inspection {
    pub valid: bool,
    pub structure: Option<u8>,
    pub header: Option<Map<String, Value>>,
    pub claims: Option<Map<String, Value>>,
    pub faults: Vec<String>,
}

/// The accepted clock skew in seconds.
const LEEWAY: u64 = 5;

/// The type of a claim.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Texts,
    Time,
}

/// The claims of both token versions. The other two lists have the claims of one version.
const CLAIMS: &[(&str, Form)] = &[
    ("iss", Form::Text),
    ("aud", Form::Text),
    ("sub", Form::Text),
    ("iat", Form::Time),
    ("nbf", Form::Time),
    ("exp", Form::Time),
    ("jti", Form::Text),
];
const CLAIMS_OF_1: &[(&str, Form)] = &[("scopes", Form::Texts)];
const CLAIMS_OF_2: &[(&str, Form)] = &[("client_id", Form::Text), ("scope", Form::Text)];

const NOT_PUBLISHED: &str =
    "The key is not published: the token is from another issuer, or the key was removed (rotated, or in an emergency).";

/// Inspects a token like a verifier that trusts this issuer and these keys, but does not stop at the first problem.
pub fn inspect(token: &str, issuer: &str, jwks: Result<&JwkSet, &String>, now: u64) -> Inspection {
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = *parts.as_slice() else {
        return Inspection { faults: vec![no_jwt(token, parts.len()).to_owned()], ..Inspection::default() };
    };
    let message = format!("{header}.{claims}");
    let mut faults = Vec::new();
    let header = decode("header", header, &mut faults);
    let claims = decode("payload", claims, &mut faults);
    let mut structure = None;
    if let Some(header) = &header {
        structure = check_type(header, &mut faults);
        match jwks {
            Ok(jwks) => {
                if let Some((key, algorithm)) = find_key(header, jwks, &mut faults) {
                    faults.extend(check_signature(&message, signature, key, algorithm).map(ToOwned::to_owned));
                }
            }
            Err(cause) => faults.push(format!("The signature cannot be checked: {cause}.")),
        }
    }
    if let Some(claims) = &claims {
        check_claims(claims, structure, issuer, &mut faults);
        check_times(claims, now, &mut faults);
    }
    Inspection { valid: faults.is_empty(), structure, header, claims, faults }
}

/// Describes a text that does not have the three parts of a signed JWT.
fn no_jwt(token: &str, parts: usize) -> &'static str {
    if token.starts_with("cs_rt_") {
        return "This is a refresh token, which is opaque and only for the token endpoint.";
    }
    if token.starts_with("cs_") {
        return "This looks like a client secret. Replace it with `countersign client rotate-secret`.";
    }
    match parts {
        5 => "The token is encrypted (a JWE). This issuer only signs tokens.",
        _ => "This is not a JWT, which has three parts with dots between them.",
    }
}

fn decode(name: &str, part: &str, faults: &mut Vec<String>) -> Option<Map<String, Value>> {
    let Ok(json) = URL_SAFE_NO_PAD.decode(part) else {
        faults.push(format!("The {name} is not base64url: this is not a JWT, or it is truncated."));
        return None;
    };
    let object = serde_json::from_slice(&json).ok();
    if object.is_none() {
        faults.push(format!("The {name} is not a JSON object: this is not a JWT, or it is truncated."));
    }
    object
}

/// Returns the token version of the header.
fn check_type(header: &Map<String, Value>, faults: &mut Vec<String>) -> Option<u8> {
    if header.contains_key("crit") {
        faults.push("The header has a crit, which verifiers that do not know it must reject (RFC 7515).".to_owned());
    }
    match header.get("typ").and_then(Value::as_str) {
        Some("at+jwt") => Some(2),
        Some("JWT") => Some(1),
        _ => {
            faults.push("The typ is neither at+jwt (version 2) nor JWT (version 1).".to_owned());
            None
        }
    }
}

/// Returns the key that the header names, and its algorithm. Returns `None` if the `alg` of the header is another one.
fn find_key<'a>(
    header: &Map<String, Value>,
    jwks: &'a JwkSet,
    faults: &mut Vec<String>,
) -> Option<(&'a Jwk, Algorithm)> {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let key = text("kid").and_then(|kid| jwks.find(kid));
    let algorithm = key.and_then(algorithm_of);
    let of_key = match (text("kid"), key, algorithm) {
        (None, ..) => Some("The header has no kid, which names the key."),
        (_, None, _) => Some(NOT_PUBLISHED),
        (_, _, None) => Some("The key is published, but its algorithm is not RS256, ES256 or EdDSA."),
        _ => None,
    };
    let of_algorithm = match (text("alg"), algorithm) {
        (None, _) => Some("The header has no alg.".to_owned()),
        (Some(alg), _) if alg.eq_ignore_ascii_case("none") => {
            Some("The token is not signed (alg is none): anyone can have made it.".to_owned())
        }
        (Some(alg), _) if alg.starts_with("HS") => {
            Some("The token is signed with a shared secret (HMAC), which this issuer does not use.".to_owned())
        }
        (Some(alg), Some(algorithm)) if alg != format!("{algorithm:?}") => {
            Some(format!("The alg does not match the algorithm of the key, {algorithm:?}."))
        }
        _ => None,
    };
    let is_possible = of_algorithm.is_none();
    faults.extend(of_key.map(ToOwned::to_owned));
    faults.extend(of_algorithm);
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

fn check_signature(message: &str, signature: &str, key: &Jwk, algorithm: Algorithm) -> Option<&'static str> {
    if URL_SAFE_NO_PAD.decode(signature).is_err() {
        return Some("The signature is wrong, because it is not base64url: the token was changed or truncated.");
    }
    let key = DecodingKey::from_jwk(key);
    match key.and_then(|key| crypto::verify(signature, message.as_bytes(), &key, algorithm)) {
        Ok(true) => None,
        Ok(false) => Some("The signature is wrong: the token was changed or forged."),
        Err(_) => Some("The published key is not valid."),
    }
}

fn check_claims(claims: &Map<String, Value>, structure: Option<u8>, issuer: &str, faults: &mut Vec<String>) {
    let of_structure = match structure {
        Some(1) => CLAIMS_OF_1,
        Some(_) => CLAIMS_OF_2,
        None => &[],
    };
    for (name, form) in CLAIMS.iter().chain(of_structure) {
        match claims.get(*name) {
            None => faults.push(format!("The {name} is missing.")),
            Some(value) if !form.fits(value) => faults.push(format!("The {name} is not {}.", form.in_words())),
            Some(_) => {}
        }
    }
    if claims.get("iss").and_then(Value::as_str).is_some_and(|found| found != issuer) {
        faults.push(format!("The issuer is not exactly {issuer}."));
    }
}

impl Form {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Texts => value.as_array().is_some_and(|texts| texts.iter().all(Value::is_string)),
            Self::Time => value.is_u64(),
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Texts => "an array of strings",
            Self::Time => "a whole number of seconds",
        }
    }
}

fn check_times(claims: &Map<String, Value>, now: u64, faults: &mut Vec<String>) {
    let time = |name: &str| claims.get(name).and_then(Value::as_u64);
    if let Some(from) = time("nbf").max(time("iat")).filter(|from| *from > now + LEEWAY) {
        faults.push(format!("The token is not valid for another {}; check the clocks.", output::span(from - now)));
    }
    if let Some(expires_at) = time("exp") {
        if expires_at <= now {
            faults.push(format!("The token expired {} ago.", output::span(now - expires_at)));
        }
        if time("iat").is_some_and(|issued_at| expires_at <= issued_at) {
            faults.push("The exp is not after the iat.".to_owned());
        }
    }
}
