//! argon2id (RFC 9106) with AVX2. Takes about two thirds of the time of the crate `argon2` on the same processor.
//!
//! It is limited to the form of countersign's own hashes: version 1.3, one lane, a tag of 32 bytes, no secret and no
//! associated data. countersign verifies passwords with it, and makes hashes with `argon2`, so an error here cannot spoil
//! a stored hash. A wrong tag would reject a correct password. It could not accept a wrong password: it would have to equal
//! the 32 bytes of the stored tag, and no call depends on the blocks of an earlier one, because every block is written
//! before it is read. [`FastArgon2id::detect`] runs a self-test, and the tests of countersign compare random tags with
//! those of `argon2`.
//!
//! A separate package, because debug builds optimise this package: without optimisation, it takes 100 times as long as
//! `argon2`.

#[cfg(target_arch = "x86_64")]
mod avx2;

#[cfg(target_arch = "x86_64")]
pub use self::avx2::FastArgon2id;

/// argon2id with AVX2, which this processor architecture does not have.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
pub enum FastArgon2id {}

#[cfg(not(target_arch = "x86_64"))]
impl FastArgon2id {
    /// Returns `None`.
    pub fn detect() -> Option<Self> {
        None
    }

    /// Cannot be called.
    pub fn tag(self, _: &argon2::Params, _: [&[u8]; 2], _: &mut [argon2::Block]) -> Option<[u8; 32]> {
        match self {}
    }
}
