//! The one verifier of access tokens. Uses no network and no clock.
//!
//! An endpoint gets a [`VerifiedToken`], or the first problem, and no claim is read before the signature is verified. An
//! operator gets an [`Inspection`] with all problems. Both consist of the same checks.

pub use jsonwebtoken::jwk::JwkSet;
use serde_json::{Map, Value};

use super::TokenVersion;
use crate::jwt::{Parts, json};

mod claims;
mod hint;
mod problem;
mod signature;
mod verified;

pub use hint::{IdTokenHint, verify_hint};
pub use problem::{Form, Part, Problem};
pub use verified::{Holder, VerifiedToken};

/// The largest size of a token in bytes.
pub const MAX_BYTES: usize = 8 * 1024;

/// The largest depth of the JSON in a token: that of `serde_json`, because an operator may nest `dealer` and `system`.
const MAX_DEPTH: usize = 127;

fn parts_of(token: &str) -> Result<Parts<'_>, Problem> {
    if token.len() > MAX_BYTES {
        return Err(Problem::TooLong(token.len()));
    }
    Parts::of(token).ok_or_else(|| Problem::Parts(token.split('.').count()))
}

/// Returns the object of a part, even if a member is repeated, which is a problem.
fn object(part: Part, text: &str, problems: &mut Vec<Problem>) -> Option<Map<String, Value>> {
    let Some(json) = json::decode(text) else {
        problems.push(Problem::Encoding(part));
        return None;
    };
    let object = serde_json::from_slice(&json).ok();
    if object.is_none() {
        problems.push(Problem::NotAnObject(part));
    } else if !json::is_unique(&json, MAX_DEPTH) {
        problems.push(Problem::Repeated(part));
    }
    object
}

/// The result of an inspection. Contains the header and the claims even if they cannot be trusted.
#[derive(Debug, Default)]
pub struct Inspection {
    /// The token version that the header names.
    pub version: Option<TokenVersion>,
    /// The header, if it is a JSON object.
    pub header: Option<Map<String, Value>>,
    /// The claims, if they are a JSON object.
    pub claims: Option<Map<String, Value>>,
    /// All problems of the token. A token without problems is valid.
    pub problems: Vec<Problem>,
}

impl Inspection {
    /// Returns true if the token has no problem.
    pub fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }

    /// Checks the header and the signature.
    fn check_signature(&mut self, parts: Parts<'_>, keys: Option<&JwkSet>) {
        self.header = object(Part::Header, parts.header, &mut self.problems);
        if let Some(header) = &self.header {
            self.version = signature::check_type(header, &mut self.problems);
            signature::check(header, (parts.message, parts.signature), keys, &mut self.problems);
        }
    }

    /// Checks the claims.
    fn check_claims(&mut self, parts: Parts<'_>, issuer: &str, now: u64) {
        self.claims = object(Part::Payload, parts.claims, &mut self.problems);
        if let Some(claims) = &self.claims {
            claims::check(claims, self.version, issuer, &mut self.problems);
            claims::check_times(claims, now, &mut self.problems);
        }
    }

    fn first_problem(&self) -> Result<(), Problem> {
        self.problems.first().map_or(Ok(()), |problem| Err(*problem))
    }
}

/// Verifies a token of this issuer with these keys. The audience is not checked, because only the resource server knows
/// which audience it requires.
///
/// # Errors
/// The first [`Problem`].
pub fn verify(token: &str, issuer: &str, keys: &JwkSet, now: u64) -> Result<VerifiedToken, Problem> {
    let parts = parts_of(token)?;
    let mut inspection = Inspection::default();
    inspection.check_signature(parts, Some(keys));
    inspection.first_problem()?;
    inspection.check_claims(parts, issuer, now);
    inspection.first_problem()?;
    VerifiedToken::of(&inspection)
}

/// Inspects a token like a verifier that trusts this issuer and these keys, but does not stop at the first problem.
/// Without keys, the signature is not verified, and that is a problem, too. The audience is not checked.
pub fn inspect(token: &str, issuer: &str, keys: Option<&JwkSet>, now: u64) -> Inspection {
    let mut inspection = Inspection::default();
    match parts_of(token) {
        Ok(parts) => {
            inspection.check_signature(parts, keys);
            inspection.check_claims(parts, issuer, now);
        }
        Err(problem) => inspection.problems.push(problem),
    }
    inspection
}
