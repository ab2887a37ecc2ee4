//! Signed JWTs (RFC 7519): their form, and the reader of JWTs of others.
//!
//! Others sign client assertions, tokens of a platform, and proofs of possession. Their header is not trusted: it selects
//! a key of the record, and the key decides which algorithm is possible. Members that name another key (`jku`, `x5u`,
//! `x5c`) are never followed, and nothing critical is understood (RFC 8725 sections 3.1 and 3.5).

use serde_json::{Map, Value};

mod algorithm;
pub mod json;
mod key_set;
mod public_key;

pub use algorithm::Algorithm;
pub use key_set::JwkSet;
pub(crate) use public_key::bits;
pub use public_key::{NotUsable, PublicKey};

/// The largest accepted difference between our clock and that of another system, in seconds.
pub const CLOCK_SKEW: u64 = 60;
/// The largest depth of a header or of claims of others.
const MAX_DEPTH: usize = 8;
/// The largest time. Every JSON library preserves integers up to this one exactly.
const MAX_TIME: u64 = 1 << 53;

/// The parts of a signed JWT in compact serialization (RFC 7515 section 3.1), not decoded.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// The signed text: the header, a dot and the claims.
    pub message: &'a str,
    /// The header.
    pub header: &'a str,
    /// The claims.
    pub claims: &'a str,
    /// The signature.
    pub signature: &'a str,
}

impl<'a> Parts<'a> {
    /// Splits a text at its dots. Returns `None` if it does not have three parts.
    pub fn of(text: &'a str) -> Option<Self> {
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        (!claims.contains('.')).then_some(Self { message, header, claims, signature })
    }
}

/// A JWT of others. Its content is not trusted until [`is_signed_by`](Self::is_signed_by) is true for a key that is.
pub struct Jwt<'a> {
    parts: Parts<'a>,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    algorithm: Algorithm,
}

impl<'a> Jwt<'a> {
    /// Reads a JWT: three parts of canonical base64url, header and claims as JSON objects at most 8 deep and without a
    /// repeated member, a known algorithm, and nothing critical.
    ///
    /// # Errors
    /// The reason, which is only logged.
    pub fn read(text: &'a str) -> Result<Self, &'static str> {
        let parts = Parts::of(text).ok_or("a text that is not a signed JWT")?;
        let object = |part| json::decode(part).and_then(|json| json::object(&json, MAX_DEPTH));
        let header = object(parts.header).ok_or("a malformed header")?;
        let claims = object(parts.claims).ok_or("malformed claims")?;
        if json::decode(parts.signature).is_none() {
            return Err("a malformed signature");
        }
        if header.contains_key("crit") {
            return Err("a header with crit");
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
        Ok(Self { algorithm: algorithm.ok_or("an alg that is not supported")?, parts, header, claims })
    }

    /// Returns the algorithm that the header names.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the value of a header parameter.
    pub fn header(&self, name: &str) -> Option<&Value> {
        self.header.get(name)
    }

    /// Returns the claims.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Returns the value of a claim.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// Returns the value of a claim that is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claim(name).and_then(Value::as_str)
    }

    /// Returns the value of a claim that is a time, in seconds since the epoch. A fraction is dropped. `None` if the claim
    /// is absent.
    ///
    /// # Errors
    /// The reason if the claim is not a number from 0 to 2^53. It is only logged.
    pub fn time(&self, name: &str) -> Result<Option<u64>, &'static str> {
        let Some(value) = self.claim(name) else { return Ok(None) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
        let whole = |seconds: f64| (seconds >= 0.0).then_some(seconds as u64);
        let seconds = value.as_u64().or_else(|| value.as_f64().and_then(whole)).filter(|seconds| *seconds <= MAX_TIME);
        seconds.map(Some).ok_or("a time that is not a number from 0 to 2^53")
    }

    /// Returns true if `aud` is exactly this audience, as a string or in an array that has nothing else.
    pub fn is_only_for(&self, audience: &str) -> bool {
        match self.claim("aud") {
            Some(Value::Array(audiences)) => matches!(audiences.as_slice(), [only] if only == audience),
            only => only.is_some_and(|only| only == audience),
        }
    }

    /// Checks that the claim `name` is absent or not later than `now`, with the accepted skew.
    ///
    /// # Errors
    /// The reason, which is only logged.
    pub fn is_not_ahead(&self, name: &str, now: u64) -> Result<(), &'static str> {
        match self.time(name)? {
            Some(time) if time > now + CLOCK_SKEW => Err("an iat or nbf in the future"),
            _ => Ok(()),
        }
    }

    /// Returns true if the header has no `typ`, or one of these (RFC 7515 section 4.1.9): without regard to case, and
    /// also as a full media type.
    pub fn may_be(&self, types: &[&str]) -> bool {
        let Some(typ) = self.header("typ") else { return true };
        let is_prefix = |prefix: &&str| prefix.eq_ignore_ascii_case("application/");
        typ.as_str().is_some_and(|typ| {
            let name = typ.get(..12).filter(|start| is_prefix(start)).and_then(|_| typ.get(12..)).unwrap_or(typ);
            types.iter().any(|known| known.eq_ignore_ascii_case(name))
        })
    }

    /// Returns true if the key fits the algorithm of the header and verifies the signature.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.fits(self.algorithm) && key.verify(self.parts.message, self.parts.signature, self.algorithm)
    }
}
