//! ID tokens that come back to us as a hint (OpenID Connect Core section 3.1.2.1).

use serde_json::Value;

use super::{Inspection, JwkSet, Part, Parts, json};
use crate::token::TokenVersion;

/// The content of an ID token that we issued. It may have expired: it names a user, but proves nothing about the browser.
pub struct IdTokenHint {
    /// `sub`
    pub subject: String,
    /// `aud`
    pub client_id: String,
    /// `sid`
    pub session: String,
}

impl IdTokenHint {
    /// Verifies a token of this issuer with these keys. Returns `None` unless it is an ID token.
    pub fn verify(token: &str, issuer: &str, keys: &JwkSet) -> Option<Self> {
        let parts = Parts::of(token).ok()?;
        let mut inspection = Inspection::default();
        inspection.check_signature(parts, Some(keys));
        let claims = json::object(Part::Payload, parts.claims, &mut inspection.problems)?;
        let text = |name| claims.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        // An access token of version 1 has the same type in its header, and a `jti`.
        let is_id_token = inspection.is_valid()
            && inspection.version == Some(TokenVersion::V1)
            && text("iss")? == issuer
            && claims.contains_key("at_hash")
            && !claims.contains_key("jti");
        is_id_token.then_some(())?;
        Some(Self { subject: text("sub")?, client_id: text("aud")?, session: text("sid")? })
    }
}
