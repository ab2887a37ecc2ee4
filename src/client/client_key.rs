//! The public keys of a client: the attribute `jwks`.

use serde::{Deserialize, Serialize};

use super::for_people;
use crate::jwt::{Algorithm, NotUsable, PublicKey, json};

/// The number of keys that a client may have.
pub const MAX_CLIENT_KEYS: usize = 4;

/// One of a client's public keys, with which its assertions are verified.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "Stored")]
pub struct ClientKey {
    /// The id, which the header of an assertion may name.
    pub kid: String,
    /// The one algorithm with which the key may be used.
    pub alg: Algorithm,
    /// The key.
    pub jwk: PublicJwk,
    /// The time at which the key was added, in seconds since the epoch, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<u64>,
    /// The time at which the key expires, in seconds since the epoch. Absent means never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// The attributes of a key as they are stored.
#[derive(Deserialize)]
struct Stored {
    kid: String,
    alg: Algorithm,
    jwk: PublicJwk,
    #[serde(default, deserialize_with = "for_people")]
    created_at: Option<u64>,
    expires_at: Option<u64>,
}

impl TryFrom<Stored> for ClientKey {
    type Error = NotUsable;

    fn try_from(stored: Stored) -> Result<Self, NotUsable> {
        let Stored { kid, alg, jwk, created_at, expires_at } = stored;
        if !jwk.key().fits(alg) {
            return Err("the algorithm does not fit the key");
        }
        Ok(Self { kid, alg, jwk, created_at, expires_at })
    }
}

impl ClientKey {
    /// Builds the record of a key.
    ///
    /// # Errors
    /// [`NotUsable`] if the algorithm does not fit the key.
    pub fn new(kid: String, alg: Algorithm, key: &PublicKey, now: u64) -> Result<Self, NotUsable> {
        let jwk = PublicJwk::try_from(key.json().to_owned())?;
        Self::try_from(Stored { kid, alg, jwk, created_at: Some(now), expires_at: None })
    }

    /// Returns true if the key has not expired at `now`.
    pub fn is_active(&self, now: u64) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// The JSON of a public key (RFC 7517 section 4), and the key.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicJwk {
    json: String,
    key: PublicKey,
}

impl PublicJwk {
    /// Returns the key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}

impl TryFrom<String> for PublicJwk {
    type Error = NotUsable;

    fn try_from(json: String) -> Result<Self, NotUsable> {
        let members = json::object(json.as_bytes(), 2).ok_or("it is not one JSON object")?;
        Ok(Self { key: PublicKey::of(&members)?, json })
    }
}

impl From<PublicJwk> for String {
    fn from(jwk: PublicJwk) -> Self {
        jwk.json
    }
}
