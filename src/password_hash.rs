//! Password hashes and client secret hashes: the stored forms, and how each one is verified. Pure: no store, no clock.
//!
//! | stored form | for | work |
//! |---|---|---|
//! | `$sha256$` + base64 | machine-made client secrets: 256 random bits need no slow hash | one SHA-256 |
//! | `$argon2id$` (PHC) | passwords; argon2i and argon2d if imported | the hash's own parameters, bounded |
//! | `$2y$`, `$2b$`, `$2a$` | imported bcrypt | the hash's own cost, bounded |
//! | `$pbkdf2-sha256$`, `$pbkdf2-sha512$` (PHC) | imported PBKDF2 | the hash's own rounds, bounded |

mod client_secret;

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{self, SHA256, digest};
use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;

pub use self::client_secret::{generate_client_secret, hash_client_secret, is_generated};
use crate::random::fill_random;

// Bounds on what a stored hash may ask of us: room above what frameworks make by default, and an end to it.
const MAX_ARGON2_MEMORY_KIB: u32 = 256 * 1024;
const MAX_ARGON2_KIB_PASSES: u64 = 4 * MAX_ARGON2_MEMORY_KIB as u64;
const MAX_ARGON2_PARALLELISM: u32 = 16;
const MIN_BCRYPT_COST: u32 = 4;
const MAX_BCRYPT_COST: u32 = 14;
const MAX_PBKDF2_ITERATIONS: u32 = 2_000_000;

const ARGON2_SALT_BYTES: usize = 16;
const ARGON2_OUTPUT_BYTES: usize = 32;

/// A stored hash. Its scheme is known to the [`Hasher`] alone; `Debug` shows nothing.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Hash {
    text: String,
    scheme: Scheme,
}

#[derive(Clone)]
enum Scheme {
    Sha256([u8; digest::SHA256_OUTPUT_LEN]),
    Argon2 { algorithm: Algorithm, version: Version, params: Params, salt: Vec<u8>, output: Vec<u8> },
    Bcrypt,
    Pbkdf2 { algorithm: pbkdf2::Algorithm, iterations: NonZeroU32, salt: Vec<u8>, output: Vec<u8> },
}

impl Hash {
    /// The name of its scheme, for people.
    pub fn scheme(&self) -> &'static str {
        match &self.scheme {
            Scheme::Sha256(_) => "sha256",
            Scheme::Argon2 { algorithm, .. } => algorithm.as_str(),
            Scheme::Bcrypt => "bcrypt",
            Scheme::Pbkdf2 { algorithm, .. } if *algorithm == pbkdf2::PBKDF2_HMAC_SHA512 => "pbkdf2-sha512",
            Scheme::Pbkdf2 { .. } => "pbkdf2-sha256",
        }
    }

    /// Returns true if verifying it is slow on purpose: a person may have chosen the secret. Only a machine-made client
    /// secret has a fast hash.
    pub fn is_slow(&self) -> bool {
        !matches!(self.scheme, Scheme::Sha256(_))
    }

    /// A name for it, which tells nothing of it: the first 32 bits of its own SHA-256, in hex.
    pub fn fingerprint(&self) -> String {
        let digest = digest(&SHA256, self.text.as_bytes());
        digest.as_ref().iter().take(4).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// Its text, for the store and nobody else.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hash(..)")
    }
}

/// Why a stored text is no [`struct@Hash`]. Says nothing of the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashError {
    /// Not in a known form.
    Malformed,
    /// Asks for more work than any honest hash does.
    TooCostly,
}

impl fmt::Display for HashError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Malformed => "not a hash in a known form",
            Self::TooCostly => "a hash that asks for too much work",
        })
    }
}

impl std::error::Error for HashError {}

impl TryFrom<String> for Hash {
    type Error = HashError;

    fn try_from(text: String) -> Result<Self, HashError> {
        let scheme = if let Some(digest) = text.strip_prefix("$sha256$") {
            let digest = STANDARD_NO_PAD.decode(digest).map_err(|_| HashError::Malformed)?;
            Scheme::Sha256(digest.try_into().map_err(|_| HashError::Malformed)?)
        } else if ["$2y$", "$2b$", "$2a$"].iter().any(|prefix| text.starts_with(prefix)) {
            let parts = bcrypt::HashParts::from_str(&text).map_err(|_| HashError::Malformed)?;
            match parts.get_cost() {
                // With fewer no password can be verified.
                ..MIN_BCRYPT_COST => return Err(HashError::Malformed),
                MIN_BCRYPT_COST..=MAX_BCRYPT_COST => {}
                _ => return Err(HashError::TooCostly),
            }
            Scheme::Bcrypt
        } else {
            Scheme::from_phc(&text)?
        };
        Ok(Self { text, scheme })
    }
}

impl Scheme {
    fn from_phc(text: &str) -> Result<Self, HashError> {
        let phc = phc::PasswordHash::new(text).map_err(|_| HashError::Malformed)?;
        let salt = phc.salt.ok_or(HashError::Malformed)?.to_vec();
        let output = phc.hash.ok_or(HashError::Malformed)?.as_bytes().to_vec();
        let param = |name| phc.params.get_decimal(name).ok_or(HashError::Malformed);
        let algorithm = match phc.algorithm.as_str() {
            "argon2id" => Algorithm::Argon2id,
            "argon2i" => Algorithm::Argon2i,
            "argon2d" => Algorithm::Argon2d,
            "pbkdf2-sha256" => return Self::pbkdf2(pbkdf2::PBKDF2_HMAC_SHA256, param("i")?, salt, output),
            "pbkdf2-sha512" => return Self::pbkdf2(pbkdf2::PBKDF2_HMAC_SHA512, param("i")?, salt, output),
            _ => return Err(HashError::Malformed),
        };
        let (memory, iterations, parallelism) = (param("m")?, param("t")?, param("p")?);
        if memory > MAX_ARGON2_MEMORY_KIB
            || u64::from(memory) * u64::from(iterations) > MAX_ARGON2_KIB_PASSES
            || parallelism > MAX_ARGON2_PARALLELISM
        {
            return Err(HashError::TooCostly);
        }
        Ok(Self::Argon2 {
            algorithm,
            version: phc.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(|_| HashError::Malformed)?,
            params: Params::new(memory, iterations, parallelism, Some(output.len()))
                .map_err(|_| HashError::Malformed)?,
            salt,
            output,
        })
    }

    fn pbkdf2(
        algorithm: pbkdf2::Algorithm,
        iterations: u32,
        salt: Vec<u8>,
        output: Vec<u8>,
    ) -> Result<Self, HashError> {
        if iterations > MAX_PBKDF2_ITERATIONS {
            return Err(HashError::TooCostly);
        }
        let iterations = NonZeroU32::new(iterations).ok_or(HashError::Malformed)?;
        Ok(Self::Pbkdf2 { algorithm, iterations, salt, output })
    }
}

/// Runs the hashes. Keeps one block of memory for argon2, because a block for each call makes the heap grow tenfold.
///
/// It works on the thread that calls it: a function's environment answers one request at a time, so that no other waits.
pub struct Hasher {
    params: Params,
    memory: Mutex<Vec<Block>>,
}

impl Hasher {
    /// A hasher that makes new hashes with these argon2id parameters.
    ///
    /// # Errors
    /// [`HashError`] if they are none, or beyond what a stored hash may ask for.
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Self, HashError> {
        // A hash that we made must be one that we accept.
        let output = STANDARD_NO_PAD.encode([0; ARGON2_OUTPUT_BYTES]);
        let salt = STANDARD_NO_PAD.encode([0; ARGON2_SALT_BYTES]);
        let sample = format!("$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}${salt}${output}");
        match Hash::try_from(sample)?.scheme {
            Scheme::Argon2 { params, .. } => Ok(Self { params, memory: Mutex::new(Vec::new()) }),
            _ => Err(HashError::Malformed),
        }
    }

    /// Hashes a password in the current scheme, with a fresh salt.
    ///
    /// # Errors
    /// [`HashError`], which [`Hasher::new`] has ruled out.
    pub fn hash(&self, password: &str) -> Result<Hash, HashError> {
        let mut salt = [0; ARGON2_SALT_BYTES];
        fill_random(&mut salt);
        let mut output = [0; ARGON2_OUTPUT_BYTES];
        self.argon2(&self.current(), password, &salt, &mut output).map_err(|_| HashError::Malformed)?;
        Hash::try_from(format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            self.params.m_cost(),
            self.params.t_cost(),
            self.params.p_cost(),
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(output),
        ))
    }

    fn current(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    /// Whether the hash is in the current scheme, with the current parameters.
    pub fn is_current(&self, hash: &Hash) -> bool {
        matches!(
            &hash.scheme,
            Scheme::Argon2 { algorithm: Algorithm::Argon2id, version: Version::V0x13, params, .. }
                if params == &self.params
        )
    }

    /// Whether this is the password of the hash. Whether an account exists must not show in the time, so that without a
    /// hash one with the current parameters runs all the same. A wrong password for an imported hash costs that one
    /// too, as a right one does when the hash is replaced; what the imported hash itself costs shows until then.
    pub fn verify_password(&self, hash: Option<&Hash>, password: &str) -> bool {
        let proven = hash.is_some_and(|hash| self.verify(hash, password));
        let argon2_ran = hash.is_some_and(|hash| matches!(hash.scheme, Scheme::Argon2 { .. }));
        if !proven && !argon2_ran {
            let (salt, mut output) = ([0; ARGON2_SALT_BYTES], [0; ARGON2_OUTPUT_BYTES]);
            let _ = self.argon2(&self.current(), password, &salt, &mut output);
        }
        proven
    }

    /// Whether this is the secret of any of the hashes. All are tried, and without any one is tried for the work's sake.
    pub fn verify_secret<'a>(&self, hashes: impl Iterator<Item = &'a Hash>, secret: &str) -> bool {
        let mut tried = false;
        let mut proven = false;
        for hash in hashes {
            tried = true;
            proven |= self.verify(hash, secret);
        }
        if !tried {
            let _ = verify_sha256(&[0; digest::SHA256_OUTPUT_LEN], secret);
        }
        proven
    }

    fn verify(&self, hash: &Hash, secret: &str) -> bool {
        match &hash.scheme {
            Scheme::Sha256(digest) => verify_sha256(digest, secret),
            Scheme::Argon2 { algorithm, version, params, salt, output } => {
                let mut candidate = vec![0; output.len()];
                let argon2 = Argon2::new(*algorithm, *version, params.clone());
                self.argon2(&argon2, secret, salt, &mut candidate).is_ok()
                    && verify_slices_are_equal(output, &candidate).is_ok()
            }
            Scheme::Bcrypt => bcrypt::verify(secret, &hash.text).unwrap_or(false),
            Scheme::Pbkdf2 { algorithm, iterations, salt, output } => {
                pbkdf2::verify(*algorithm, *iterations, salt, secret.as_bytes(), output).is_ok()
            }
        }
    }

    fn argon2(&self, argon2: &Argon2<'_>, secret: &str, salt: &[u8], output: &mut [u8]) -> Result<(), argon2::Error> {
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
        let result = argon2.hash_password_into_with_memory(secret.as_bytes(), salt, output, blocks);
        // What an imported hash needed beyond our own is not kept.
        let kept = self.params.block_count();
        if memory.len() > kept {
            memory.truncate(kept);
            memory.shrink_to_fit();
        }
        result
    }
}

fn verify_sha256(expected: &[u8], secret: &str) -> bool {
    tracing::debug!("sha256");
    verify_slices_are_equal(digest(&SHA256, secret.as_bytes()).as_ref(), expected).is_ok()
}
