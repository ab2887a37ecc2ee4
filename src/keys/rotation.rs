//! The rotation of keys (S-505): a key does not sign before every verifier has had time to fetch it, and does not leave the
//! public set before its last token has expired. Pure: one document in, another one out.
//!
//! ```text
//! next: public, does not sign  ->  current: signs  ->  previous: public, until its last token has expired
//! ```
//!
//! Refresh token keys rotate in the same way: an execution environment may only use a key that all others have loaded.

use super::document::DOCUMENT_VERSION;
use super::generation::generate_refresh_token_key;
use super::records::{DroppedKey, KeyRecord, PreviousKeyRecord, PreviousRefreshTokenKeyRecord, RefreshTokenKeyRecords};
use super::{Document, KeyError, MAX_ACCESS_TOKEN_TTL, SigningAlgorithm};

/// Seconds for which a key stays after its last token has expired: an execution environment may sign with a set that it
/// loaded before the rotation, and clocks differ.
const MARGIN: u64 = 3_600;

/// The rules of a deployment for its keys.
#[derive(Clone, Copy, Debug)]
pub struct RotationPolicy {
    /// The algorithm of new keys.
    pub algorithm: SigningAlgorithm,
    /// The seconds for which a key must have been public before it signs: longer than any verifier caches a set.
    pub public_for: u32,
    /// The seconds after which every refresh token has expired.
    pub refresh_token_max_ttl: u32,
}

/// The result of a change.
pub enum Rotated {
    /// The new document, which has to be written.
    Changed(Box<Document>),
    /// There is nothing to change. The reason is for operators.
    Unchanged(&'static str),
}

impl Document {
    /// Promotes the next key if it has been public for long enough and the current key has signed for `after` seconds, and
    /// generates another next key.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if a key of the document cannot be used.
    pub fn rotate(&self, policy: &RotationPolicy, after: u64, now: u64) -> Result<Rotated, KeyError> {
        let Some(next) = &self.next else {
            return Ok(self.with_next(KeyRecord::generate(policy.algorithm, now)?));
        };
        let Some(since) = next.public_since else {
            // An operator wrote this key into the secret. It counts as public from now on.
            return Ok(self.with_next(KeyRecord { public_since: Some(now), ..next.clone() }));
        };
        if self.current.signs_since.is_some_and(|since| now.saturating_sub(since) < after) {
            return Ok(Rotated::Unchanged("the current key has not signed for long enough"));
        }
        if now.saturating_sub(since) < u64::from(policy.public_for) {
            return Ok(Rotated::Unchanged("the next key has not been public for long enough"));
        }
        Ok(Self {
            version: DOCUMENT_VERSION,
            current: KeyRecord { signs_since: Some(now), ..next.clone() },
            next: Some(KeyRecord::generate(policy.algorithm, now)?),
            previous: self.rotated_previous_keys(now)?,
            dropped: self.dropped.iter().filter(|key| key.leaves_at > now).cloned().collect(),
            refresh: self.rotated_refresh_token_keys(policy, now),
        }
        .into())
    }

    /// Returns the previous keys after a rotation: the current key, and those whose last token has not expired.
    fn rotated_previous_keys(&self, now: u64) -> Result<Vec<PreviousKeyRecord>, KeyError> {
        let leaves_at = last_token_expires_at(now);
        let mut previous = vec![PreviousKeyRecord::Public { public_key: self.current.public_key()?, leaves_at }];
        for key in self.previous.iter().filter(|key| !key.is_gone(now)) {
            previous.push(match key {
                PreviousKeyRecord::Public { .. } => key.clone(),
                // The private half is not needed any more.
                PreviousKeyRecord::Whole(record) => {
                    PreviousKeyRecord::Public { public_key: record.public_key()?, leaves_at }
                }
            });
        }
        Ok(previous)
    }

    /// Returns the refresh token keys after a rotation. Without a next key, only the current one is known to every
    /// execution environment: it stays until the next rotation.
    fn rotated_refresh_token_keys(&self, policy: &RotationPolicy, now: u64) -> RefreshTokenKeyRecords {
        let leaves_at = now.saturating_add(u64::from(policy.refresh_token_max_ttl)).saturating_add(MARGIN);
        let dated = |key: &String| PreviousRefreshTokenKeyRecord::Dated { key: key.clone(), leaves_at };
        let RefreshTokenKeyRecords { current, next, previous } = &self.refresh;
        let replaced = next.as_ref().filter(|next| *next != current).map(|_| dated(current));
        let others = previous.iter().filter(|key| !key.is_gone(now)).map(|key| match key {
            PreviousRefreshTokenKeyRecord::Dated { .. } => key.clone(),
            PreviousRefreshTokenKeyRecord::Bare(key) => dated(key),
        });
        RefreshTokenKeyRecords {
            current: next.as_ref().unwrap_or(current).clone(),
            next: Some(generate_refresh_token_key()),
            previous: replaced.into_iter().chain(others).collect(),
        }
    }

    /// Drops a compromised key immediately, even if verifiers have not fetched the next key. They reject tokens of the
    /// dropped key once they reload the set. Dropping a key twice changes nothing. The refresh token keys stay: they are
    /// useless without the tables, and a new key that an execution environment has not loaded yet would end logins.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if no key can be generated.
    pub fn drop_compromised(&self, kid: &str, policy: &RotationPolicy, now: u64) -> Result<Rotated, KeyError> {
        let generate = || KeyRecord::generate(policy.algorithm, now);
        let mut document = self.clone();
        document.dropped.push(DroppedKey {
            kid: kid.to_owned(),
            dropped_at: now,
            leaves_at: last_token_expires_at(now),
        });
        document.previous.retain(|previous| previous.kid() != Some(kid));
        if self.current.kid == kid {
            let next = self.next.clone().filter(|next| next.kid != kid).map_or_else(generate, Ok)?;
            document.current = KeyRecord { signs_since: Some(now), ..next };
            document.next = Some(generate()?);
        } else if self.next.as_ref().is_some_and(|next| next.kid == kid) {
            document.next = Some(generate()?);
        } else if document.previous.len() == self.previous.len() {
            return Ok(Rotated::Unchanged("the secret has no key with that kid"));
        }
        Ok(document.into())
    }

    /// Replaces the next key if its algorithm is not the deployment's. The replaced key has not signed anything.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if no key can be generated.
    pub fn align(&self, policy: &RotationPolicy, now: u64) -> Result<Rotated, KeyError> {
        match &self.next {
            Some(next) if next.alg == policy.algorithm => Ok(Rotated::Unchanged("the keys match the settings")),
            _ => Ok(self.with_next(KeyRecord::generate(policy.algorithm, now)?)),
        }
    }

    fn with_next(&self, next: KeyRecord) -> Rotated {
        let refresh_key = self.refresh.next.clone().unwrap_or_else(generate_refresh_token_key);
        let refresh = RefreshTokenKeyRecords { next: Some(refresh_key), ..self.refresh.clone() };
        Self { next: Some(next), refresh, ..self.clone() }.into()
    }

    /// Returns the text of the secret.
    ///
    /// # Errors
    /// [`KeyError::Unusable`], which cannot occur with this type.
    pub fn to_text(&self) -> Result<String, KeyError> {
        serde_json::to_string(self).map_err(|_| KeyError::Unusable("its keys cannot be serialized"))
    }

    /// Returns the kids of the current key, the next key and the previous keys.
    pub fn kids(&self) -> (&str, Option<&str>, Vec<&str>) {
        let next = self.next.as_ref().map(|next| next.kid.as_str());
        (&self.current.kid, next, self.previous.iter().filter_map(PreviousKeyRecord::kid).collect())
    }
}

/// Returns the time at which the last token of a key that signs until `now` has expired.
fn last_token_expires_at(now: u64) -> u64 {
    now.saturating_add(u64::from(MAX_ACCESS_TOKEN_TTL)).saturating_add(MARGIN)
}

impl From<Document> for Rotated {
    fn from(document: Document) -> Self {
        Self::Changed(Box::new(document))
    }
}
