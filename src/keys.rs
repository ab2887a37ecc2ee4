//! The signing keys and the refresh token keys, from one secret in Secrets Manager.
//!
//! The secret is a document `{"version":1, "current":{..}, "next":{..}, "previous":[..], "refresh":{..}}`, or a bare
//! PKCS#8 PEM (an externally managed key). The key decides the algorithm: RSA signs RS256, P-256 signs ES256, Ed25519 signs
//! EdDSA. Each key is parsed once and checked by one signature before it is used.
//!
//! `current` signs. `next` is public, so that every verifier has fetched it before it signs. The keys in `previous` stay
//! public until their last tokens have expired.
//!
//! | file | content |
//! |---|---|
//! | `document`, `records` | the text of the secret, and the records of keys in it |
//! | `signing_key`, `key_pair`, `algorithm` | one private key; its kinds; the algorithms |
//! | `key_set`, `keyring` | all keys of one version of the secret; the set that this process uses, and its reload |
//! | `generation`, `rotation`, `rotator` | new keys; the rules of rotation (pure); their application to the secret |
//! | `secret` | the one reader and writer of the secret |
//! | `status` | the status of each key, for operators |

use std::{error, fmt};

use aws_lc_rs::hkdf;

mod algorithm;
mod document;
mod generation;
mod key_pair;
mod key_set;
mod keyring;
mod records;
mod rotation;
mod rotator;
mod secret;
mod signing_key;
mod status;

pub use algorithm::SigningAlgorithm;
pub use document::Document;
pub use generation::generate_client_key;
pub use key_set::KeySet;
pub use keyring::Keyring;
pub use records::DroppedKey;
pub use rotation::{Rotated, RotationPolicy};
pub use rotator::{RotationError, RotationReport, RotationRequest, Rotator};
pub use signing_key::{HeaderType, SigningKey};
pub use status::{KeyStatus, Keys, Stage};

/// The longest lifetime of an access token in seconds. It limits the lifetime in a client's record. A key stays public for
/// this time after its last signature.
pub const MAX_ACCESS_TOKEN_TTL: u32 = 7 * 24 * 60 * 60;

/// Seconds after `max-age` during which a cache may serve a published document that it cannot revalidate (RFC 5861
/// section 4). API Gateway's authorizers cache keys for the same time.
///
/// No verifier may miss a key that signs (S-505). A key is public for at least 9,000 s before it signs. Of these, 900 s
/// may pass before a process loads it, and 900 s more before a cache revalidates (`KEYS_MAX_AGE` is at most 900). The
/// remaining time is this one.
pub const STALE_IF_ERROR: u32 = 7_200;

/// The reason why there is no signing key. Does not contain any content of the secret.
#[derive(Debug)]
pub enum KeyError {
    /// The secret cannot be read.
    Unavailable(String),
    /// The content of the secret is not valid.
    Unusable(&'static str),
    /// A key that signed when it was loaded cannot sign.
    Signing,
}

impl fmt::Display for KeyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(cause) => write!(formatter, "the signing secret cannot be read: {cause}"),
            Self::Unusable(problem) => write!(formatter, "the signing secret cannot be used: {problem}"),
            Self::Signing => formatter.write_str("the token cannot be signed"),
        }
    }
}

impl error::Error for KeyError {}

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
