//! Audiences whose access tokens a client may introspect.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::scope::is_matched_by;

/// Audiences: exact values of `aud`, or prefixes followed by `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "BTreeSet<String>")]
pub struct Audiences(#[serde(serialize_with = "serde_dynamo::string_set::serialize")] BTreeSet<String>);

/// An audience that a record cannot have: it is empty, has a control character, or a `*` before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidAudience(String);

impl fmt::Display for InvalidAudience {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the audience {:?} is not valid: write an exact one, or a prefix that ends in *", self.0)
    }
}

impl Audiences {
    /// Returns true if there are no audiences.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if the `aud` of a token is covered. `https://a.example/*` covers `https://a.example/` followed by at
    /// least one character.
    pub fn cover(&self, audience: &str) -> bool {
        self.0.iter().any(|allowed| is_matched_by(allowed, audience))
    }
}

impl TryFrom<BTreeSet<String>> for Audiences {
    type Error = InvalidAudience;

    fn try_from(audiences: BTreeSet<String>) -> Result<Self, InvalidAudience> {
        let is_valid = |audience: &str| {
            let exact = audience.strip_suffix('*').unwrap_or(audience);
            !audience.is_empty() && !exact.contains('*') && !exact.contains(char::is_control)
        };
        match audiences.iter().find(|audience| !is_valid(audience)) {
            Some(audience) => Err(InvalidAudience(audience.clone())),
            None => Ok(Self(audiences)),
        }
    }
}
