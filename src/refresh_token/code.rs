//! Authorization codes: generation 0 of a family.
//!
//! ```text
//! cs_ac_ base64url( version:2  family:16  HMAC-SHA-256 over both:32 )
//! ```
//!
//! The version keeps codes and refresh tokens apart: no text is both.

use serde::{Deserialize, Serialize};

use super::{FAMILY_BYTES, FamilyId, RefreshTokenKeys};
use crate::pkce::Challenge;

const PREFIX: &str = "cs_ac_";
const VERSION: u8 = 2;
const SIGNED_BYTES: usize = 1 + FAMILY_BYTES;

/// The seconds after which an unused code expires.
pub const CODE_TTL: u64 = 60;

/// The content of an authorization code: a family that was not used yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AuthorizationCode(pub FamilyId);

impl AuthorizationCode {
    /// Decodes a code. Returns `None` unless it was made with one of the keys, byte for byte.
    pub fn read(keys: &RefreshTokenKeys, code: &str) -> Option<Self> {
        let [version, family @ ..]: [u8; SIGNED_BYTES] = keys.open(code.strip_prefix(PREFIX)?)?;
        (version == VERSION).then_some(Self(FamilyId(family)))
    }

    /// Encodes the code with the current key.
    pub fn mint(self, keys: &RefreshTokenKeys) -> String {
        let signed = [&[VERSION], &self.0.0[..]].concat();
        format!("{PREFIX}{}", keys.seal(&signed))
    }
}

/// The part of a login by code that does not change: the authorization request, and the records that the login depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// The redirect URI of the request.
    pub redirect_uri: String,
    /// The challenge of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<Challenge>,
    /// The `nonce` of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The id of the user's consent for the client. A later consent has another id.
    pub consent: String,
    /// The key of the browser session's item.
    pub session: String,
}
