//! The field `confirm` of a form: it proves that a page of the same session, for the same request, contained the form.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::session::SessionId;

/// The keys of the values of one kind of form.
pub struct ConfirmKeys(Vec<hmac::Key>);

impl ConfirmKeys {
    /// Builds the keys. New values are made with the first one; values made with the others are accepted too.
    pub fn new<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self(keys.into_iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())).collect())
    }

    /// Returns the value for a form of this session. `query` is the canonical query of the request; empty if the form
    /// belongs to no request.
    pub fn value(&self, session: SessionId, query: &str) -> String {
        let tag = self.0.first().map(|key| hmac::sign(key, &message(session, query)));
        tag.map(|tag| URL_SAFE_NO_PAD.encode(tag)).unwrap_or_default()
    }

    /// Returns true if a value was made for this session and this query with one of the keys.
    pub fn accept(&self, value: &str, session: SessionId, query: &str) -> bool {
        let Ok(tag) = URL_SAFE_NO_PAD.decode(value) else {
            return false;
        };
        self.0.iter().any(|key| hmac::verify(key, &message(session, query), &tag).is_ok())
    }
}

/// The id has a fixed length, so no two pairs have the same message.
fn message(session: SessionId, query: &str) -> Vec<u8> {
    [session.as_bytes(), query.as_bytes()].concat()
}
