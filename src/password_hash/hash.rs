//! A stored hash of any scheme.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize, Serializer};

use super::argon2::Argon2Hash;
use super::bcrypt::Bcrypt;
use super::client_secret::Sha256Hash;
use super::pbkdf2::Pbkdf2;
use super::phpass::Phpass;
use super::scrypt::Scrypt;
use crate::encoding::hex;

/// A stored hash. Only the [`Hasher`](super::Hasher) knows its scheme; `Debug` shows nothing.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Hash {
    text: String,
    pub(super) scheme: Scheme,
}

#[derive(Clone)]
pub(super) enum Scheme {
    Argon2(Argon2Hash),
    Bcrypt(Bcrypt),
    Pbkdf2(Pbkdf2),
    Scrypt(Scrypt),
    Phpass(Phpass),
    Sha256(Sha256Hash),
}

impl Hash {
    /// Returns the name of the hash's scheme, for operators.
    pub fn scheme(&self) -> &'static str {
        match &self.scheme {
            Scheme::Argon2(hash) => hash.name(),
            Scheme::Bcrypt(hash) => hash.name(),
            Scheme::Pbkdf2(hash) => hash.name(),
            Scheme::Scrypt(_) => "scrypt",
            Scheme::Phpass(hash) => hash.name(),
            Scheme::Sha256(_) => "sha256",
        }
    }

    /// Returns true if verification is slow on purpose, because a person may have chosen the secret. Only a generated
    /// client secret has a fast hash.
    pub fn is_slow(&self) -> bool {
        !matches!(self.scheme, Scheme::Sha256(_))
    }

    /// Returns a name for the hash that reveals nothing about it: the first 32 bits of its own SHA-256, in hex.
    pub fn fingerprint(&self) -> String {
        hex(digest(&SHA256, self.text.as_bytes()).as_ref()).chars().take(8).collect()
    }

    /// Returns the text of the hash. Only the store may see it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns true if the hash depends on every part of the password. Otherwise two passwords have the same hash, and
    /// the enrolled password may differ from the one that was sent.
    pub(super) fn covers(&self, password: &str) -> bool {
        match &self.scheme {
            Scheme::Argon2(_) => true,
            // bcrypt terminates its input with a NUL, and HMAC pads its key with NULs.
            _ if password.contains('\0') => false,
            Scheme::Bcrypt(hash) => hash.covers(password),
            _ => true,
        }
    }
}

impl AsRef<Self> for Hash {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// Serializes the text, for the store.
impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hash(..)")
    }
}

/// The reason why a text is not a [`struct@Hash`]. Does not quote the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashError {
    /// The text is not in a known form.
    Malformed,
    /// The hash needs more work than the bounds allow.
    TooCostly,
}

impl fmt::Display for HashError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Malformed => "not a hash in a known form",
            Self::TooCostly => "a hash that needs too much work",
        })
    }
}

impl std::error::Error for HashError {}

impl TryFrom<String> for Hash {
    type Error = HashError;

    fn try_from(text: String) -> Result<Self, HashError> {
        let id = text.strip_prefix('$').unwrap_or(&text).split('$').next();
        let scheme = match id.unwrap_or_default() {
            "argon2id" | "argon2i" | "argon2d" => Scheme::Argon2(Argon2Hash::parse(&text)?),
            "2y" | "2b" | "2a" | "wp" | "bcrypt_sha256" => Scheme::Bcrypt(Bcrypt::parse(&text)?),
            "pbkdf2-sha1" | "pbkdf2-sha256" | "pbkdf2-sha512" => Scheme::Pbkdf2(Pbkdf2::parse(&text)?),
            "scrypt" => Scheme::Scrypt(Scrypt::parse(&text)?),
            "P" | "H" | "S" => Scheme::Phpass(Phpass::parse(&text)?),
            "sha256" => Scheme::Sha256(Sha256Hash::parse(&text)?),
            _ => return Err(HashError::Malformed),
        };
        Ok(Self { text, scheme })
    }
}
