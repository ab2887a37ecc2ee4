//! Client secrets that this project generates: 256 random bits, which need no slow hash.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::HashError;
use crate::encoding::sha256;
use crate::random::fill_random;

/// A hash in the form `$sha256$` and the SHA-256 of the secret, in base64 without padding.
#[derive(Clone)]
pub(super) struct Sha256Hash([u8; SHA256_OUTPUT_LEN]);

impl Sha256Hash {
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let digest = text.strip_prefix("$sha256$").and_then(|digest| STANDARD_NO_PAD.decode(digest).ok());
        let digest = digest.and_then(|digest| digest.try_into().ok());
        digest.map(Self).ok_or(HashError::Malformed)
    }

    pub fn verify(&self, secret: &str) -> bool {
        tracing::debug!("sha256");
        verify_slices_are_equal(digest(&SHA256, secret.as_bytes()).as_ref(), &self.0).is_ok()
    }

    /// Does the work of one verification without a hash.
    pub fn run_dummy(secret: &str) {
        let _ = Self([0; SHA256_OUTPUT_LEN]).verify(secret);
    }
}

/// Generates a client secret: `cs_`, 256 random bits, and a checksum, by which secret scanners recognize leaked
/// secrets. All characters are in `[A-Za-z0-9_-]`, because client libraries encode others for Basic in different ways.
pub fn generate_client_secret() -> String {
    let mut bits = [0; 32];
    fill_random(&mut bits);
    let secret = format!("cs_{}", URL_SAFE_NO_PAD.encode(bits));
    let checksum = checksum(&secret);
    secret + &checksum
}

/// Returns true if a secret has the form and the checksum of [`generate_client_secret`], so it was not chosen by a
/// person.
pub fn is_generated(secret: &str) -> bool {
    let (start, end) = secret.split_at_checked(GENERATED_BYTES).unwrap_or_default();
    let bits = start.strip_prefix("cs_").and_then(|bits| URL_SAFE_NO_PAD.decode(bits).ok());
    bits.is_some_and(|bits| bits.len() == 32) && end == checksum(start)
}

fn checksum(secret: &str) -> String {
    sha256(secret).chars().take(CHECKSUM_CHARACTERS).collect()
}

/// The length of `cs_` and 256 bits in base64url.
const GENERATED_BYTES: usize = 3 + 43;
const CHECKSUM_CHARACTERS: usize = 6;

/// Hashes a generated client secret, in the stored form.
pub fn hash_client_secret(secret: &str) -> String {
    format!("$sha256${}", STANDARD_NO_PAD.encode(digest(&SHA256, secret.as_bytes())))
}
