//! The key that a token is bound to: the claim `cnf` (RFC 7800 section 3.1).

use serde::{Deserialize, Serialize};

/// The confirmation of a key, in the form of the claim and of the attribute of a login. It has exactly one method.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Confirmation {
    /// The thumbprint (RFC 7638) of the key of DPoP proofs (RFC 9449 section 6.1).
    #[serde(rename = "jkt")]
    Jkt(String),
    /// The SHA-256 of the certificate of the client (RFC 8705 section 3.1).
    #[serde(rename = "x5t#S256")]
    X5t(String),
}

/// Returns the type of a token with this confirmation, or without one (RFC 6750): only a token that is bound to a key of
/// proofs has another type (RFC 9449 section 5, RFC 8705 section 3).
pub const fn token_type(cnf: Option<&Confirmation>) -> &'static str {
    match cnf {
        Some(Confirmation::Jkt(_)) => "DPoP",
        Some(Confirmation::X5t(_)) | None => "Bearer",
    }
}
