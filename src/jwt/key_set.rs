//! Key sets of issuers (RFC 7517 section 5).

use serde_json::{Map, Value};

use super::public_key::has_secret_member;
use super::{Jwt, NotUsable, PublicKey, json};

/// The largest number of keys of a set that are used.
const MAX_KEYS: usize = 100;
/// The largest depth of a set. Certificates in `x5c` are not read, but they have a place in a set.
const MAX_DEPTH: usize = 8;

/// The public keys of an issuer. Each has a `kid`.
#[derive(Clone, Debug)]
pub struct JwkSet(Vec<PublicKey>);

impl JwkSet {
    /// Reads a set that an issuer publishes. Skips keys that cannot verify a JWT: for encryption, of another type or size,
    /// or without a `kid`.
    ///
    /// # Errors
    /// [`NotUsable`] if the text is not a set, or if no key is left.
    pub fn published(text: &[u8]) -> Result<Self, NotUsable> {
        Self::usable(members(text)?.iter().filter_map(Value::as_object))
    }

    /// Reads a set that an operator wrote. It must contain only public keys, and keys that cannot verify a JWT are skipped.
    ///
    /// # Errors
    /// [`NotUsable`] also if an element is not a key, or is a private or a symmetric key.
    pub fn written(text: &[u8]) -> Result<Self, NotUsable> {
        let members = members(text)?;
        let keys = members.iter().map(Value::as_object).collect::<Option<Vec<_>>>();
        let keys = keys.ok_or("an element of the key set is not a JSON object")?;
        if keys.iter().any(|key| has_secret_member(key)) {
            return Err("the key set contains a private key");
        }
        Self::usable(keys)
    }

    fn usable<'a>(keys: impl IntoIterator<Item = &'a Map<String, Value>>) -> Result<Self, NotUsable> {
        let keys = keys.into_iter().filter_map(|key| PublicKey::of(key).ok()).filter(|key| key.kid().is_some());
        let keys: Vec<_> = keys.take(MAX_KEYS).collect();
        if keys.is_empty() { Err("no key of the set has a kid and can verify a JWT") } else { Ok(Self(keys)) }
    }

    /// Returns true if the set has a key with this `kid`.
    pub fn has(&self, kid: &str) -> bool {
        self.named(kid).next().is_some()
    }

    /// Returns true if a key with this `kid` verifies the signature. The key decides which algorithms are possible.
    pub fn verifies(&self, jwt: &Jwt<'_>, kid: &str) -> bool {
        self.named(kid).any(|key| jwt.is_signed_by(key))
    }

    fn named<'a>(&'a self, kid: &'a str) -> impl Iterator<Item = &'a PublicKey> {
        self.0.iter().filter(move |key| key.kid() == Some(kid))
    }
}

/// Returns the elements of a set.
fn members(text: &[u8]) -> Result<Vec<Value>, NotUsable> {
    match json::object(text, MAX_DEPTH).and_then(|mut set| set.remove("keys")) {
        Some(Value::Array(keys)) => Ok(keys),
        _ => Err("it is not a JSON object with the array keys"),
    }
}
