//! Refresh tokens: opaque references to a family, of which one generation at a time is live. Pure.
//!
//! ```text
//! cs_rt_ base64url( version:1  family:16  generation:4  HMAC-SHA-256 over the three:32 )
//! ```
//!
//! The successor of a reference is derivable: nothing derived from a token is stored, and a client that lost an answer
//! can be given the same one again. What a presented reference is worth, the state of its family decides.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::random::fill_random;
use crate::scope::Scope;

const PREFIX: &str = "cs_rt_";
const VERSION: u8 = 1;
const FAMILY_BYTES: usize = 16;
const SIGNED_BYTES: usize = 1 + FAMILY_BYTES + 4;

/// The keys under which references are made and recognised.
pub struct ReferenceKeys {
    current: hmac::Key,
    others: Vec<hmac::Key>,
}

impl ReferenceKeys {
    /// Keys from their bytes: new references are made under `current`, those under the others are valid too: they were current, or will be.
    pub fn new<'a>(current: &'a [u8], others: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let key = |bytes| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        Self { current: key(current), others: others.into_iter().map(key).collect() }
    }
}

/// The family that a login began: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FamilyId([u8; FAMILY_BYTES]);

impl FamilyId {
    /// A family of its own.
    pub fn generate() -> Self {
        let mut bits = [0; FAMILY_BYTES];
        fill_random(&mut bits);
        Self(bits)
    }
}

impl fmt::Display for FamilyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// What a refresh token says: which generation of which family it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// The family.
    pub family: FamilyId,
    /// The generation; a login issues generation 0.
    pub generation: u32,
}

impl Reference {
    /// Reads a refresh token; `None` if it was not made under one of the keys, byte for byte.
    pub fn read(keys: &ReferenceKeys, token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (signed, tag) = bytes.split_at_checked(SIGNED_BYTES)?;
        std::iter::once(&keys.current)
            .chain(&keys.others)
            .any(|key| hmac::verify(key, signed, tag).is_ok())
            .then_some(())?;
        let (version, rest) = signed.split_first()?;
        let (family, generation) = rest.split_at_checked(FAMILY_BYTES)?;
        (*version == VERSION).then_some(Self {
            family: FamilyId(family.try_into().ok()?),
            generation: u32::from_be_bytes(generation.try_into().ok()?),
        })
    }

    /// Makes the refresh token that says so.
    pub fn mint(self, keys: &ReferenceKeys) -> String {
        let mut bytes = Vec::with_capacity(SIGNED_BYTES + 32);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.family.0);
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        let tag = hmac::sign(&keys.current, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The one that takes its place when it is used.
    #[must_use]
    pub fn successor(self) -> Self {
        Self { generation: self.generation.saturating_add(1), ..self }
    }
}

/// The state of a family, one item of the table `grants`. Times are in seconds since the epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Family {
    /// The client that it was issued to.
    pub client_id: String,
    /// The user that logged in, in the RFC 8265 form of the name.
    pub username: String,
    /// The user's stable identifier, in case the name goes to another.
    pub user_id: String,
    /// What was granted at the login.
    #[serde(serialize_with = "serde_dynamo::string_set::serialize")]
    pub scopes: Scope,
    /// The token structure of the login, to see who still needs the old one. Each request chooses its own.
    pub version: u8,
    /// When the user logged in.
    pub auth_time: u64,
    /// The one generation that is live.
    pub generation: u32,
    /// When that generation was made.
    pub rotated_at: u64,
    /// Which request made it: how a write whose answer was lost is known for our own when it is sent again.
    pub rotated_by: String,
    /// Until when the generation before it may be used again, beyond the grace: a fault of ours may have kept its
    /// successor from its holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_until: Option<u64>,
    /// Whether the family has ended.
    pub revoked: bool,
    /// When the family ends, however often it is used.
    pub absolute_expires_at: u64,
    /// When the live generation dies unused.
    pub expires_at: u64,
}

/// What a reference that its family's state was read for is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the live generation.
    Live,
    /// It was used moments ago, and its successor was not: a client that lost our answer asks again.
    Retried,
    /// It was used, and not moments ago, or its successor was used too: somebody has a copy.
    Replayed,
    /// It was used, and by our clock that is yet to come. Until the clock is right again nobody can tell a retry, which
    /// must not cost the login, from a replay, which must not yield a token.
    Undecided,
    /// It is worth nothing, and using it changes nothing. The reason is for the log.
    Dead(&'static str),
}

impl Family {
    /// Judges a generation that `client_id` presents at `now`. A retry is tolerated for `grace` seconds, and after a
    /// fault of ours until [`retry_until`](Self::retry_until); with 0 it never is.
    pub fn standing(&self, generation: u32, client_id: &str, now: u64, grace: u32) -> Standing {
        if self.client_id != client_id {
            return Standing::Dead("the refresh token was issued to another client");
        }
        if self.revoked {
            return Standing::Dead("the refresh family is revoked");
        }
        if now >= self.expires_at || now >= self.absolute_expires_at {
            return Standing::Dead("the refresh token has expired");
        }
        let grace = u64::from(grace);
        if generation == self.generation {
            Standing::Live
        } else if generation > self.generation {
            Standing::Dead("the refresh token is ahead of its family: was the table restored?")
        } else if generation + 1 < self.generation || grace == 0 {
            Standing::Replayed
        } else if now.saturating_add(grace) < self.rotated_at {
            Standing::Undecided
        } else if now.saturating_sub(self.rotated_at) <= grace || self.retry_until.is_some_and(|until| now < until) {
            // A little negative, too: the clocks of environments differ.
            Standing::Retried
        } else {
            Standing::Replayed
        }
    }
}
