//! Proofs of possession (DPoP, RFC 9449 section 4). Pure: no store, no clock.
//!
//! 1. The proof is a signed JWT of at most 4 KiB.
//! 2. Its type is that of proofs. It has an algorithm of proofs, and a public key that fits the algorithm.
//! 3. The key verifies the signature.
//! 4. `jti` is present; `htm` and `htu` are the method and the URL of the request; `iat` is a time; `exp` and `nbf` hold.
//! 5. `nonce` is one that we made in the previous, the current or the next window.
//!
//! The nonce is a time that we manage, so `iat` is not compared with our clock (section 4.3 item 11). There is no memory of
//! proofs: a repeated one has no value at the token endpoint, because it comes with a credential, a code or a refresh token,
//! and the new token is bound to a key that the attacker does not have.

use serde_json::Value;

use crate::confirmation::Confirmation;
use crate::encoding::sha256;
use crate::jwt::{Algorithm, CLOCK_SKEW, Jwt, PublicKey};

mod htu;
mod nonce;

pub use htu::is_same_url;
pub use nonce::NonceKeys;

/// The algorithms of proofs, in the order of the server metadata.
pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ed25519];

/// The `typ` of a proof (section 4.2).
const TYPE: &str = "dpop+jwt";
/// The limit of a proof in bytes.
const MAX_BYTES: usize = 4 * 1024;
/// The limit of a `jti` in bytes.
const MAX_JTI_BYTES: usize = 256;

/// The request that a proof is made for.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The method.
    pub method: &'a str,
    /// The URLs of the called endpoint, without query and fragment. A proof has one of them.
    pub urls: &'a [String],
    /// The time at which the request is checked, in seconds since the epoch.
    pub now: u64,
}

/// The reason why a proof is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The proof is not valid. The reason is for the log.
    Invalid(&'static str),
    /// The proof is valid except for its nonce, which is absent, not ours, or of another window.
    Nonce,
}

/// A valid proof.
#[derive(Debug)]
pub struct Proof {
    /// The key of the proof.
    pub key: Confirmation,
    /// The hash of the access token, if the proof has one.
    ath: Option<String>,
}

impl Proof {
    /// Returns true if the proof was made for this access token (section 4.2, `ath`).
    pub fn is_for(&self, access_token: &str) -> bool {
        self.ath.as_ref() == Some(&sha256(access_token))
    }
}

/// Verifies the proof of a request.
///
/// # Errors
/// [`Rejected`]
pub fn verify(text: &str, target: Target<'_>, nonces: &NonceKeys) -> Result<Proof, Rejected> {
    let (jwt, key) = signed(text).map_err(Rejected::Invalid)?;
    check_claims(&jwt, target).map_err(Rejected::Invalid)?;
    if !jwt.text("nonce").is_some_and(|nonce| nonces.accept(nonce, target.now)) {
        return Err(Rejected::Nonce);
    }
    let key = Confirmation::Jkt(key.thumbprint());
    Ok(Proof { key, ath: jwt.text("ath").map(ToOwned::to_owned) })
}

/// Steps 1 to 3.
fn signed(text: &str) -> Result<(Jwt<'_>, PublicKey), &'static str> {
    if text.len() > MAX_BYTES {
        return Err("a proof over 4 KiB");
    }
    let jwt = Jwt::read(text)?;
    if jwt.header("typ").and_then(Value::as_str) != Some(TYPE) {
        return Err("a JWT of another type");
    }
    if !ALGORITHMS.contains(&jwt.algorithm()) {
        return Err("an alg that proofs do not have");
    }
    let jwk = jwt.header("jwk").and_then(Value::as_object).ok_or("a proof without a jwk")?;
    let key = PublicKey::of(jwk).map_err(|_| "a jwk that is not usable")?;
    if jwt.is_signed_by(&key) { Ok((jwt, key)) } else { Err("the jwk of the proof does not verify its signature") }
}

/// Step 4.
fn check_claims(jwt: &Jwt<'_>, Target { method, urls, now }: Target<'_>) -> Result<(), &'static str> {
    if !jwt.text("jti").is_some_and(|jti| (1..=MAX_JTI_BYTES).contains(&jti.len())) {
        return Err("a proof without a jti of 1 to 256 bytes");
    }
    if jwt.text("htm") != Some(method) {
        return Err("a proof for another method");
    }
    if !jwt.text("htu").is_some_and(|htu| urls.iter().any(|url| is_same_url(htu, url))) {
        return Err("a proof for another URL");
    }
    jwt.time("iat")?.ok_or("a proof without iat")?;
    if jwt.time("exp")?.is_some_and(|expires_at| expires_at + CLOCK_SKEW <= now) {
        return Err("an expired proof");
    }
    jwt.is_not_ahead("nbf", now)
}
