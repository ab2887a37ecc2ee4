//! Public keys in files: JWKs (RFC 7517) and PEM (RFC 7468 section 13).

use aws_lc_rs::signature::{self, ParsedPublicKey};
use countersign::jwt::{PublicKey, json};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::input;

/// Reads a public key of a client from a file, or from stdin if the name is `-`. Rejects a private key.
pub fn read(file: &str, client_id: &str) -> Result<PublicKey, Error> {
    let text = input::text(file)?;
    let client_id = input::quoted(client_id);
    let (name, path) = (input::shown(file), if file == "-" { "FILE".to_owned() } else { input::quoted(file) });
    let private = |public_half: String| {
        Error::new(format!(
            "{name} has a private key, which must stay with the client; add the public half: \
             `{public_half} | countersign client key add {client_id} -`"
        ))
    };
    let is_json = text.trim_start().starts_with('{');
    if !is_json && text.contains("PRIVATE KEY-----") {
        return Err(private(format!("openssl pkey -in {path} -pubout")));
    }
    let jwk = if is_json { of_json(name, &text)? } else { of_pem(name, &text)? };
    if jwk.contains_key("d") {
        return Err(private(format!("jq '(.keys[0] // .) | del(.d,.p,.q,.dp,.dq,.qi,.oth)' {path}")));
    }
    let key = PublicKey::of(&jwk).map_err(|problem| Error::new(format!("{name} is not a usable key: {problem}")))?;
    if is_on_curve(&jwk) {
        Ok(key)
    } else {
        Err(Error::new(format!("{name} is not a usable key: it is not on the curve P-256 or P-384")))
    }
}

/// Returns false for an EC key whose point is not on its curve: the reader of PEM takes the curve from the size of the point,
/// which other curves have, too (secp256k1, brainpool).
fn is_on_curve(jwk: &Map<String, Value>) -> bool {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str).unwrap_or_default();
    let algorithm = match text("crv") {
        "P-256" => &signature::ECDSA_P256_SHA256_FIXED,
        "P-384" => &signature::ECDSA_P384_SHA384_FIXED,
        _ => return true,
    };
    let coordinate = |name| json::decode(text(name)).unwrap_or_default();
    // The uncompressed form of a point (SEC 1 section 2.3.3).
    ParsedPublicKey::new(algorithm, [vec![4], coordinate("x"), coordinate("y")].concat()).is_ok()
}

/// Returns the one key of a JWK or of a JWK set.
fn of_json(name: &str, text: &str) -> Result<Map<String, Value>, Error> {
    let malformed = || Error::new(format!("{name} is neither a JWK, nor a JWK set, nor PEM"));
    let mut object = json::object(text.as_bytes(), 4).ok_or_else(malformed)?;
    match object.remove("keys") {
        None => Ok(object),
        Some(Value::Array(keys)) => match <[Value; 1]>::try_from(keys) {
            Ok([Value::Object(key)]) => Ok(key),
            Ok(_) => Err(malformed()),
            Err(keys) => Err(Error::new(format!("{name} has {} keys; write one of them to a file", keys.len()))),
        },
        Some(_) => Err(malformed()),
    }
}

/// Returns the key of a PEM.
fn of_pem(name: &str, text: &str) -> Result<Map<String, Value>, Error> {
    let readers = [DecodingKey::from_rsa_pem, DecodingKey::from_ec_pem, DecodingKey::from_ed_pem];
    let key = readers.into_iter().find_map(|read| read(text.as_bytes()).ok());
    let jwk = key.and_then(|key| Jwk::from_decoding_key(&key, None).ok());
    match jwk.and_then(|jwk| serde_json::to_value(jwk).ok()) {
        Some(Value::Object(members)) => Ok(members),
        _ => Err(Error::new(format!(
            "{name} is neither a JWK, nor a JWK set, nor the PEM of a public key (RSA, P-256, P-384 or Ed25519)"
        ))),
    }
}
