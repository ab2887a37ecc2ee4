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
//! argon2 hashes are made by the crate `argon2`. Those in the form of new hashes are verified with AVX2 (`argon2id/`), if the
//! processor has it.
//!
//! `countersign import` converts the hashes of other systems into these forms.

use unicode_normalization::UnicodeNormalization;

mod argon2;
mod bcrypt;
mod client_secret;
mod hash;
mod hasher;
mod pbkdf2;
mod phc;
mod phpass;
mod scrypt;
mod workers;

pub use self::argon2::Argon2Params;
pub use self::client_secret::{generate_client_secret, hash_client_secret, is_generated};
pub use self::hash::{Hash, HashError};
pub use self::hasher::{Hasher, Verified};
pub use self::workers::{Busy, Workers};

/// Returns a password in the form in which it is hashed: NFC (RFC 8265 section 4.2).
pub fn password_form(password: &str) -> String {
    password.nfc().collect()
}
