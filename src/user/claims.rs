//! Claims about a user (OpenID Connect Core 1.0 section 5.1).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

/// The claims that a user's record may have. `sub` and `preferred_username` come from other attributes.
pub const CLAIMS: [(&str, ClaimForm); 15] = [
    ("name", ClaimForm::Text),
    ("family_name", ClaimForm::Text),
    ("given_name", ClaimForm::Text),
    ("middle_name", ClaimForm::Text),
    ("nickname", ClaimForm::Text),
    ("picture", ClaimForm::Text),
    ("profile", ClaimForm::Text),
    ("website", ClaimForm::Text),
    ("gender", ClaimForm::Text),
    ("birthdate", ClaimForm::Text),
    ("zoneinfo", ClaimForm::Text),
    ("locale", ClaimForm::Text),
    ("updated_at", ClaimForm::Time),
    ("email", ClaimForm::Text),
    ("email_verified", ClaimForm::Flag),
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
                let names = CLAIMS.map(|(name, _)| name).join(", ");
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
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Returns the claims, in no order.
    pub fn entries(&self) -> &Map<String, Value> {
        &self.0
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
        let (name, form) =
            CLAIMS.into_iter().find(|(known, _)| *known == name).ok_or_else(|| ClaimError::Unknown(name.to_owned()))?;
        let fits = match (form, &value) {
            (ClaimForm::Text, Value::String(text)) => !text.is_empty() && !text.contains(char::is_control),
            (ClaimForm::Flag, Value::Bool(_)) => true,
            (ClaimForm::Time, Value::Number(seconds)) => seconds.is_u64(),
            _ => false,
        };
        if !fits {
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
