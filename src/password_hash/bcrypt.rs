//! Imported bcrypt, over the password itself or over a SHA-2 hash of it.

use std::borrow::Cow;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::HashError;
use crate::encoding::hex;

const MIN_COST: u32 = 4;
const MAX_COST: u32 = 14;
/// The limit of bcrypt's input. bcrypt ignores the bytes after it.
const MAX_INPUT_BYTES: usize = 72;

/// A hash `$2y$..`, `$2b$..` or `$2a$..`, optionally with a prefix that names the pre-hash.
#[derive(Clone)]
pub(super) struct Bcrypt {
    input: Input,
    /// The hash without the prefix.
    hash: String,
}

/// The bytes that bcrypt hashes.
#[derive(Clone, Copy)]
enum Input {
    /// The password.
    Password,
    /// `$wp$2y$`: HMAC-SHA-384 of the trimmed password, in base64 (WordPress since 6.8).
    HmacSha384,
    /// `bcrypt_sha256$$2b$`: SHA-256 of the password, in hex (Django).
    Sha256,
}

impl Bcrypt {
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let prefixes = [("$wp", Input::HmacSha384), ("bcrypt_sha256$", Input::Sha256)];
        let prefixed = prefixes.into_iter().find_map(|(prefix, input)| Some((input, text.strip_prefix(prefix)?)));
        let (input, hash) = prefixed.unwrap_or((Input::Password, text));
        if !["$2y$", "$2b$", "$2a$"].iter().any(|version| hash.starts_with(version)) {
            return Err(HashError::Malformed);
        }
        match bcrypt::HashParts::from_str(hash).map_err(|_| HashError::Malformed)?.get_cost() {
            // The crate cannot verify a lower cost.
            ..MIN_COST => Err(HashError::Malformed),
            MIN_COST..=MAX_COST => Ok(Self { input, hash: hash.to_owned() }),
            _ => Err(HashError::TooCostly),
        }
    }

    pub fn name(&self) -> &'static str {
        match self.input {
            Input::Password => "bcrypt",
            Input::HmacSha384 => "bcrypt-sha384",
            Input::Sha256 => "bcrypt-sha256",
        }
    }

    pub fn verify(&self, password: &str) -> bool {
        let input = match self.input {
            Input::Password => Cow::Borrowed(password),
            Input::HmacSha384 => {
                let key = hmac::Key::new(hmac::HMAC_SHA384, b"wp-sha384");
                Cow::Owned(STANDARD.encode(hmac::sign(&key, wordpress_trimmed(password).as_bytes())))
            }
            Input::Sha256 => Cow::Owned(hex(digest(&SHA256, password.as_bytes()).as_ref())),
        };
        bcrypt::verify(&*input, &self.hash).unwrap_or(false)
    }

    /// Returns true if the hash depends on every part of the password.
    pub fn covers(&self, password: &str) -> bool {
        match self.input {
            // A password of 72 bytes may be the beginning of the enrolled one.
            Input::Password => password.len() < MAX_INPUT_BYTES,
            Input::HmacSha384 => wordpress_trimmed(password) == password,
            Input::Sha256 => true,
        }
    }
}

/// Removes the characters that PHP's `trim` removes. WordPress calls `trim` when a password is enrolled and when it is
/// checked.
fn wordpress_trimmed(password: &str) -> &str {
    password.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\0'])
}
