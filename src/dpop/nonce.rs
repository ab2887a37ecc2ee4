//! The nonce of proofs (RFC 9449 section 8): a time of the server. Nothing is stored.
//!
//! ```text
//! base64url( window:4  first 12 bytes of HMAC-SHA-256 over it )
//! ```

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::Tag;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::hmac_keys::HmacKeys;

/// The length of a window in seconds.
const WINDOW: u64 = 60;
const WINDOW_BYTES: usize = 4;
const TAG_BYTES: usize = 12;

/// The keys of nonces.
pub struct NonceKeys(HmacKeys);

impl NonceKeys {
    /// Uses keys for nonces only.
    pub fn new(keys: HmacKeys) -> Self {
        Self(keys)
    }

    /// Returns the nonce of the window that contains `now`.
    pub fn nonce(&self, now: u64) -> String {
        let window = window(now).to_be_bytes();
        URL_SAFE_NO_PAD.encode([&window[..], shortened(&self.0.sign(&window))].concat())
    }

    /// Returns true for a nonce of the previous, the current or the next window that was made with one of the keys. The
    /// next one is that of an execution environment whose clock is ahead.
    pub fn accept(&self, nonce: &str, now: u64) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else { return false };
        let Some((bytes, of_nonce)) = bytes.split_first_chunk::<WINDOW_BYTES>() else { return false };
        let is_near = u32::from_be_bytes(*bytes).abs_diff(window(now)) <= 1;
        let is_of_nonce = |tag: Tag| verify_slices_are_equal(shortened(&tag), of_nonce).is_ok();
        is_near && self.0.tags(bytes).any(is_of_nonce)
    }
}

/// Returns the number of the window that contains a time.
fn window(now: u64) -> u32 {
    u32::try_from(now / WINDOW).unwrap_or(u32::MAX)
}

/// Returns the first bytes of an HMAC, as a nonce has them.
fn shortened(tag: &Tag) -> &[u8] {
    tag.as_ref().split_at(TAG_BYTES).0
}
