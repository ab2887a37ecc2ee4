//! The one verifier of access tokens. Uses no network and no clock.
//!
//! An endpoint gets a [`VerifiedToken`], or the first problem, and no claim is read before the signature is verified. An
//! operator gets an [`Inspection`] with all problems. Both consist of the same checks.

pub use jsonwebtoken::jwk::JwkSet;
use serde_json::{Map, Value};

use super::TokenVersion;

mod claims;
mod hint;
mod json;
mod problem;
mod signature;
mod verified;

pub use hint::{IdTokenHint, verify_hint};
pub use problem::{Form, Part, Problem};
pub use verified::{Holder, VerifiedToken};

/// The largest size of a token in bytes.
const MAX_BYTES: usize = 8 * 1024;

/// The parts of a signed JWT in compact serialization (RFC 7515 section 3.1).
#[derive(Clone, Copy)]
struct Parts<'a> {
    /// The signed text: the header, a dot and the claims.
    message: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, Problem> {
        if token.len() > MAX_BYTES {
            return Err(Problem::TooLong(token.len()));
        }
        let parts = || Some((token.rsplit_once('.')?, token.split_once('.')?.0));
        let Some(((message, signature), header)) = parts().filter(|_| token.matches('.').count() == 2) else {
            return Err(Problem::Parts(token.split('.').count()));
        };
        let claims = message.strip_prefix(header).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
        Ok(Self { message, header, claims, signature })
    }
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
        self.header = json::object(Part::Header, parts.header, &mut self.problems);
        if let Some(header) = &self.header {
            self.version = signature::check_type(header, &mut self.problems);
            signature::check(header, (parts.message, parts.signature), keys, &mut self.problems);
        }
    }

    /// Checks the claims.
    fn check_claims(&mut self, parts: Parts<'_>, issuer: &str, now: u64) {
        self.claims = json::object(Part::Payload, parts.claims, &mut self.problems);
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
    let parts = Parts::of(token)?;
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
    match Parts::of(token) {
        Ok(parts) => {
            inspection.check_signature(parts, keys);
            inspection.check_claims(parts, issuer, now);
        }
        Err(problem) => inspection.problems.push(problem),
    }
    inspection
}
