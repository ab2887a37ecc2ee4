//! Where each key of the secret stands, for people. Nothing of a private half is in it.

use serde::Serialize;

use super::document::{KeyRecord, PreviousKeyRecord};
use super::{Document, SigningKey};

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Is public, and will sign.
    Next,
    /// Signs.
    Current,
    /// Is public for as long as what it signed can live.
    Previous,
}

/// A key of the secret. Times are in seconds since the epoch; absent where nobody wrote them down.
#[derive(Clone, Debug, Serialize)]
pub struct KeyState {
    /// Its RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs by.
    pub algorithm: String,
    /// What it does.
    pub stage: Stage,
    /// When it was made.
    pub created_at: Option<u64>,
    /// Since when it is public.
    pub public_since: Option<u64>,
    /// Since when it signs.
    pub signs_since: Option<u64>,
    /// When it leaves the public set.
    pub leaves_at: Option<u64>,
}

impl Document {
    /// Where its keys stand at `now`: the one that signs, the next one, and the previous ones that are still public.
    pub fn states(&self, now: u64) -> Vec<KeyState> {
        let of_record = |record: &KeyRecord, stage| KeyState {
            kid: record.kid.clone(),
            algorithm: format!("{:?}", record.alg),
            stage,
            created_at: record.created_at,
            public_since: record.public_since,
            signs_since: record.signs_since,
            leaves_at: None,
        };
        let previous = self.previous.iter().filter(|key| !key.is_gone(now)).map(|key| match key {
            PreviousKeyRecord::Whole(record) => of_record(record, Stage::Previous),
            PreviousKeyRecord::Public { public_key, leaves_at } => KeyState {
                kid: public_key.common.key_id.clone().unwrap_or_default(),
                algorithm: public_key.common.key_algorithm.map(|algorithm| algorithm.to_string()).unwrap_or_default(),
                stage: Stage::Previous,
                created_at: None,
                public_since: None,
                signs_since: None,
                leaves_at: Some(*leaves_at),
            },
        });
        std::iter::once(of_record(&self.current, Stage::Current))
            .chain(self.next.iter().map(|record| of_record(record, Stage::Next)))
            .chain(previous)
            .collect()
    }
}

impl KeyState {
    /// A key that somebody brought along, which signs and is never rotated.
    pub(crate) fn of_own(key: &SigningKey) -> Self {
        Self {
            kid: key.kid().to_owned(),
            algorithm: format!("{:?}", key.algorithm()),
            stage: Stage::Current,
            created_at: None,
            public_since: None,
            signs_since: None,
            leaves_at: None,
        }
    }
}
