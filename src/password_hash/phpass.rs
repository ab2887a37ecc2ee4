//! Imported phpass: many rounds of MD5 (`$P$`, phpBB's `$H$`) or SHA-512 (Drupal's `$S$`).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA512, digest};
use md5::{Digest, Md5};

use super::HashError;

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const MIN_LOG_ROUNDS: usize = 7;
const MAX_LOG_ROUNDS: usize = 20;

/// The limit of the bytes that all rounds hash together, because each round hashes the whole password. Drupal rejects
/// passwords of more than 512 bytes.
const MAX_BYTES_OF_ALL_ROUNDS: usize = 512 << MAX_LOG_ROUNDS;

const SALT_CHARACTERS: usize = 8;
const MD5_CHARACTERS: usize = 22;
/// Drupal truncates the 86 characters of a SHA-512.
const SHA512_CHARACTERS: usize = 43;

/// A hash in the form `$P$`, one character for the rounds, 8 characters of salt, and the output.
#[derive(Clone)]
pub(super) struct Phpass {
    function: Function,
    rounds: usize,
    salt: String,
    output: String,
}

#[derive(Clone, Copy)]
enum Function {
    Md5,
    Sha512,
}

impl Phpass {
    pub fn parse(text: &str) -> Result<Self, HashError> {
        Self::parts(text).ok_or(HashError::Malformed)?
    }

    /// Parses the parts of a hash. Returns `None` if the text is malformed.
    fn parts(text: &str) -> Option<Result<Self, HashError>> {
        let prefixes = [
            ("$P$", Function::Md5, MD5_CHARACTERS),
            ("$H$", Function::Md5, MD5_CHARACTERS),
            ("$S$", Function::Sha512, SHA512_CHARACTERS),
        ];
        let (function, characters, rest) = prefixes
            .into_iter()
            .find_map(|(prefix, function, characters)| Some((function, characters, text.strip_prefix(prefix)?)))?;
        let position = |character| ALPHABET.iter().position(|known| *known == character);
        if rest.len() != 1 + SALT_CHARACTERS + characters || !rest.bytes().all(|byte| position(byte).is_some()) {
            return None;
        }
        let (rounds, rest) = rest.split_at_checked(1)?;
        let (salt, output) = rest.split_at_checked(SALT_CHARACTERS)?;
        Some(match position(*rounds.as_bytes().first()?)? {
            // The systems that write these hashes do not verify fewer rounds.
            ..MIN_LOG_ROUNDS => Err(HashError::Malformed),
            log_rounds @ MIN_LOG_ROUNDS..=MAX_LOG_ROUNDS => {
                Ok(Self { function, rounds: 1 << log_rounds, salt: salt.to_owned(), output: output.to_owned() })
            }
            _ => Err(HashError::TooCostly),
        })
    }

    pub fn name(&self) -> &'static str {
        match self.function {
            Function::Md5 => "phpass-md5",
            Function::Sha512 => "phpass-sha512",
        }
    }

    pub fn verify(&self, password: &str) -> bool {
        if password.len().saturating_mul(self.rounds) > MAX_BYTES_OF_ALL_ROUNDS {
            return false;
        }
        let output = match self.function {
            Function::Md5 => self.run(password, |input| Md5::digest(input).to_vec()),
            Function::Sha512 => self.run(password, |input| digest(&SHA512, input).as_ref().to_vec()),
        };
        let candidate: Vec<u8> = encode(&output).take(self.output.len()).collect();
        verify_slices_are_equal(self.output.as_bytes(), &candidate).is_ok()
    }

    fn run(&self, password: &str, hash: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let mut output = hash(&[self.salt.as_bytes(), password.as_bytes()].concat());
        for _ in 0..self.rounds {
            output.extend_from_slice(password.as_bytes());
            output = hash(&output);
        }
        output
    }
}

/// Encodes three bytes in four characters, the lowest bits first.
fn encode(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.chunks(3).flat_map(|chunk| {
        let bits = chunk.iter().rev().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        (0..=chunk.len()).filter_map(move |position| ALPHABET.get(bits >> (6 * position) & 63).copied())
    })
}
