//! The nonce of proofs (RFC 9449 section 8): a time of the server. Nothing is stored.
//!
//! ```text
//! base64url( window:4  first 12 bytes of HMAC-SHA-256 over it )
//! ```

use aws_lc_rs::{constant_time, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The length of a window in seconds.
const WINDOW: u64 = 60;
const WINDOW_BYTES: usize = 4;
const TAG_BYTES: usize = 12;

/// The keys of nonces.
pub struct NonceKeys(Vec<hmac::Key>);

impl NonceKeys {
    /// Builds the keys. New nonces are made with the first one; nonces made with the others are accepted too.
    pub fn new<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self(keys.into_iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())).collect())
    }

    /// Returns the nonce of the window that contains `now`.
    pub fn nonce(&self, now: u64) -> String {
        let window = window(now).to_be_bytes();
        let sealed = self.0.first().map(|key| [&window[..], &tag(key, &window)].concat());
        sealed.map(|sealed| URL_SAFE_NO_PAD.encode(sealed)).unwrap_or_default()
    }

    /// Returns true for a nonce of the previous, the current or the next window that was made with one of the keys. The
    /// next one is that of an execution environment whose clock is ahead.
    pub fn accept(&self, nonce: &str, now: u64) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else { return false };
        let Some((bytes, of_nonce)) = bytes.split_first_chunk::<WINDOW_BYTES>() else { return false };
        let is_near = u32::from_be_bytes(*bytes).abs_diff(window(now)) <= 1;
        let is_of = |key| constant_time::verify_slices_are_equal(&tag(key, bytes), of_nonce).is_ok();
        is_near && self.0.iter().any(is_of)
    }
}

/// Returns the number of the window that contains a time.
fn window(now: u64) -> u32 {
    u32::try_from(now / WINDOW).unwrap_or(u32::MAX)
}

fn tag(key: &hmac::Key, window: &[u8]) -> [u8; TAG_BYTES] {
    let tag = hmac::sign(key, window);
    tag.as_ref().first_chunk().copied().unwrap_or_default()
}
