//! argon2 (RFC 9106): the scheme of new hashes, and imported hashes with any parameters within the bounds.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use argon2id::FastArgon2id;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::HashError;
use super::phc::Phc;
use crate::random::fill_random;

const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_KIB_PASSES: u64 = 4 * MAX_MEMORY_KIB as u64;
const MAX_PARALLELISM: u32 = 16;

const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// The parameters of argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Params {
    /// The memory in KiB.
    pub memory_kib: u32,
    /// The number of passes over the memory.
    pub iterations: u32,
    /// The number of lanes.
    pub parallelism: u32,
}

/// The OWASP recommendation for argon2id.
impl Default for Argon2Params {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

/// A variant of argon2 and its parameters.
#[derive(Clone, PartialEq, Eq)]
struct Variant {
    algorithm: Algorithm,
    version: Version,
    params: Params,
}

/// A hash in PHC form: `$argon2id$v=19$m=19456,t=2,p=1$salt$output`.
#[derive(Clone)]
pub(super) struct Argon2Hash {
    variant: Variant,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Argon2Hash {
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let phc = Phc::parse(text).ok_or(HashError::Malformed)?;
        let [memory, iterations, parallelism] = phc.params(["m", "t", "p"]).ok_or(HashError::Malformed)?;
        if memory > MAX_MEMORY_KIB
            || u64::from(memory) * u64::from(iterations) > MAX_KIB_PASSES
            || parallelism > MAX_PARALLELISM
        {
            return Err(HashError::TooCostly);
        }
        if phc.salt.len() < argon2::MIN_SALT_LEN {
            return Err(HashError::Malformed);
        }
        let variant = Variant {
            algorithm: phc.id.parse().map_err(|_| HashError::Malformed)?,
            version: phc.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(|_| HashError::Malformed)?,
            params: Params::new(memory, iterations, parallelism, Some(phc.output.len()))
                .map_err(|_| HashError::Malformed)?,
        };
        Ok(Self { variant, salt: phc.salt, output: phc.output })
    }

    pub fn name(&self) -> &'static str {
        self.variant.algorithm.as_str()
    }
}

/// Runs argon2. Reuses its memory, because an allocation for each call makes the heap ten times as large.
pub(super) struct Engine {
    /// The variant of new hashes.
    current: Variant,
    /// Verifies argon2id of version 1.3 with one lane and a tag of 32 bytes, if the processor has AVX2.
    fast: Option<FastArgon2id>,
    /// The memory that is not in use: as many parts as calls ran simultaneously.
    memory: Mutex<Vec<Vec<Block>>>,
}

impl Engine {
    pub fn new(params: Argon2Params) -> Result<Self, HashError> {
        let Argon2Params { memory_kib, iterations, parallelism } = params;
        // The engine must accept the hashes that it makes.
        let output = STANDARD_NO_PAD.encode([0; OUTPUT_BYTES]);
        let salt = STANDARD_NO_PAD.encode([0; SALT_BYTES]);
        let sample = format!("$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}${salt}${output}");
        let current = Argon2Hash::parse(&sample)?.variant;
        Ok(Self { current, fast: FastArgon2id::detect(), memory: Mutex::new(Vec::new()) })
    }

    /// Verifies without [`FastArgon2id`].
    pub fn without_avx2(self) -> Self {
        Self { fast: None, ..self }
    }

    /// Makes a hash in the current variant with a new salt.
    pub fn hash(&self, password: &str) -> Result<String, HashError> {
        let mut salt = [0; SALT_BYTES];
        fill_random(&mut salt);
        let output = self.run(&self.current, [password.as_bytes(), &salt], None).ok_or(HashError::Malformed)?;
        Ok(format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            self.current.params.m_cost(),
            self.current.params.t_cost(),
            self.current.params.p_cost(),
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(output),
        ))
    }

    /// Does the work of one verification in the current variant, without a hash.
    pub fn run_dummy(&self, password: &str) {
        black_box(self.run(&self.current, [password.as_bytes(), &[0; SALT_BYTES]], self.fast));
    }

    pub fn verify(&self, hash: &Argon2Hash, password: &str) -> bool {
        self.run(&hash.variant, [password.as_bytes(), &hash.salt], self.fast)
            .is_some_and(|candidate| verify_slices_are_equal(&hash.output, &candidate).is_ok())
    }

    /// Returns true if the hash is in the variant of new hashes.
    pub fn is_current(&self, hash: &Argon2Hash) -> bool {
        hash.variant == self.current
    }

    /// Returns the tag of a password and a salt, of the length in the parameters. Uses `fast` if it has this variant.
    fn run(&self, variant: &Variant, texts: [&[u8]; 2], fast: Option<FastArgon2id>) -> Option<Vec<u8>> {
        let unused = || self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = unused().pop().unwrap_or_default();
        let needed = variant.params.block_count();
        if memory.len() < needed {
            memory.resize(needed, Block::new());
        }
        let blocks = memory.get_mut(..needed)?;
        let fast = fast.filter(|_| (variant.algorithm, variant.version) == (Algorithm::Argon2id, Version::V0x13));
        let by_avx2 = fast.and_then(|fast| fast.tag(&variant.params, texts, blocks));
        tracing::debug!(
            memory_kib = variant.params.m_cost(),
            iterations = variant.params.t_cost(),
            parallelism = variant.params.p_cost(),
            avx2 = u64::from(by_avx2.is_some()),
            "argon2"
        );
        let tag = by_avx2.map(Vec::from).or_else(|| tag_by_argon2(variant, texts, blocks));
        // Memory that only an imported hash needs is not kept.
        let kept = self.current.params.block_count();
        if memory.len() > kept {
            memory.truncate(kept);
            memory.shrink_to_fit();
        }
        unused().push(memory);
        tag
    }
}

/// Returns the tag by the crate `argon2`.
fn tag_by_argon2(variant: &Variant, [password, salt]: [&[u8]; 2], memory: &mut [Block]) -> Option<Vec<u8>> {
    let params = &variant.params;
    let mut tag = vec![0; params.output_len().unwrap_or(OUTPUT_BYTES)];
    let argon2 = Argon2::new(variant.algorithm, variant.version, params.clone());
    argon2.hash_password_into_with_memory(password, salt, &mut tag, memory).ok()?;
    Some(tag)
}
