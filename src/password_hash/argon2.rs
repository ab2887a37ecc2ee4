//! argon2 (RFC 9106): the scheme of new hashes, and imported hashes with any parameters within the bounds.

use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, Version};
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

/// A hash in PHC form: `$argon2id$v=19$m=19456,t=2,p=1$salt$output`.
#[derive(Clone)]
pub(super) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    params: Params,
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
        Ok(Self {
            algorithm: phc.id.parse().map_err(|_| HashError::Malformed)?,
            version: phc.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(|_| HashError::Malformed)?,
            params: Params::new(memory, iterations, parallelism, Some(phc.output.len()))
                .map_err(|_| HashError::Malformed)?,
            salt: phc.salt,
            output: phc.output,
        })
    }

    pub fn name(&self) -> &'static str {
        self.algorithm.as_str()
    }
}

/// Runs argon2. Reuses one block of memory, because an allocation for each call makes the heap ten times as large.
pub(super) struct Engine {
    /// The parameters of new hashes.
    params: Params,
    memory: Mutex<Vec<Block>>,
}

impl Engine {
    pub fn new(params: Argon2Params) -> Result<Self, HashError> {
        let Argon2Params { memory_kib, iterations, parallelism } = params;
        // The engine must accept the hashes that it makes.
        let output = STANDARD_NO_PAD.encode([0; OUTPUT_BYTES]);
        let salt = STANDARD_NO_PAD.encode([0; SALT_BYTES]);
        let sample = format!("$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}${salt}${output}");
        Ok(Self { params: Argon2Hash::parse(&sample)?.params, memory: Mutex::new(Vec::new()) })
    }

    /// Makes a hash with the current parameters and a new salt.
    pub fn hash(&self, password: &str) -> Result<String, HashError> {
        let mut salt = [0; SALT_BYTES];
        fill_random(&mut salt);
        let output = self.run(&self.current(), password, &salt).map_err(|_| HashError::Malformed)?;
        Ok(format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            self.params.m_cost(),
            self.params.t_cost(),
            self.params.p_cost(),
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(output),
        ))
    }

    /// Does the work of one verification with the current parameters, without a hash.
    pub fn run_dummy(&self, password: &str) {
        let _ = self.run(&self.current(), password, &[0; SALT_BYTES]);
    }

    pub fn verify(&self, hash: &Argon2Hash, password: &str) -> bool {
        let argon2 = Argon2::new(hash.algorithm, hash.version, hash.params.clone());
        self.run(&argon2, password, &hash.salt)
            .is_ok_and(|candidate| verify_slices_are_equal(&hash.output, &candidate).is_ok())
    }

    /// Returns true if the hash is in the scheme of new hashes, with their parameters.
    pub fn is_current(&self, hash: &Argon2Hash) -> bool {
        (hash.algorithm, hash.version) == (Algorithm::Argon2id, Version::V0x13) && hash.params == self.params
    }

    fn current(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    /// Returns the hash of a password, of the length in the parameters.
    fn run(&self, argon2: &Argon2<'_>, password: &str, salt: &[u8]) -> Result<Vec<u8>, argon2::Error> {
        let params = argon2.params();
        tracing::debug!(
            memory_kib = params.m_cost(),
            iterations = params.t_cost(),
            parallelism = params.p_cost(),
            "argon2"
        );
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = params.block_count();
        if memory.len() < needed {
            memory.resize(needed, Block::new());
        }
        let blocks = memory.get_mut(..needed).ok_or(argon2::Error::OutOfMemory)?;
        let mut output = vec![0; params.output_len().unwrap_or(OUTPUT_BYTES)];
        let result = argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut output, blocks);
        // Memory that only an imported hash needs is not kept.
        let kept = self.params.block_count();
        if memory.len() > kept {
            memory.truncate(kept);
            memory.shrink_to_fit();
        }
        result.map(|()| output)
    }
}
