//! Password hashes and client secret hashes: the stored forms and their verification. Pure: no store, no clock.
//!
//! | stored form | for | bound |
//! |---|---|---|
//! | `$argon2id$` (PHC) | all new hashes; argon2i and argon2d only if imported | 256 MiB, 1 GiB in all passes, 16 lanes |
//! | `$2y$`, `$2b$`, `$2a$`; `$wp$2y$`, `bcrypt_sha256$$2b$` | imported bcrypt; over a pre-hash | cost 14 |
//! | `$pbkdf2-sha1$`, `$pbkdf2-sha256$`, `$pbkdf2-sha512$` (PHC) | imported PBKDF2 | 2,000,000 iterations |
//! | `$scrypt$` (PHC) | imported scrypt | 64 MiB, 256 MiB in all lanes, 16 lanes |
//! | `$P$`, `$H$`, `$S$` | imported phpass: MD5; SHA-512 | 2^20 rounds |
//! | `$sha256$` + base64 | generated client secrets: 256 random bits need no slow hash | one SHA-256 |
//!
//! `countersign import` converts the hashes of other systems into these forms.

mod argon2;
mod bcrypt;
mod client_secret;
mod pbkdf2;
mod phc;
mod phpass;
mod scrypt;

use std::fmt;
use std::iter;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

pub use self::argon2::Argon2Params;
use self::argon2::{Argon2Hash, Engine};
use self::bcrypt::Bcrypt;
use self::client_secret::Sha256Hash;
pub use self::client_secret::{generate_client_secret, hash_client_secret, is_generated};
use self::pbkdf2::Pbkdf2;
use self::phpass::Phpass;
use self::scrypt::Scrypt;

/// A stored hash. Only the [`Hasher`] knows its scheme; `Debug` shows nothing.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Hash {
    text: String,
    scheme: Scheme,
}

#[derive(Clone)]
enum Scheme {
    Argon2(Argon2Hash),
    Bcrypt(Bcrypt),
    Pbkdf2(Pbkdf2),
    Scrypt(Scrypt),
    Phpass(Phpass),
    Sha256(Sha256Hash),
}

impl Hash {
    /// Returns the name of the hash's scheme, for people.
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
    fn covers(&self, password: &str) -> bool {
        match &self.scheme {
            Scheme::Argon2(_) => true,
            // bcrypt terminates its input with a NUL, and HMAC pads its key with NULs.
            _ if password.contains('\0') => false,
            Scheme::Bcrypt(hash) => hash.covers(password),
            _ => true,
        }
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

/// A password that a hash has verified. Has no `Debug`, because it contains the password.
pub struct Verified {
    /// The password in NFC, even if another form was verified.
    password: String,
    /// True if the NFC form was verified. Otherwise another system made the hash.
    as_nfc: bool,
    /// True if the hash depends on every part of the form that was verified.
    in_full: bool,
}

/// Makes and verifies hashes.
///
/// Runs on the caller's thread, because an execution environment handles one request at a time.
pub struct Hasher {
    argon2: Engine,
}

impl Hasher {
    /// Returns a hasher that makes new hashes with these argon2id parameters.
    ///
    /// # Errors
    /// [`HashError`] if the parameters are not valid, or beyond the bounds of a stored hash.
    pub fn new(argon2: Argon2Params) -> Result<Self, HashError> {
        Ok(Self { argon2: Engine::new(argon2)? })
    }

    /// Hashes a password, in NFC, in the current scheme with a new salt.
    ///
    /// # Errors
    /// [`HashError`], which cannot occur, because [`Hasher::new`] checked the parameters.
    pub fn hash(&self, password: &str) -> Result<Hash, HashError> {
        self.argon2.hash(&password_form(password))?.try_into()
    }

    /// Returns true if the hash is in the current scheme, with the current parameters.
    pub fn is_current(&self, hash: &Hash) -> bool {
        matches!(&hash.scheme, Scheme::Argon2(hash) if self.argon2.is_current(hash))
    }

    /// Verifies a password as it was received. Tries its NFC form first, which our own hashes use. If that differs,
    /// then tries the password itself, which another system may have hashed.
    ///
    /// The response time does not reveal if there is an account: for each form of a wrong password, argon2 runs with
    /// the current parameters, also without a hash and beside an imported hash that is not argon2. The additional work
    /// of an imported hash shows until the first login has replaced it.
    pub fn verify_password(&self, hash: Option<&Hash>, password: &str) -> Option<Verified> {
        let nfc = password_form(password);
        let forms = || iter::once(nfc.as_str()).chain((nfc != password).then_some(password));
        let verified = hash.and_then(|hash| {
            let form = forms().find(|form| self.verify(hash, form))?;
            Some((form == nfc, hash.covers(form)))
        });
        if verified.is_none() && !hash.is_some_and(|hash| matches!(hash.scheme, Scheme::Argon2(_))) {
            forms().for_each(|form| self.argon2.run_dummy(form));
        }
        verified.map(|(as_nfc, in_full)| Verified { password: nfc, as_nfc, in_full })
    }

    /// Returns the hash that replaces this one after a login: over the NFC form, in the current scheme. `None` if this
    /// one is current, or if it ignores a part of the password: the new hash would require that part.
    pub fn upgrade(&self, hash: &Hash, verified: &Verified) -> Option<Result<Hash, HashError>> {
        let is_ours = verified.as_nfc && self.is_current(hash);
        (verified.in_full && !is_ours).then(|| self.hash(&verified.password))
    }

    /// Returns true if any of the hashes verifies the secret. Tries all of them. If there are no hashes, runs one
    /// dummy hash.
    pub fn verify_secret<'a>(&self, hashes: impl Iterator<Item = &'a Hash>, secret: &str) -> bool {
        let mut tried = false;
        let mut proven = false;
        for hash in hashes {
            tried = true;
            proven |= self.verify(hash, secret);
        }
        if !tried {
            Sha256Hash::run_dummy(secret);
        }
        proven
    }

    fn verify(&self, hash: &Hash, secret: &str) -> bool {
        match &hash.scheme {
            Scheme::Argon2(hash) => self.argon2.verify(hash, secret),
            Scheme::Bcrypt(hash) => hash.verify(secret),
            Scheme::Pbkdf2(hash) => hash.verify(secret),
            Scheme::Scrypt(hash) => hash.verify(secret),
            Scheme::Phpass(hash) => hash.verify(secret),
            Scheme::Sha256(hash) => hash.verify(secret),
        }
    }
}

/// Returns a password in the form in which it is hashed: NFC (RFC 8265 section 4.2).
pub fn password_form(password: &str) -> String {
    password.nfc().collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
