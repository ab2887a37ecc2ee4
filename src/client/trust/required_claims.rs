//! The claims that a token must have.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::jwt::Jwt;

/// The largest number of values.
const MAX_VALUES: usize = 20;

/// Claims with the values that they must have, nested as in the token. A value is a string, a boolean or an integer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct RequiredClaims(Map<String, Value>);

/// The error of claims that a token is not compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidClaims;

impl fmt::Display for InvalidClaims {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the claims are not at most {MAX_VALUES} strings, booleans or integers, nested in objects as in the token"
        )
    }
}

impl RequiredClaims {
    /// Returns true if nothing is required.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if the token has each value at the same place.
    pub fn are_in(&self, jwt: &Jwt<'_>) -> bool {
        self.0.iter().all(|(name, required)| jwt.claim(name).is_some_and(|found| has(found, required)))
    }
}

impl TryFrom<Map<String, Value>> for RequiredClaims {
    type Error = InvalidClaims;

    fn try_from(claims: Map<String, Value>) -> Result<Self, InvalidClaims> {
        let count = claims.values().try_fold(0, |count, claim| Some(count + values(claim)?));
        if count.is_some_and(|count| count <= MAX_VALUES) { Ok(Self(claims)) } else { Err(InvalidClaims) }
    }
}

/// Returns the number of values in a claim. An object without any would require nothing, so it has no number.
fn values(claim: &Value) -> Option<usize> {
    match claim {
        Value::String(_) | Value::Bool(_) => Some(1),
        Value::Number(number) => (number.is_i64() || number.is_u64()).then_some(1),
        Value::Object(members) if !members.is_empty() => {
            members.values().try_fold(0, |count, member| Some(count + values(member)?))
        }
        Value::Object(_) | Value::Array(_) | Value::Null => None,
    }
}

/// Returns true if a claim of a token has the required values.
fn has(found: &Value, required: &Value) -> bool {
    match (found, required) {
        (Value::Object(found), Value::Object(required)) => {
            required.iter().all(|(name, required)| found.get(name).is_some_and(|found| has(found, required)))
        }
        (found, required) => found == required,
    }
}
