//! The records of keys in the document.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, ThumbprintHash};
use serde::{Deserialize, Deserializer, Serialize};

use super::document::decode_pem;
use super::{KeyError, SigningAlgorithm, SigningKey};
use crate::jwt::bits;

/// The smallest number of bits of an RSA key.
const MIN_RSA_BITS: usize = 2_048;

/// The current key or the next key.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct KeyRecord {
    pub kid: String,
    pub alg: SigningAlgorithm,
    /// PKCS#8, as a PEM.
    pub private_key: String,
    /// The time of its generation, for operators. Times are in seconds since the epoch.
    pub created_at: Option<u64>,
    /// The time at which it became public. Only the rotation writes it.
    pub public_since: Option<u64>,
    /// The time at which it began to sign.
    pub signs_since: Option<u64>,
}

/// A previous key.
#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum PreviousKeyRecord {
    /// The public half, which is needed until `leaves_at`.
    Public { public_key: Jwk, leaves_at: u64 },
    /// The form that an operator may write.
    Whole(KeyRecord),
}

/// A compromised key that was removed, for operators.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct DroppedKey {
    /// Its id.
    pub kid: String,
    /// The time of its removal in seconds since the epoch.
    pub dropped_at: u64,
    /// The time at which its last token has expired, in seconds since the epoch.
    pub leaves_at: u64,
}

/// The keys of refresh tokens: HMAC keys of 256 bits or more, in base64url or base64, padded or not.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct RefreshTokenKeyRecords {
    pub current: String,
    pub next: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub previous: Vec<PreviousRefreshTokenKeyRecord>,
}

/// A previous key of refresh tokens.
#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum PreviousRefreshTokenKeyRecord {
    /// The key, and the time at which its last refresh token has expired.
    Dated { key: String, leaves_at: u64 },
    /// The form that an operator may write.
    Bare(String),
}

/// Reads one value, a list of them, or null.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany<T> {
        Many(Vec<T>),
        One(T),
    }
    Ok(match Option::deserialize(deserializer)? {
        None => Vec::new(),
        Some(OneOrMany::One(one)) => vec![one],
        Some(OneOrMany::Many(many)) => many,
    })
}

impl KeyRecord {
    pub(super) fn parse(&self) -> Result<SigningKey, KeyError> {
        let key = SigningKey::from_pkcs8(decode_pem(&self.private_key)?.secret_pkcs8_der())?;
        if key.kid() != self.kid {
            return Err(KeyError::Unusable("a kid is not the RFC 7638 thumbprint of its key"));
        }
        if key.algorithm() != self.alg {
            return Err(KeyError::Unusable("an alg is not that of its key"));
        }
        Ok(key)
    }

    pub(super) fn public_key(&self) -> Result<Jwk, KeyError> {
        Ok(self.parse()?.jwk().clone())
    }
}

impl PreviousKeyRecord {
    pub(super) fn public_key(&self) -> Result<Jwk, KeyError> {
        match self {
            Self::Whole(record) => record.public_key(),
            Self::Public { public_key, .. } => {
                if algorithm_of(&public_key.algorithm).is_none() {
                    return Err(KeyError::Unusable("a previous key is not RSA (2048 bits or more), P-256 or Ed25519"));
                }
                let thumbprint = public_key.thumbprint(ThumbprintHash::SHA256).ok();
                if thumbprint.is_some() && thumbprint == public_key.common.key_id {
                    Ok(public_key.clone())
                } else {
                    Err(KeyError::Unusable("the kid of a previous key is not its RFC 7638 thumbprint"))
                }
            }
        }
    }

    /// Returns true if its last token has expired.
    pub(super) fn is_gone(&self, now: u64) -> bool {
        matches!(self, Self::Public { leaves_at, .. } if *leaves_at <= now)
    }

    pub(super) fn kid(&self) -> Option<&str> {
        match self {
            Self::Whole(record) => Some(&record.kid),
            Self::Public { public_key, .. } => public_key.common.key_id.as_deref(),
        }
    }
}

/// Returns the algorithm with which the private half of a public key signs. `None` if we do not sign with such a key.
pub(super) fn algorithm_of(key: &AlgorithmParameters) -> Option<SigningAlgorithm> {
    let (algorithm, is_usable) = match key {
        AlgorithmParameters::RSA(key) => {
            let is_strong = URL_SAFE_NO_PAD.decode(&key.n).is_ok_and(|modulus| bits(&modulus) >= MIN_RSA_BITS);
            (SigningAlgorithm::Rs256, is_strong)
        }
        AlgorithmParameters::EllipticCurve(key) => (SigningAlgorithm::Es256, key.curve == EllipticCurve::P256),
        AlgorithmParameters::OctetKeyPair(key) => (SigningAlgorithm::EdDsa, key.curve == EllipticCurve::Ed25519),
        _ => return None,
    };
    is_usable.then_some(algorithm)
}

impl PreviousRefreshTokenKeyRecord {
    /// Returns true if its last refresh token has expired.
    pub(super) fn is_gone(&self, now: u64) -> bool {
        matches!(self, Self::Dated { leaves_at, .. } if *leaves_at <= now)
    }

    pub(super) fn key(&self) -> &String {
        match self {
            Self::Dated { key, .. } | Self::Bare(key) => key,
        }
    }
}
