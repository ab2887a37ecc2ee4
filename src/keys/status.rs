//! The status of each key of the secret, for operators. Contains nothing of a private half.

use aws_config::SdkConfig;
use serde::Serialize;

use super::document::Content;
use super::records::{DroppedKey, KeyRecord, PreviousKeyRecord, algorithm_of};
use super::secret::SigningSecret;
use super::{Document, RotationError, SigningAlgorithm, SigningKey};

/// The keys of the secret, for operators.
pub struct Keys {
    /// The status of each key.
    pub states: Vec<KeyStatus>,
    /// The public keys that verifiers should get: a JWK set (RFC 7517 section 5), in JSON.
    pub jwks: String,
    /// The compromised keys that were removed, until their last tokens have expired.
    pub dropped: Vec<DroppedKey>,
    /// False for an externally managed key, which is never rotated.
    pub are_rotated: bool,
}

/// The role of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The key is public, and signs next.
    Next,
    /// The key signs.
    Current,
    /// The key is public until its last token has expired.
    Previous,
}

/// The status of a key. Times are in seconds since the epoch; absent if the secret does not contain them.
#[derive(Clone, Debug, Serialize)]
pub struct KeyStatus {
    /// Its RFC 7638 thumbprint.
    pub kid: String,
    /// Its signing algorithm.
    pub algorithm: SigningAlgorithm,
    /// Its role.
    pub stage: Stage,
    /// The time of its generation.
    pub created_at: Option<u64>,
    /// The time at which it became public.
    pub public_since: Option<u64>,
    /// The time at which it began to sign.
    pub signs_since: Option<u64>,
    /// The time at which it leaves the public set.
    pub leaves_at: Option<u64>,
}

impl Document {
    /// Returns the status of the keys at `now`: the current key, the next one, and the previous ones that are still
    /// public.
    pub fn states(&self, now: u64) -> Vec<KeyStatus> {
        let of_record = |record: &KeyRecord, stage| KeyStatus {
            kid: record.kid.clone(),
            algorithm: record.alg,
            stage,
            created_at: record.created_at,
            public_since: record.public_since,
            signs_since: record.signs_since,
            leaves_at: None,
        };
        // A document with a public key without a kid, or of another algorithm, was rejected.
        let previous = self.previous.iter().filter(|key| !key.is_gone(now)).filter_map(|key| match key {
            PreviousKeyRecord::Whole(record) => Some(of_record(record, Stage::Previous)),
            PreviousKeyRecord::Public { public_key, leaves_at } => Some(KeyStatus {
                kid: public_key.common.key_id.clone()?,
                algorithm: algorithm_of(&public_key.algorithm)?,
                stage: Stage::Previous,
                created_at: None,
                public_since: None,
                signs_since: None,
                leaves_at: Some(*leaves_at),
            }),
        });
        std::iter::once(of_record(&self.current, Stage::Current))
            .chain(self.next.iter().map(|record| of_record(record, Stage::Next)))
            .chain(previous)
            .collect()
    }
}

impl KeyStatus {
    /// Returns the status of an externally managed key, which signs and is never rotated.
    pub(super) fn of_external(key: &SigningKey) -> Self {
        Self {
            kid: key.kid().to_owned(),
            algorithm: key.algorithm(),
            stage: Stage::Current,
            created_at: None,
            public_since: None,
            signs_since: None,
            leaves_at: None,
        }
    }
}

impl Keys {
    /// Reads the keys of a secret.
    ///
    /// # Errors
    /// [`RotationError::Keys`] if they cannot be read or used; [`RotationError::Nothing`] if the secret is empty.
    pub async fn read(sdk: &SdkConfig, secret_id: &str, now: u64) -> Result<Self, RotationError> {
        let version = Box::pin(SigningSecret::new(sdk, secret_id.to_owned()).read()).await?;
        let version = version.ok_or(RotationError::Nothing("the secret has no keys yet"))?;
        let content = Content::parse(&version.text)?;
        let set = content.key_set(now)?;
        let (states, dropped, are_rotated) = match content {
            Content::Document(document) => (document.states(now), document.dropped, true),
            Content::External(_) => (vec![KeyStatus::of_external(&set.current)], Vec::new(), false),
        };
        Ok(Self { states, jwks: set.jwks, dropped, are_rotated })
    }
}
