//! Trust entries: the workloads of other issuers that may authenticate as the client. The attribute `federated`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::for_people;
use crate::jwt::{JwkSet, NotUsable};
use crate::random::short_id;

mod issuer_url;
mod required_claims;

pub use issuer_url::{IssuerUrl, NotAnIssuer};
pub use required_claims::{InvalidClaims, RequiredClaims};

/// The number of trust entries that a client may have.
pub const MAX_TRUST_ENTRIES: usize = 10;
/// The members of an entry in files.
pub(super) const CONDITIONS: [&str; 6] = ["issuer", "subject", "audience", "claims", "max_age", "jwks"];
/// The bounds of `max_age`, in seconds.
const MAX_AGE: std::ops::RangeInclusive<u32> = 60..=86_400;
/// The largest age of a token, in seconds, if the entry has no `max_age`.
const DEFAULT_MAX_AGE: u32 = 3_600;
/// The largest length of a subject or an audience in bytes.
const MAX_TEXT_BYTES: usize = 2_048;
/// The largest length of an inline key set in bytes.
const MAX_KEYS_BYTES: usize = 8 * 1_024;

/// A workload that may authenticate as the client with the tokens of its platform. Everything is compared exactly.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Trust {
    /// The id, for people: 8 hex digits.
    #[serde(default, deserialize_with = "for_people", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The issuer of the tokens.
    pub issuer: IssuerUrl,
    /// The `sub` of the tokens.
    pub subject: ClaimText,
    /// The one `aud` of the tokens. Absent means our issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<ClaimText>,
    /// The claims that the tokens must have.
    #[serde(default, skip_serializing_if = "RequiredClaims::is_empty")]
    pub claims: RequiredClaims,
    /// The largest age of a token. Absent means 1 hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<MaxAge>,
    /// The keys of the issuer. Absent means that the issuer publishes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<WrittenKeys>,
    /// The time at which the entry was added, in seconds since the epoch, for people.
    #[serde(default, deserialize_with = "for_people", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<u64>,
}

impl Trust {
    /// Builds an entry without further conditions.
    pub fn new(issuer: IssuerUrl, subject: ClaimText, now: u64) -> Self {
        Self {
            id: Some(short_id()),
            issuer,
            subject,
            audience: None,
            claims: RequiredClaims::default(),
            max_age: None,
            jwks: None,
            created_at: Some(now),
        }
    }

    /// Returns the members that operators write in files: all but the id and the time.
    pub(super) fn conditions(&self) -> Value {
        json!(Self { id: None, created_at: None, ..self.clone() })
    }

    /// Returns true if both entries trust the same tokens.
    pub fn is_same(&self, other: &Self) -> bool {
        self.conditions() == other.conditions()
    }

    /// Returns the name of the entry for operators: the id, or the subject if there is no id.
    pub fn name(&self) -> &str {
        self.id.as_deref().unwrap_or_else(|| self.subject.as_str())
    }

    /// Returns the largest age of a token in seconds.
    pub fn max_age(&self) -> u64 {
        self.max_age.map_or(DEFAULT_MAX_AGE, |MaxAge(seconds)| seconds).into()
    }
}

/// The value of a claim: 1 to 2,048 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct ClaimText(String);

impl ClaimText {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ClaimText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let is_valid = (1..=MAX_TEXT_BYTES).contains(&text.len());
        if is_valid { Ok(Self(text)) } else { Err("a subject or an audience has 1 to 2,048 bytes") }
    }
}

/// A number of seconds from 60 to 86,400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "u32")]
pub struct MaxAge(u32);

impl TryFrom<u32> for MaxAge {
    type Error = &'static str;

    fn try_from(seconds: u32) -> Result<Self, &'static str> {
        if MAX_AGE.contains(&seconds) { Ok(Self(seconds)) } else { Err("max_age is from 60 to 86,400 seconds") }
    }
}

/// The JSON of a key set, as an operator wrote it, and its keys.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct WrittenKeys {
    json: String,
    keys: JwkSet,
}

impl WrittenKeys {
    /// Returns the keys.
    pub fn keys(&self) -> &JwkSet {
        &self.keys
    }
}

impl PartialEq for WrittenKeys {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl Eq for WrittenKeys {}

impl TryFrom<String> for WrittenKeys {
    type Error = NotUsable;

    fn try_from(json: String) -> Result<Self, NotUsable> {
        if json.len() > MAX_KEYS_BYTES {
            return Err("the key set has more than 8 KiB");
        }
        Ok(Self { keys: JwkSet::written(json.as_bytes())?, json })
    }
}

impl From<WrittenKeys> for String {
    fn from(keys: WrittenKeys) -> Self {
        keys.json
    }
}

/// Gives new entries the ids and times of the old ones that trust the same tokens, and the others new ones.
pub(super) fn kept(new: Vec<Trust>, old: &[Trust], now: u64) -> Vec<Trust> {
    let keep = |new: Trust| match old.iter().find(|old| old.is_same(&new)) {
        Some(old) => old.clone(),
        None => Trust { id: Some(short_id()), created_at: Some(now), ..new },
    };
    new.into_iter().map(keep).collect()
}
