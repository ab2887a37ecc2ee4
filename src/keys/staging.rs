//! How keys come and go (S-505): no key signs before every verifier can have seen it, and none leaves the public set
//! before its last token has expired. Pure: one document in, another one out.
//!
//! ```text
//! next: public, does not sign  ->  current: signs  ->  previous: public, until its last token is gone
//! ```
//!
//! The keys of refresh references are staged alike: whoever makes references under a key must be sure that all others
//! know it.

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

/// Seconds by which a key outlasts its last token: an environment may sign with what it read a moment before, and
/// clocks differ.
const MARGIN: u64 = 3_600;

/// What a deployment asks of its keys.
#[derive(Clone, Copy, Debug)]
pub struct Staging {
    /// What new keys sign by: RS256, ES256 or EdDSA.
    pub algorithm: Algorithm,
    /// Seconds that a key must have been public before it signs: longer than any verifier keeps a set.
    pub public_for: u32,
    /// Seconds after which no refresh token can be alive.
    pub refresh_token_max_ttl: u32,
}

/// What became of a document.
pub enum Staged {
    /// Another one, to be written.
    Changed(Box<Document>),
    /// Nothing, and why.
    Unchanged(&'static str),
}

impl Document {
    /// The first set: a key that signs at once, for nobody has seen another, and the next one.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if the algorithm is none of ours.
    pub fn generate(staging: &Staging, now: u64) -> Result<Self, KeyError> {
        Ok(Self {
            version: DOCUMENT_VERSION,
            current: KeyRecord { signs_since: Some(now), ..KeyRecord::generate(staging.algorithm, now)? },
            next: Some(KeyRecord::generate(staging.algorithm, now)?),
            previous: Vec::new(),
            refresh: RefreshTokenKeyRecords {
                current: generate_reference_key(),
                next: Some(generate_reference_key()),
                previous: Vec::new(),
            },
        })
    }

    /// Has `next` sign, if it has been public for long enough and `current` has signed for `after` seconds, and makes
    /// another `next`.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if a key of the document is.
    pub fn rotate(&self, staging: &Staging, after: u64, now: u64) -> Result<Staged, KeyError> {
        let Some(next) = &self.next else {
            return Ok(self.with_next(KeyRecord::generate(staging.algorithm, now)?));
        };
        let Some(since) = next.public_since else {
            // A person put it there: its time counts from now.
            return Ok(self.with_next(KeyRecord { public_since: Some(now), ..next.clone() }));
        };
        if self.current.signs_since.is_some_and(|since| now.saturating_sub(since) < after) {
            return Ok(Staged::Unchanged("the current key has not signed for long enough"));
        }
        if now.saturating_sub(since) < u64::from(staging.public_for) {
            return Ok(Staged::Unchanged("the next key has not been public for long enough"));
        }
        let tokens_gone_at = now.saturating_add(u64::from(MAX_ACCESS_TOKEN_TTL)).saturating_add(MARGIN);
        let references_gone_at = now.saturating_add(u64::from(staging.refresh_token_max_ttl)).saturating_add(MARGIN);

        let mut previous =
            vec![PreviousKeyRecord::Public { public_key: self.current.public_key()?, leaves_at: tokens_gone_at }];
        for key in self.previous.iter().filter(|key| !key.is_gone(now)) {
            match key {
                PreviousKeyRecord::Public { .. } => previous.push(key.clone()),
                // Its private half is of no more use.
                PreviousKeyRecord::Whole(record) => previous
                    .push(PreviousKeyRecord::Public { public_key: record.public_key()?, leaves_at: tokens_gone_at }),
            }
        }

        let retired =
            |key: &String| PreviousRefreshTokenKeyRecord::Dated { key: key.clone(), leaves_at: references_gone_at };
        let mut references = Vec::new();
        // Without a next one, everybody knows the current one alone: it stays for another turn.
        let current_reference = self.refresh.next.as_ref().unwrap_or(&self.refresh.current);
        if *current_reference != self.refresh.current {
            references.push(retired(&self.refresh.current));
        }
        for key in self.refresh.previous.iter().filter(|key| !key.is_gone(now)) {
            match key {
                PreviousRefreshTokenKeyRecord::Dated { .. } => references.push(key.clone()),
                PreviousRefreshTokenKeyRecord::Bare(key) => references.push(retired(key)),
            }
        }

        Ok(Self {
            version: DOCUMENT_VERSION,
            current: KeyRecord { signs_since: Some(now), ..next.clone() },
            next: Some(KeyRecord::generate(staging.algorithm, now)?),
            previous,
            refresh: RefreshTokenKeyRecords {
                current: current_reference.clone(),
                next: Some(generate_reference_key()),
                previous: references,
            },
        }
        .into())
    }

    /// Drops a compromised key at once, whatever verifiers have seen: what it signed is refused as soon as they look
    /// again. Dropping it twice changes nothing. The keys of references stay: by themselves they open nothing, and one
    /// that some environment does not know yet would cost users their logins.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if no key can be made.
    pub fn drop_compromised(&self, kid: &str, staging: &Staging, now: u64) -> Result<Staged, KeyError> {
        let generate = || KeyRecord::generate(staging.algorithm, now);
        let mut document = self.clone();
        document.previous.retain(|previous| previous.kid() != Some(kid));
        if self.current.kid == kid {
            let next = self.next.clone().filter(|next| next.kid != kid).map_or_else(generate, Ok)?;
            document.current = KeyRecord { signs_since: Some(now), ..next };
            document.next = Some(generate()?);
        } else if self.next.as_ref().is_some_and(|next| next.kid == kid) {
            document.next = Some(generate()?);
        } else if document.previous.len() == self.previous.len() {
            return Ok(Staged::Unchanged("there is no key of that kid"));
        }
        Ok(document.into())
    }

    /// Sees to it that the next key is of the deployment's algorithm. The one before it has not signed anything.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if no key can be made.
    pub fn align(&self, staging: &Staging, now: u64) -> Result<Staged, KeyError> {
        match &self.next {
            Some(next) if next.alg == staging.algorithm => Ok(Staged::Unchanged("the keys are as they should be")),
            _ => Ok(self.with_next(KeyRecord::generate(staging.algorithm, now)?)),
        }
    }

    fn with_next(&self, next: KeyRecord) -> Staged {
        let reference = self.refresh.next.clone().unwrap_or_else(generate_reference_key);
        let refresh = RefreshTokenKeyRecords { next: Some(reference), ..self.refresh.clone() };
        Self { next: Some(next), refresh, ..self.clone() }.into()
    }

    /// The text of the secret.
    ///
    /// # Errors
    /// [`KeyError::Unusable`], which the type rules out.
    pub fn to_text(&self) -> Result<String, KeyError> {
        serde_json::to_string(self).map_err(|_| KeyError::Unusable("its keys have no JSON"))
    }

    /// The names of its keys: the one that signs, the next one, and the previous ones.
    pub fn kids(&self) -> (&str, Option<&str>, Vec<&str>) {
        let next = self.next.as_ref().map(|next| next.kid.as_str());
        (&self.current.kid, next, self.previous.iter().filter_map(PreviousKeyRecord::kid).collect())
    }
}

impl From<Document> for Staged {
    fn from(document: Document) -> Self {
        Self::Changed(Box::new(document))
    }
}

impl KeyRecord {
    fn generate(algorithm: Algorithm, now: u64) -> Result<Self, KeyError> {
        const FAILED: KeyError = KeyError::Unusable("no key could be made");
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

fn generate_reference_key() -> String {
    let mut bits = [0; REFRESH_TOKEN_KEY_BYTES];
    fill_random(&mut bits);
    URL_SAFE_NO_PAD.encode(bits)
}
