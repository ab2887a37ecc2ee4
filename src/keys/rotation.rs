//! The rotation of keys (S-505): no key signs before every verifier can have seen it, and none leaves the public set
//! before its last token has expired. Pure: one document in, another one out.
//!
//! ```text
//! next: public, does not sign  ->  current: signs  ->  previous: public, until its last token has expired
//! ```
//!
//! Refresh token keys rotate in the same way: an execution environment may only use a key that all others know.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;

use super::document::{
    DOCUMENT_VERSION, KeyRecord, PreviousKeyRecord, PreviousRefreshTokenKeyRecord, REFRESH_TOKEN_KEY_BYTES,
    RefreshTokenKeyRecords,
};
use super::{Document, KeyError, MAX_ACCESS_TOKEN_TTL, SigningKey};
use crate::random::fill_random;

/// Seconds for which a key stays after its last token has expired: an execution environment may sign with a set that it
/// loaded before the rotation, and clocks differ.
const MARGIN: u64 = 3_600;

/// The rules of a deployment for its keys.
#[derive(Clone, Copy, Debug)]
pub struct RotationPolicy {
    /// The algorithm of new keys: RS256, ES256 or EdDSA.
    pub algorithm: Algorithm,
    /// The seconds for which a key must have been public before it signs: longer than any verifier keeps a set.
    pub public_for: u32,
    /// The seconds after which every refresh token has expired.
    pub refresh_token_max_ttl: u32,
}

/// The result of a change.
pub enum Rotated {
    /// The new document, which has to be written.
    Changed(Box<Document>),
    /// There is nothing to change. The reason is for people.
    Unchanged(&'static str),
}

impl Document {
    /// Generates the first set: a key that signs immediately, because no verifier has fetched another one, and the next key.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if the algorithm is not supported.
    pub fn generate(policy: &RotationPolicy, now: u64) -> Result<Self, KeyError> {
        Ok(Self {
            version: DOCUMENT_VERSION,
            current: KeyRecord { signs_since: Some(now), ..KeyRecord::generate(policy.algorithm, now)? },
            next: Some(KeyRecord::generate(policy.algorithm, now)?),
            previous: Vec::new(),
            refresh: RefreshTokenKeyRecords {
                current: generate_refresh_token_key(),
                next: Some(generate_refresh_token_key()),
                previous: Vec::new(),
            },
        })
    }

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
            // A person wrote this key into the secret. Its time counts from now.
            return Ok(self.with_next(KeyRecord { public_since: Some(now), ..next.clone() }));
        };
        if self.current.signs_since.is_some_and(|since| now.saturating_sub(since) < after) {
            return Ok(Rotated::Unchanged("the current key has not signed for long enough"));
        }
        if now.saturating_sub(since) < u64::from(policy.public_for) {
            return Ok(Rotated::Unchanged("the next key has not been public for long enough"));
        }
        let tokens_expired_at = now.saturating_add(u64::from(MAX_ACCESS_TOKEN_TTL)).saturating_add(MARGIN);
        let refresh_tokens_expired_at =
            now.saturating_add(u64::from(policy.refresh_token_max_ttl)).saturating_add(MARGIN);

        let mut previous =
            vec![PreviousKeyRecord::Public { public_key: self.current.public_key()?, leaves_at: tokens_expired_at }];
        for key in self.previous.iter().filter(|key| !key.is_gone(now)) {
            match key {
                PreviousKeyRecord::Public { .. } => previous.push(key.clone()),
                // The private half is not needed any more.
                PreviousKeyRecord::Whole(record) => previous
                    .push(PreviousKeyRecord::Public { public_key: record.public_key()?, leaves_at: tokens_expired_at }),
            }
        }

        let retired = |key: &String| PreviousRefreshTokenKeyRecord::Dated {
            key: key.clone(),
            leaves_at: refresh_tokens_expired_at,
        };
        let mut retired_keys = Vec::new();
        // Without a next key, only the current one is known everywhere: it stays until the next rotation.
        let refresh_key = self.refresh.next.as_ref().unwrap_or(&self.refresh.current);
        if *refresh_key != self.refresh.current {
            retired_keys.push(retired(&self.refresh.current));
        }
        for key in self.refresh.previous.iter().filter(|key| !key.is_gone(now)) {
            match key {
                PreviousRefreshTokenKeyRecord::Dated { .. } => retired_keys.push(key.clone()),
                PreviousRefreshTokenKeyRecord::Bare(key) => retired_keys.push(retired(key)),
            }
        }

        Ok(Self {
            version: DOCUMENT_VERSION,
            current: KeyRecord { signs_since: Some(now), ..next.clone() },
            next: Some(KeyRecord::generate(policy.algorithm, now)?),
            previous,
            refresh: RefreshTokenKeyRecords {
                current: refresh_key.clone(),
                next: Some(generate_refresh_token_key()),
                previous: retired_keys,
            },
        }
        .into())
    }

    /// Drops a compromised key immediately, whatever verifiers have fetched: they reject its tokens once they load the set
    /// again. Dropping a key twice changes nothing. The refresh token keys stay: they are of no use without the tables, and
    /// a new one that some execution environment does not know yet would end logins.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if no key can be generated.
    pub fn drop_compromised(&self, kid: &str, policy: &RotationPolicy, now: u64) -> Result<Rotated, KeyError> {
        let generate = || KeyRecord::generate(policy.algorithm, now);
        let mut document = self.clone();
        document.previous.retain(|previous| previous.kid() != Some(kid));
        if self.current.kid == kid {
            let next = self.next.clone().filter(|next| next.kid != kid).map_or_else(generate, Ok)?;
            document.current = KeyRecord { signs_since: Some(now), ..next };
            document.next = Some(generate()?);
        } else if self.next.as_ref().is_some_and(|next| next.kid == kid) {
            document.next = Some(generate()?);
        } else if document.previous.len() == self.previous.len() {
            return Ok(Rotated::Unchanged("there is no key of that kid"));
        }
        Ok(document.into())
    }

    /// Replaces the next key if its algorithm is not the deployment's. The replaced key has not signed anything.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if no key can be generated.
    pub fn align(&self, policy: &RotationPolicy, now: u64) -> Result<Rotated, KeyError> {
        match &self.next {
            Some(next) if next.alg == policy.algorithm => Ok(Rotated::Unchanged("the keys are as they should be")),
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
    /// [`KeyError::Unusable`], which cannot happen with this type.
    pub fn to_text(&self) -> Result<String, KeyError> {
        serde_json::to_string(self).map_err(|_| KeyError::Unusable("its keys have no JSON"))
    }

    /// Returns the kids of the current key, the next key and the previous keys.
    pub fn kids(&self) -> (&str, Option<&str>, Vec<&str>) {
        let next = self.next.as_ref().map(|next| next.kid.as_str());
        (&self.current.kid, next, self.previous.iter().filter_map(PreviousKeyRecord::kid).collect())
    }
}

impl From<Document> for Rotated {
    fn from(document: Document) -> Self {
        Self::Changed(Box::new(document))
    }
}

impl KeyRecord {
    fn generate(algorithm: Algorithm, now: u64) -> Result<Self, KeyError> {
        const FAILED: KeyError = KeyError::Unusable("no key could be generated");
        let der = match algorithm {
            Algorithm::RS256 => {
                let pair = rsa::KeyPair::generate(KeySize::Rsa2048).map_err(|_| FAILED)?;
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| FAILED)?;
                der.as_ref().to_vec()
            }
            Algorithm::ES256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(|_| FAILED)?
                .as_ref()
                .to_vec(),
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::generate().map_err(|_| FAILED)?;
                pair.to_pkcs8v1().map_err(|_| FAILED)?.as_ref().to_vec()
            }
            _ => return Err(KeyError::Unusable("keys are of RS256, ES256 or EdDSA")),
        };
        let private_key =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(&der));
        let kid = SigningKey::from_pkcs8(&der)?.kid().to_owned();
        Ok(Self { kid, alg: algorithm, private_key, created_at: Some(now), public_since: Some(now), signs_since: None })
    }
}

fn generate_refresh_token_key() -> String {
    let mut bits = [0; REFRESH_TOKEN_KEY_BYTES];
    fill_random(&mut bits);
    URL_SAFE_NO_PAD.encode(bits)
}
