//! The hashing of passwords, and the verification of passwords and client secrets.

use std::iter;

use super::argon2::{Argon2Params, Engine};
use super::client_secret::Sha256Hash;
use super::hash::{Hash, HashError, Scheme};
use super::password_form;
use crate::durations::{Measured, Work};

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
        let _measured = Measured::begin(Work::Hash);
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
        let _measured = Measured::begin(Work::Hash);
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

    /// Returns the first record whose hash verifies the secret. Tries all of them. If there are no records, runs one
    /// dummy hash.
    pub fn verify_secret<R: AsRef<Hash>>(&self, records: impl Iterator<Item = R>, secret: &str) -> Option<R> {
        let mut tried = false;
        let mut proven = None;
        for record in records {
            tried = true;
            let _measured = record.as_ref().is_slow().then(|| Measured::begin(Work::Hash));
            let is_right = self.verify(record.as_ref(), secret);
            proven = proven.or(is_right.then_some(record));
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
