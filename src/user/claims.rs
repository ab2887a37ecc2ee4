//! Claims about a user (OpenID Connect Core 1.0 section 5.1).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::scope::Scope;
use crate::scope::openid::{EMAIL, PROFILE};

/// The form of a claim's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimForm {
    /// A string that is not empty.
    Text,
    /// `true` or `false`.
    Flag,
    /// Seconds since the epoch.
    Time,
}

impl ClaimForm {
    /// Returns true if the value has the type of this form. A claim is not sent as an empty string (section 5.3.2).
    fn is_type_of(self, value: &Value) -> bool {
        match self {
            Self::Text => value.as_str().is_some_and(|text| !text.is_empty()),
            Self::Flag => value.is_boolean(),
            Self::Time => value.is_number(),
        }
    }
}

/// A claim that a user's record may have.
#[derive(Clone, Copy)]
pub struct Claim {
    /// The name of the claim.
    pub name: &'static str,
    /// The form of its value.
    pub form: ClaimForm,
    /// The scope that an application needs to get the claim (section 5.4).
    scope: &'static str,
}

/// The claims that a user's record may have. `sub` and `preferred_username` come from other attributes.
pub const CLAIMS: [Claim; 15] = [
    Claim { name: "name", form: ClaimForm::Text, scope: PROFILE },
    Claim { name: "family_name", form: ClaimForm::Text, scope: PROFILE },
    Claim { name: "given_name", form: ClaimForm::Text, scope: PROFILE },
    Claim { name: "middle_name", form: ClaimForm::Text, scope: PROFILE },
    Claim { name: "nickname", form: ClaimForm::Text, scope: PROFILE },
    Claim { name: "picture", form: ClaimForm::Text, scope: PROFILE },
    Claim { name: "profile", form: ClaimForm::Text, scope: PROFILE },
    Claim { name: "website", form: ClaimForm::Text, scope: PROFILE },
    Claim { name: "gender", form: ClaimForm::Text, scope: PROFILE },
    Claim { name: "birthdate", form: ClaimForm::Text, scope: PROFILE },
    Claim { name: "zoneinfo", form: ClaimForm::Text, scope: PROFILE },
    Claim { name: "locale", form: ClaimForm::Text, scope: PROFILE },
    Claim { name: "updated_at", form: ClaimForm::Time, scope: PROFILE },
    Claim { name: "email", form: ClaimForm::Text, scope: EMAIL },
    Claim { name: "email_verified", form: ClaimForm::Flag, scope: EMAIL },
];

/// The reason why a claim is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// There is no claim with this name.
    Unknown(String),
    /// The value of this claim does not have its form.
    Form(&'static str, ClaimForm),
}

impl fmt::Display for ClaimError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                let names = CLAIMS.map(|claim| claim.name).join(", ");
                write!(formatter, "there is no claim {name:?}; the claims are {names}")
            }
            Self::Form(name, ClaimForm::Text) => {
                write!(formatter, "the claim {name} is empty or not a string, or has control characters")
            }
            Self::Form(name, ClaimForm::Flag) => write!(formatter, "the claim {name} is neither true nor false"),
            Self::Form(name, ClaimForm::Time) => {
                write!(formatter, "the claim {name} is not a whole number of seconds since the epoch")
            }
        }
    }
}

/// Claims about a user. A record may contain claims that other programs wrote; a value of another form counts as absent
/// where claims are published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "BTreeMap<String, Stored>")]
pub struct Claims(Map<String, Value>);

/// A claim as it is stored. JSON has no form for the binary values of DynamoDB.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Json(Value),
    Other(IgnoredAny),
}

/// Leaves out what is not JSON, so that one claim does not make the record malformed.
impl From<BTreeMap<String, Stored>> for Claims {
    fn from(stored: BTreeMap<String, Stored>) -> Self {
        let entries = stored.into_iter().filter_map(|(name, value)| match value {
            Stored::Json(value) => Some((name, value)),
            Stored::Other(_) => None,
        });
        Self(entries.collect())
    }
}

impl Claims {
    /// Returns the claims, in no order.
    pub fn entries(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Returns the claims that an application with this scope gets, with their names. A claim that is absent or has
    /// another type is left out.
    pub fn within(&self, scope: &Scope) -> impl Iterator<Item = (&'static str, &Value)> {
        let is_allowed = |claim: &Claim| scope.contains(claim.scope);
        CLAIMS.into_iter().filter(is_allowed).filter_map(|claim| {
            let value = self.0.get(claim.name).filter(|value| claim.form.is_type_of(value))?;
            Some((claim.name, value))
        })
    }

    /// Returns true if there are no claims.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets a claim.
    ///
    /// # Errors
    /// [`ClaimError`]. Then nothing is changed.
    pub fn set(&mut self, name: &str, value: Value) -> Result<(), ClaimError> {
        let known = CLAIMS.into_iter().find(|known| known.name == name);
        let Claim { name, form, .. } = known.ok_or_else(|| ClaimError::Unknown(name.to_owned()))?;
        let is_sensible = match form {
            ClaimForm::Text => !value.as_str().is_some_and(|text| text.contains(char::is_control)),
            ClaimForm::Flag => true,
            ClaimForm::Time => value.is_u64(),
        };
        if !(is_sensible && form.is_type_of(&value)) {
            return Err(ClaimError::Form(name, form));
        }
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// Removes a claim. Returns false if there was no such claim.
    pub fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }
}

/// Checks each claim.
impl TryFrom<Map<String, Value>> for Claims {
    type Error = ClaimError;

    fn try_from(entries: Map<String, Value>) -> Result<Self, ClaimError> {
        let mut claims = Self::default();
        entries.into_iter().try_for_each(|(name, value)| claims.set(&name, value))?;
        Ok(claims)
    }
}
