//! The signing keys and the refresh token keys, from one secret in Secrets Manager.
//!
//! The secret is a document `{"version":1, "current":{..}, "next":{..}, "previous":[..], "refresh":{..}}`, or a bare
//! PKCS#8 PEM (an externally managed key). The key decides the algorithm: RSA signs RS256, P-256 signs ES256, Ed25519 signs
//! EdDSA. Each key is parsed once and checked by one signature before it is used.
//!
//! `current` signs. `next` is public, so that every verifier has fetched it before it signs. `previous` stay public until
//! their last tokens have expired.
//!
//! | file | what it has |
//! |---|---|
//! | `document`, `signing_key` | the text of the secret; one private key |
//! | `keyring` | the set that this process uses, and its reload |
//! | `rotation`, `rotator` | the rules of rotation (pure); their application to the secret |
//! | `secret` | the one reader and writer of the secret |
//! | `status` | the keys as they are shown to people |

use std::{error, fmt};

use aws_lc_rs::{hkdf, hmac};
use jsonwebtoken::jwk::{Jwk, JwkSet};

use crate::refresh_token::RefreshTokenKeys;
use crate::user::Username;

mod document;
mod keyring;
mod rotation;
mod rotator;
mod secret;
mod signing_key;
mod status;

pub use document::Document;
pub use keyring::Keyring;
pub use rotation::{Rotated, RotationPolicy};
pub use rotator::{Keys, RotationError, RotationReport, RotationRequest, Rotator};
pub use signing_key::SigningKey;
pub use status::{KeyStatus, Stage};

/// The label of the key that names users in the log.
const LOG_LABEL: &[u8] = b"countersign log v1";

/// The longest lifetime of an access token in seconds, whatever a client's record says. A key stays public for this time
/// after it signed for the last time.
pub const MAX_ACCESS_TOKEN_TTL: u32 = 7 * 24 * 60 * 60;

/// Why there is no signing key. Reveals nothing of the secret's content.
#[derive(Debug)]
pub enum KeyError {
    /// The secret cannot be read.
    Unavailable(String),
    /// The content of the secret is not valid.
    Unusable(&'static str),
    /// A key that signed when it was loaded does not sign any more.
    Signing,
}

impl fmt::Display for KeyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(cause) => write!(formatter, "the signing secret cannot be read: {cause}"),
            Self::Unusable(fault) => write!(formatter, "the signing secret cannot be used: {fault}"),
            Self::Signing => formatter.write_str("the token cannot be signed"),
        }
    }
}

impl error::Error for KeyError {}

/// All keys of one version of the secret.
pub struct KeySet {
    /// The key that signs.
    pub current: SigningKey,
    /// The keys of refresh tokens.
    pub refresh_token_keys: RefreshTokenKeys,
    /// The key that names users in the log.
    log_key: hmac::Key,
    /// The public keys, as verifiers get them: a JWK set (RFC 7517 section 5), in JSON.
    pub jwks: String,
    /// The algorithms of the current and the next key, each once, by their names in RFC 7518.
    pub algorithms: Vec<String>,
}

impl KeySet {
    /// Parses the text of the secret, in either form. Keys whose time is over at `now` are left out.
    ///
    /// # Errors
    /// [`KeyError::Unusable`]
    pub fn parse(secret: &str, now: u64) -> Result<Self, KeyError> {
        if Document::is_one(secret) { Document::parse(secret)?.key_set(now) } else { document::key_set_of_pem(secret) }
    }

    /// Builds the set. New refresh tokens are made with `refresh_key`; `other_refresh_keys` are accepted too.
    fn new(
        current: SigningKey,
        next: Option<Jwk>,
        previous: Vec<Jwk>,
        refresh_key: &[u8],
        other_refresh_keys: &[Vec<u8>],
    ) -> Result<Self, KeyError> {
        let mut keys: Vec<_> = std::iter::once(current.jwk().clone()).chain(next).collect();
        let algorithms = keys.iter().filter_map(|key| key.common.key_algorithm);
        let mut algorithms: Vec<_> = algorithms.map(|algorithm| algorithm.to_string()).collect();
        algorithms.dedup();
        keys.extend(previous);
        let jwks = serde_json::to_string(&JwkSet { keys }).map_err(|_| KeyError::Unusable("its keys have no JSON"))?;
        Ok(Self {
            current,
            refresh_token_keys: RefreshTokenKeys::new(refresh_key, other_refresh_keys.iter().map(Vec::as_slice)),
            log_key: hmac::Key::new(hmac::HMAC_SHA256, &derive(refresh_key, LOG_LABEL)?),
            jwks,
            algorithms,
        })
    }

    /// Returns the name of a user in the log: the first 64 bits of HMAC-SHA-256 of the username, in hex. The key is
    /// derived from the current refresh token key, so the log does not help to guess usernames.
    pub fn log_id(&self, username: &Username) -> String {
        let tag = hmac::sign(&self.log_key, username.as_str().as_bytes());
        let bits = tag.as_ref().iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        format!("{bits:016x}")
    }
}

/// Derives a key for one purpose, which the label names, by HKDF-SHA256 (RFC 5869).
fn derive(key: &[u8], label: &[u8]) -> Result<[u8; 32], KeyError> {
    let mut derived = [0; 32];
    hkdf::Salt::none(hkdf::HKDF_SHA256)
        .extract(key)
        .expand(&[label], hkdf::HKDF_SHA256)
        .and_then(|output| output.fill(&mut derived))
        .map(|()| derived)
        .map_err(|_| KeyError::Unusable("no key can be derived from it"))
}
