//! Bytes as text: hex, and hashes.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Returns bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // A write to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Returns the first 64 bits of a hash in lower-case hex.
pub(crate) fn short_hex(hash: &[u8]) -> String {
    hex(hash.get(..8).unwrap_or(hash))
}

/// Returns the SHA-256 of a text or of bytes in base64url.
pub(crate) fn sha256(content: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, content.as_ref()))
}
