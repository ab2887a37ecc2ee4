//! The field `confirm` of a form: it proves that a page of the same session, for the same request, contained the form.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::SessionId;
use crate::hmac_keys::HmacKeys;

/// The keys of the values of one kind of form.
pub struct ConfirmKeys(HmacKeys);

impl ConfirmKeys {
    /// Uses keys for this kind of form only.
    pub fn new(keys: HmacKeys) -> Self {
        Self(keys)
    }

    /// Returns the value for a form of this session. `query` is the canonical query of the request; empty if the form
    /// belongs to no request.
    pub fn value(&self, session: SessionId, query: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.0.sign(&message(session, query)))
    }

    /// Returns true if a value was made for this session and this query with one of the keys.
    pub fn accept(&self, value: &str, session: SessionId, query: &str) -> bool {
        URL_SAFE_NO_PAD.decode(value).is_ok_and(|tag| self.0.verify(&message(session, query), &tag))
    }
}

/// The id has a fixed length, so no two pairs have the same message.
fn message(session: SessionId, query: &str) -> Vec<u8> {
    [session.as_bytes(), query.as_bytes()].concat()
}
