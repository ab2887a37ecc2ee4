//! Public keys in files: JWKs (RFC 7517) and PEM (RFC 7468 section 13).

use countersign::jwt::{PublicKey, json};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::input;

/// Reads a public key from a file, or from stdin if the name is `-`. Rejects a private key.
pub fn read(name: &str) -> Result<PublicKey, Error> {
    let text = input::text(name)?;
    let jwk = if text.trim_start().starts_with('{') { of_json(name, &text)? } else { of_pem(name, &text)? };
    if jwk.contains_key("d") {
        return Err(Error::new(format!(
            "{name} has a private key, which must stay with the client; add the public half: \
             `jq 'del(.d,.p,.q,.dp,.dq,.qi,.oth)' {name} | countersign client key add ID -`"
        )));
    }
    PublicKey::of(&jwk).map_err(|problem| Error::new(format!("{name} is not a usable key: {problem}")))
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
    if text.contains("PRIVATE KEY-----") {
        return Err(Error::new(format!(
            "{name} has a private key, which must stay with the client; add the public half: \
             `openssl pkey -in {name} -pubout | countersign client key add ID -`"
        )));
    }
    let readers = [DecodingKey::from_rsa_pem, DecodingKey::from_ec_pem, DecodingKey::from_ed_pem];
    let key = readers.into_iter().find_map(|read| read(text.as_bytes()).ok());
    let jwk = key.and_then(|key| Jwk::from_decoding_key(&key, None).ok());
    match jwk.and_then(|jwk| serde_json::to_value(jwk).ok()) {
        Some(Value::Object(members)) => Ok(members),
        _ => Err(Error::new(format!("{name} is neither a JWK, nor a JWK set, nor the PEM of a public key"))),
    }
}
