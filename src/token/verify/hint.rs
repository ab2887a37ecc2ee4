//! ID tokens as hints: `id_token_hint` (OpenID Connect Core section 3.1.2.1, RP-Initiated Logout 1.0 section 2).

use serde_json::Value;

use super::{Inspection, JwkSet, Part, object, parts_of};
use crate::token::TokenVersion;

/// The content of one of our ID tokens. It may have expired.
#[derive(Debug, PartialEq, Eq)]
pub struct IdTokenHint {
    /// `sub`: the user.
    pub subject: String,
    /// `aud`: the client.
    pub client_id: String,
    /// `sid`: the browser session, as the client knows it.
    pub sid: String,
}

/// Verifies an ID token of this issuer with these keys. Returns `None` for any other text, also for an access token. The
/// end of the token is not checked, because a client keeps its ID token for longer.
pub fn verify_hint(token: &str, issuer: &str, keys: &JwkSet) -> Option<IdTokenHint> {
    let parts = parts_of(token).ok()?;
    let mut inspection = Inspection::default();
    inspection.check_signature(parts, Some(keys));
    let claims = object(Part::Payload, parts.claims, &mut inspection.problems)?;
    inspection.first_problem().ok()?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    // An access token of version 1 has the same `typ`, but a `jti` and no hash of itself.
    let is_id_token = inspection.version == Some(TokenVersion::V1) && text("at_hash").is_some();
    let is_ours = is_id_token && !claims.contains_key("jti") && text("iss").as_deref() == Some(issuer);
    if !is_ours {
        return None;
    }
    Some(IdTokenHint { subject: text("sub")?, client_id: text("aud")?, sid: text("sid")? })
}
