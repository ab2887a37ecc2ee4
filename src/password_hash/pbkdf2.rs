//! Imported PBKDF2 (RFC 8018) with HMAC-SHA-1, HMAC-SHA-256 or HMAC-SHA-512.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, pbkdf2};

use super::HashError;
use super::phc::Phc;

const MAX_ITERATIONS: u32 = 2_000_000;

/// The name, the algorithm and the number of bytes in a block of its output.
type Variant = (&'static str, pbkdf2::Algorithm, usize);

const VARIANTS: [Variant; 3] = [
    ("pbkdf2-sha1", pbkdf2::PBKDF2_HMAC_SHA1, digest::SHA1_OUTPUT_LEN),
    ("pbkdf2-sha256", pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
    ("pbkdf2-sha512", pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
];

/// A hash in PHC form: `$pbkdf2-sha256$i=600000$salt$output`.
#[derive(Clone)]
pub(super) struct Pbkdf2 {
    name: &'static str,
    algorithm: pbkdf2::Algorithm,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    /// The first block of the output, or its beginning.
    block: Vec<u8>,
}

impl Pbkdf2 {
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let phc = Phc::parse(text).ok_or(HashError::Malformed)?;
        let variant = VARIANTS.into_iter().find(|(name, ..)| *name == phc.id);
        let (name, algorithm, block_bytes) = variant.ok_or(HashError::Malformed)?;
        let [iterations] = phc.params(["i"]).ok_or(HashError::Malformed)?;
        if iterations > MAX_ITERATIONS {
            return Err(HashError::TooCostly);
        }
        // Each block costs all iterations and does not depend on the others, so one block is as good as all of them.
        let mut block = phc.output;
        block.truncate(block_bytes);
        let iterations = NonZeroU32::new(iterations).ok_or(HashError::Malformed)?;
        Ok(Self { name, algorithm, iterations, salt: phc.salt, block })
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn verify(&self, password: &str) -> bool {
        pbkdf2::verify(self.algorithm, self.iterations, &self.salt, password.as_bytes(), &self.block).is_ok()
    }
}
