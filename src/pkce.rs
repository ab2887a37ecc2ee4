//! Proof Key for Code Exchange (RFC 7636), with the method `S256` only: the client that redeems a code proves that it began
//! the flow.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::{Deserialize, Serialize};

use crate::encoding::sha256;

/// The length of a SHA-256 in base64url.
const CHALLENGE_CHARACTERS: usize = 43;

/// A code challenge: a verifier's SHA-256 in base64url (RFC 7636 section 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Challenge(String);

/// A code verifier (RFC 7636 section 4.1). Has no `Debug`: it is a secret until it is redeemed.
pub struct Verifier(String);

impl Challenge {
    /// Parses a challenge. Returns `None` for text that no S256 challenge has.
    pub fn parse(text: String) -> Option<Self> {
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (text.len() == CHALLENGE_CHARACTERS && text.bytes().all(is_base64url)).then_some(Self(text))
    }

    /// Returns true if the challenge was made from the verifier. Compares in constant time.
    pub fn is_proven_by(&self, verifier: &Verifier) -> bool {
        verify_slices_are_equal(sha256(&verifier.0).as_bytes(), self.0.as_bytes()).is_ok()
    }
}

impl TryFrom<String> for Challenge {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(text).ok_or("a code challenge has 43 characters of base64url")
    }
}

impl From<Challenge> for String {
    fn from(challenge: Challenge) -> Self {
        challenge.0
    }
}

impl Verifier {
    /// Parses a verifier: 43 to 128 unreserved characters. Returns `None` for other text.
    pub fn parse(text: String) -> Option<Self> {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        ((43..=128).contains(&text.len()) && text.bytes().all(is_unreserved)).then_some(Self(text))
    }
}
