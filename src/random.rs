//! Random bytes and identifiers, from the operating system's random source.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Returns an identifier that cannot be guessed: 128 random bits in base64url.
pub fn random_id() -> String {
    let mut bits = [0; 16];
    fill_random(&mut bits);
    URL_SAFE_NO_PAD.encode(bits)
}

/// Returns an identifier for people, which is not secret: 8 hex digits.
pub fn short_id() -> String {
    let mut bits = [0; 4];
    fill_random(&mut bits);
    format!("{:08x}", u32::from_be_bytes(bits))
}

/// Fills the bytes from the operating system's random source.
///
/// # Panics
/// If the source fails: every request needs random bytes, and no weaker source is acceptable.
pub(crate) fn fill_random(bytes: &mut [u8]) {
    #[expect(clippy::expect_used, reason = "aws-lc aborts before it returns an error here")]
    rand::fill(bytes).expect("the operating system has random numbers");
}
