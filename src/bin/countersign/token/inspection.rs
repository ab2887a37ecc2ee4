//! What is in a token, and all that is wrong with it, in words that do not quote it. Pure: no network, no clock.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::output;

/// What was found in a token. Header and claims are shown whether they can be trusted or not.
#[derive(Default, Serialize)]
pub struct Inspection {
    pub valid: bool,
    pub structure: Option<u8>,
    pub header: Option<Map<String, Value>>,
    pub claims: Option<Map<String, Value>>,
    pub faults: Vec<String>,
}

/// Seconds by which two clocks that are looked after may differ.
const LEEWAY: u64 = 5;

/// What a claim must be.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Texts,
    Time,
}

/// The claims of both structures, and those of each alone.
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
    "Its key is not published: it is of another issuer, or the key has left (rotated out, or dropped in an emergency).";

/// Looks at a token as a verifier does who trusts this issuer and these keys, and goes on where that one would stop.
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
            Err(cause) => faults.push(format!("Whether its signature is good cannot be found out: {cause}.")),
        }
    }
    if let Some(claims) = &claims {
        check_claims(claims, structure, issuer, &mut faults);
        check_times(claims, now, &mut faults);
    }
    Inspection { valid: faults.is_empty(), structure, header, claims, faults }
}

/// What a text is that has not the three parts of a signed JWT.
fn no_jwt(token: &str, parts: usize) -> &'static str {
    if token.starts_with("cs_rt_") {
        return "It is a refresh token: an opaque reference, for the token endpoint alone.";
    }
    if token.starts_with("cs_") {
        return "It looks like a client secret, and has been shown: replace it by `countersign client rotate-secret`.";
    }
    match parts {
        5 => "It is encrypted (a JWE), and so none of ours.",
        _ => "It is no JWT: that has three parts, with dots between them.",
    }
}

fn decode(name: &str, part: &str, faults: &mut Vec<String>) -> Option<Map<String, Value>> {
    let Ok(json) = URL_SAFE_NO_PAD.decode(part) else {
        faults.push(format!("Its {name} is not base64url: it is no JWT, or not the whole of one."));
        return None;
    };
    let object = serde_json::from_slice(&json).ok();
    if object.is_none() {
        faults.push(format!("Its {name} is not a JSON object: it is no JWT, or not the whole of one."));
    }
    object
}

/// The structure that the header claims.
fn check_type(header: &Map<String, Value>, faults: &mut Vec<String>) -> Option<u8> {
    if header.contains_key("crit") {
        faults.push("Its header has a crit: whoever does not know what is in it must refuse it (RFC 7515).".to_owned());
    }
    match header.get("typ").and_then(Value::as_str) {
        Some("at+jwt") => Some(2),
        Some("JWT") => Some(1),
        _ => {
            faults.push("Its typ is neither at+jwt (structure 2) nor JWT (structure 1).".to_owned());
            None
        }
    }
}

/// The key that must have signed it, with the algorithm of that key; if the header does not rule that out.
fn find_key<'a>(
    header: &Map<String, Value>,
    jwks: &'a JwkSet,
    faults: &mut Vec<String>,
) -> Option<(&'a Jwk, Algorithm)> {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let key = text("kid").and_then(|kid| jwks.find(kid));
    let algorithm = key.and_then(algorithm_of);
    let of_key = match (text("kid"), key, algorithm) {
        (None, ..) => Some("Its header has no kid, which names its key."),
        (_, None, _) => Some(NOT_PUBLISHED),
        (_, _, None) => Some("Its key is published, but signs by none of RS256, ES256 and EdDSA."),
        _ => None,
    };
    let of_algorithm = match (text("alg"), algorithm) {
        (None, _) => Some("Its header has no alg.".to_owned()),
        (Some(alg), _) if alg.eq_ignore_ascii_case("none") => {
            Some("It is not signed (its alg is none): anybody can have made it.".to_owned())
        }
        (Some(alg), _) if alg.starts_with("HS") => {
            Some("It is signed by a shared secret, which no issuer of ours does.".to_owned())
        }
        (Some(alg), Some(algorithm)) if alg != format!("{algorithm:?}") => {
            Some(format!("Its alg is not that of its key, which is {algorithm:?}."))
        }
        _ => None,
    };
    let is_possible = of_algorithm.is_none();
    faults.extend(of_key.map(ToOwned::to_owned));
    faults.extend(of_algorithm);
    key.zip(algorithm).filter(|_| is_possible)
}

/// What a key signs by. A token is never asked.
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
        return Some("Its signature is wrong, for it is not base64url: it was changed on its way, or cut off.");
    }
    let key = DecodingKey::from_jwk(key);
    match key.and_then(|key| crypto::verify(signature, message.as_bytes(), &key, algorithm)) {
        Ok(true) => None,
        Ok(false) => Some("Its signature is wrong: it was changed on its way, or forged."),
        Err(_) => Some("Its key is published in a form that cannot be used."),
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
            None => faults.push(format!("It has no {name}.")),
            Some(value) if !form.fits(value) => faults.push(format!("Its {name} is not {}.", form.in_words())),
            Some(_) => {}
        }
    }
    if claims.get("iss").and_then(Value::as_str).is_some_and(|found| found != issuer) {
        faults.push(format!("Its issuer is not {issuer}, letter by letter."));
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
            Self::Text => "a text",
            Self::Texts => "an array of texts",
            Self::Time => "a whole number of seconds",
        }
    }
}

fn check_times(claims: &Map<String, Value>, now: u64, faults: &mut Vec<String>) {
    let time = |name: &str| claims.get(name).and_then(Value::as_u64);
    if let Some(from) = time("nbf").max(time("iat")).filter(|from| *from > now + LEEWAY) {
        faults.push(format!("It is not valid for another {}: is a clock wrong?", output::span(from - now)));
    }
    if let Some(expires_at) = time("exp") {
        if expires_at <= now {
            faults.push(format!("It expired {} ago.", output::span(now - expires_at)));
        }
        if time("iat").is_some_and(|issued_at| expires_at <= issued_at) {
            faults.push("It expires no later than it was issued.".to_owned());
        }
    }
}
