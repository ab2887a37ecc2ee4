//! All keys of one version of the secret, ready for use.

use aws_lc_rs::hmac;
use jsonwebtoken::jwk::{Jwk, JwkSet};

use super::document::key_set_of_pem;
use super::{Document, KeyError, SigningKey, derive};
use crate::refresh_token::RefreshTokenKeys;
use crate::user::Username;

/// The label of the key that names users in the log.
const LOG_LABEL: &[u8] = b"countersign log v1";

/// All keys of one version of the secret.
pub struct KeySet {
    /// The key that signs.
    pub current: SigningKey,
    /// The keys of refresh tokens.
    pub refresh_token_keys: RefreshTokenKeys,
    /// The key that names users in the log.
    log_key: hmac::Key,
    /// The public keys, as verifiers get them: a JWK set (RFC 7517 section 5), in JSON.
    pub jwks: String,
    /// The algorithms of the current and the next key, each once, by their names in RFC 7518.
    pub algorithms: Vec<String>,
}

impl KeySet {
    /// Parses the text of the secret, in either form. Leaves out the previous keys whose last token has
    /// expired at `now`.
    ///
    /// # Errors
    /// [`KeyError::Unusable`]
    pub fn parse(secret: &str, now: u64) -> Result<Self, KeyError> {
        if Document::is_document(secret) { Document::parse(secret)?.key_set(now) } else { key_set_of_pem(secret) }
    }

    /// Builds the set.
    pub(super) fn new(
        current: SigningKey,
        next: Option<Jwk>,
        previous: Vec<Jwk>,
        refresh: &RefreshTokenKeyBytes,
    ) -> Result<Self, KeyError> {
        let mut keys: Vec<_> = std::iter::once(current.jwk().clone()).chain(next).collect();
        let algorithms = keys.iter().filter_map(|key| key.common.key_algorithm);
        let mut algorithms: Vec<_> = algorithms.map(|algorithm| algorithm.to_string()).collect();
        algorithms.dedup();
        keys.extend(previous);
        let jwks =
            serde_json::to_string(&JwkSet { keys }).map_err(|_| KeyError::Unusable("its keys cannot be serialized"))?;
        Ok(Self {
            current,
            refresh_token_keys: RefreshTokenKeys::new(&refresh.current, refresh.others.iter().map(Vec::as_slice)),
            log_key: hmac::Key::new(hmac::HMAC_SHA256, &derive(&refresh.current, LOG_LABEL)?),
            jwks,
            algorithms,
        })
    }

    /// Returns the name of a user in the log: the first 64 bits of HMAC-SHA-256 of the username, in hex. The key is
    /// derived from the current refresh token key, so a reader of the log cannot verify guesses of usernames.
    pub fn log_id(&self, username: &Username) -> String {
        let tag = hmac::sign(&self.log_key, username.as_str().as_bytes());
        let bits = tag.as_ref().iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        format!("{bits:016x}")
    }
}

/// The keys of refresh tokens, decoded.
pub(super) struct RefreshTokenKeyBytes {
    /// The key with which new refresh tokens are made.
    pub current: Vec<u8>,
    /// Other keys whose refresh tokens are accepted.
    pub others: Vec<Vec<u8>>,
}
