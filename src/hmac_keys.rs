//! HMAC keys: they authenticate refresh tokens, nonces and forms, and name users in the log.

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key, Tag};

/// HMAC-SHA-256 keys of one purpose. Has no `Debug`, because it contains secrets.
pub struct HmacKeys {
    current: Key,
    others: Vec<Key>,
}

impl HmacKeys {
    /// Builds the keys from their bytes. New values are made with `current`. Values made with `others` are also accepted,
    /// because those keys were current before or will be next.
    pub fn new<K: AsRef<[u8]>>(current: K, others: impl IntoIterator<Item = K>) -> Self {
        let key = |bytes: K| Key::new(HMAC_SHA256, bytes.as_ref());
        Self { current: key(current), others: others.into_iter().map(key).collect() }
    }

    /// Returns the HMAC of a message with the current key.
    pub(crate) fn sign(&self, message: &[u8]) -> Tag {
        hmac::sign(&self.current, message)
    }

    /// Returns true if a tag is the HMAC of a message with one of the keys. Compares in constant time.
    pub(crate) fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        self.all().any(|key| hmac::verify(key, message, tag).is_ok())
    }

    /// Returns the HMACs of a message with all keys, that of the current key first.
    pub(crate) fn tags(&self, message: &[u8]) -> impl Iterator<Item = Tag> {
        self.all().map(|key| hmac::sign(key, message))
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.others)
    }
}
