//! Refresh tokens, authorization codes and their families. Pure: no store, no clock.
//!
//! ```text
//! cs_rt_ base64url( version:1  family:16  generation:4  HMAC-SHA-256 over the three:32 )
//! ```
//!
//! A login is a family of refresh tokens, of which one generation is active at a time. The successor of a refresh token
//! can be derived from it: nothing derived from a token is stored, and a client that lost a response can get the
//! same successor again. The state of the family decides if a refresh token is valid.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::encoding::short_hex;
use crate::hmac_keys::HmacKeys;
use crate::random::fill_random;

mod code;
mod family;
mod validity;

pub use code::{Authorization, AuthorizationCode, CODE_TTL};
pub use family::{CLOCK_IS_BEHIND, FOREIGN, Family, LostRotation, NextGeneration, Presented, Standing};
pub use validity::Records;

const PREFIX: &str = "cs_rt_";
const VERSION: u8 = 1;
const FAMILY_BYTES: usize = 16;
const SIGNED_BYTES: usize = 1 + FAMILY_BYTES + 4;
const TAG_BYTES: usize = 32;

/// The keys that authenticate refresh tokens.
pub struct RefreshTokenKeys(HmacKeys);

impl RefreshTokenKeys {
    /// Uses keys for refresh tokens and authorization codes only.
    pub fn new(keys: HmacKeys) -> Self {
        Self(keys)
    }

    /// Returns base64url of a content and its HMAC with the current key.
    fn seal(&self, content: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode([content, self.0.sign(content).as_ref()].concat())
    }

    /// Returns the content of a sealed text. `None` unless it was sealed with one of the keys, byte for byte.
    fn open<const N: usize>(&self, text: &str) -> Option<[u8; N]> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (content, tag) = bytes.split_first_chunk()?;
        self.0.verify(content, tag).then_some(*content)
    }
}

/// Identifies the family of a login: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FamilyId([u8; FAMILY_BYTES]);

impl FamilyId {
    /// Generates the id of a new family.
    pub fn generate() -> Self {
        let mut bits = [0; FAMILY_BYTES];
        fill_random(&mut bits);
        Self(bits)
    }

    /// Generates the `jti` of an access token of this family: base64url of the family id and 128 random bits.
    pub fn token_id(self) -> String {
        let mut bits = [0; 2 * FAMILY_BYTES];
        let (family, random) = bits.split_at_mut(FAMILY_BYTES);
        family.copy_from_slice(&self.0);
        fill_random(random);
        URL_SAFE_NO_PAD.encode(bits)
    }

    /// Returns the family that the `jti` of a user's access token names.
    pub fn of_token_id(token_id: &str) -> Option<Self> {
        let bits = URL_SAFE_NO_PAD.decode(token_id).ok()?;
        if bits.len() == 2 * FAMILY_BYTES { bits.first_chunk().copied().map(Self) } else { None }
    }

    /// Returns the name of the login in the log, as `session`: the first 64 bits of SHA-256 of the id, in hex.
    pub fn log_id(self) -> String {
        short_hex(digest(&SHA256, &self.0).as_ref())
    }
}

impl fmt::Display for FamilyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// The content of a refresh token: a generation of a family.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// The family.
    pub family: FamilyId,
    /// The generation; a login issues generation 0.
    pub generation: u32,
}

impl RefreshToken {
    /// Decodes a refresh token. Returns `None` unless it was made with one of the keys, byte for byte.
    pub fn read(keys: &RefreshTokenKeys, token: &str) -> Option<Self> {
        Self::parse(keys.open(token.strip_prefix(PREFIX)?)?)
    }

    /// Decodes a text that has the form of a refresh token, without verifying that we made it. Only for operators, who
    /// search the log for the login of a token.
    pub fn read_unverified(token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (signed, tag) = bytes.split_first_chunk()?;
        if tag.len() == TAG_BYTES { Self::parse(*signed) } else { None }
    }

    fn parse(signed: [u8; SIGNED_BYTES]) -> Option<Self> {
        let (version, rest) = signed.split_first()?;
        let (family, generation) = rest.split_first_chunk()?;
        (*version == VERSION)
            .then_some(Self { family: FamilyId(*family), generation: u32::from_be_bytes(generation.try_into().ok()?) })
    }

    /// Encodes the refresh token with the current key.
    pub fn mint(self, keys: &RefreshTokenKeys) -> String {
        let signed = [&[VERSION], &self.family.0[..], &self.generation.to_be_bytes()].concat();
        format!("{PREFIX}{}", keys.seal(&signed))
    }

    /// Returns the refresh token that replaces this one when it is used.
    #[must_use]
    pub fn successor(self) -> Self {
        Self { generation: self.generation.saturating_add(1), ..self }
    }
}
