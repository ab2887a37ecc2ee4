//! The hashing of passwords, and the verification of passwords and client secrets.

use std::iter;
use std::sync::Arc;

use super::argon2::{Argon2Params, Engine};
use super::client_secret::Sha256Hash;
use super::hash::{Hash, HashError, Scheme};
use super::password_form;
use super::workers::{Busy, Workers};
use crate::error::Error;
use crate::throttle::{Attempt, Guess};

/// A password that a hash has verified. Has no `Debug`, because it contains the password.
pub struct Verified {
    /// The password in NFC, even if another form was verified.
    password: String,
    /// True if the NFC form was verified. Otherwise another system made the hash.
    as_nfc: bool,
    /// True if the hash depends on every part of the form that was verified.
    in_full: bool,
}

/// Makes and verifies hashes. The number of slow hashes that run simultaneously is limited.
pub struct Hasher {
    argon2: Arc<Engine>,
    workers: Workers,
}

impl Hasher {
    /// Returns a hasher that makes new hashes with these argon2id parameters.
    ///
    /// # Errors
    /// [`HashError`] if the parameters are not valid, or beyond the bounds of a stored hash.
    pub fn new(argon2: Argon2Params) -> Result<Self, HashError> {
        Ok(Self::with(Engine::new(argon2)?))
    }

    /// Verifies argon2 hashes with the crate `argon2`, also on processors with AVX2. For tests and benchmarks.
    ///
    /// # Errors
    /// [`HashError`] as for [`Hasher::new`].
    pub fn without_avx2(argon2: Argon2Params) -> Result<Self, HashError> {
        Ok(Self::with(Engine::new(argon2)?.without_avx2()))
    }

    fn with(argon2: Engine) -> Self {
        Self { argon2: Arc::new(argon2), workers: Workers::for_cpus() }
    }

    /// Verifies passwords and slow secrets on tokio's blocking pool, for a process that serves several requests
    /// simultaneously.
    #[must_use]
    pub fn on_blocking_pool(self) -> Self {
        Self { workers: self.workers.on_blocking_pool(), ..self }
    }

    /// Hashes a password, in NFC, in the current scheme with a new salt. Runs on the caller's thread.
    ///
    /// # Errors
    /// [`HashError`], which cannot occur, because [`Hasher::new`] checked the parameters.
    pub fn hash(&self, password: &str) -> Result<Hash, HashError> {
        hash(&self.argon2, password)
    }

    /// Returns true if the hash is in the current scheme, with the current parameters.
    pub fn is_current(&self, hash: &Hash) -> bool {
        matches!(&hash.scheme, Scheme::Argon2(hash) if self.argon2.is_current(hash))
    }

    /// Verifies a password as it was received. Tries its NFC form first, which our own hashes use. If that differs,
    /// then tries the password itself, which another system may have hashed. Both forms are one guess.
    ///
    /// The response time does not reveal if there is an account: for each form of a wrong password, argon2 runs with
    /// the current parameters, also without a hash and beside an imported hash that is not argon2. A hash with other
    /// parameters or in another form shows its own time, which may also be shorter, until the first login has replaced it.
    ///
    /// # Errors
    /// `temporarily_unavailable`, 503, if too many hashes are waiting. The password was not checked then.
    pub async fn verify_password<'a>(
        &self,
        attempt: Attempt<'a>,
        hash: Option<&Hash>,
        password: &str,
    ) -> Result<Guess<'a, Verified>, Error> {
        let (argon2, hash, password) = (self.argon2.clone(), hash.cloned(), password.to_owned());
        let verified = self.workers.run(move || verify_password(&argon2, hash.as_ref(), &password)).await;
        Ok(attempt.checked(verified.map_err(busy)?))
    }

    /// Returns the hash that replaces this one after a login: over the NFC form, in the current scheme. `None` if this
    /// one is current, or if it ignores a part of the password: the new hash would require that part. Also `None` if too
    /// many hashes are waiting.
    pub async fn upgrade(&self, old: &Hash, verified: &Verified) -> Option<Result<Hash, HashError>> {
        let is_ours = verified.as_nfc && self.is_current(old);
        if is_ours || !verified.in_full {
            return None;
        }
        let (argon2, password) = (self.argon2.clone(), verified.password.clone());
        self.workers.run(move || hash(&argon2, &password)).await.ok()
    }

    /// Returns the first record whose hash is that of a generated secret and verifies it. Tries all of them. If there are
    /// no records at all, runs one dummy hash.
    pub fn verify_generated_secret<'a, R: AsRef<Hash>>(&self, records: &[&'a R], secret: &str) -> Option<&'a R> {
        if records.is_empty() {
            Sha256Hash::run_dummy(secret);
        }
        records.iter().fold(None, |proven, record| {
            let is_right = matches!(&record.as_ref().scheme, Scheme::Sha256(hash) if hash.verify(secret));
            proven.or(is_right.then_some(*record))
        })
    }

    /// Verifies a secret that a person may have chosen: each form of it, until one is right, against all of the records
    /// whose hashes are slow. All of that is one guess, whose result is the record.
    ///
    /// # Errors
    /// `temporarily_unavailable`, 503, if too many hashes are waiting. The secret was not checked then.
    pub async fn verify_secret<'a, 'b, R: AsRef<Hash>>(
        &self,
        attempt: Attempt<'a>,
        records: &[&'b R],
        forms: &[&str],
    ) -> Result<Guess<'a, &'b R>, Error> {
        let slow: Vec<&R> = records.iter().copied().filter(|record| record.as_ref().is_slow()).collect();
        let hashes: Vec<Hash> = slow.iter().map(|record| record.as_ref().clone()).collect();
        let (argon2, forms) = (self.argon2.clone(), forms.iter().map(ToString::to_string).collect::<Vec<_>>());
        let find = move || {
            let first = |form: &String| {
                hashes
                    .iter()
                    .enumerate()
                    .fold(None, |proven, (index, hash)| proven.or(verify(&argon2, hash, form).then_some(index)))
            };
            forms.iter().find_map(first)
        };
        let proven = self.workers.run(find).await.map_err(busy)?;
        Ok(attempt.checked(proven.and_then(|index| slow.get(index).copied())))
    }
}

fn busy(_: Busy) -> Error {
    Error::temporarily_unavailable("too many slow hashes are running")
}

fn hash(argon2: &Engine, password: &str) -> Result<Hash, HashError> {
    argon2.hash(&password_form(password))?.try_into()
}

fn verify_password(argon2: &Engine, hash: Option<&Hash>, password: &str) -> Option<Verified> {
    let nfc = password_form(password);
    let forms = || iter::once(nfc.as_str()).chain((nfc != password).then_some(password));
    let verified = hash.and_then(|hash| {
        let form = forms().find(|form| verify(argon2, hash, form))?;
        Some((form == nfc, hash.covers(form)))
    });
    if verified.is_none() && !hash.is_some_and(|hash| matches!(hash.scheme, Scheme::Argon2(_))) {
        forms().for_each(|form| argon2.run_dummy(form));
    }
    verified.map(|(as_nfc, in_full)| Verified { password: nfc, as_nfc, in_full })
}

fn verify(argon2: &Engine, hash: &Hash, secret: &str) -> bool {
    match &hash.scheme {
        Scheme::Argon2(hash) => argon2.verify(hash, secret),
        Scheme::Bcrypt(hash) => hash.verify(secret),
        Scheme::Pbkdf2(hash) => hash.verify(secret),
        Scheme::Scrypt(hash) => hash.verify(secret),
        Scheme::Phpass(hash) => hash.verify(secret),
        Scheme::Sha256(hash) => hash.verify(secret),
    }
}
