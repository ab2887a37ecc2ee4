//! All keys of one version of the secret, ready for use.

use aws_lc_rs::hmac;
use jsonwebtoken::jwk::{Jwk, JwkSet};

use super::document::Content;
use super::{KeyError, SigningAlgorithm, SigningKey, derive};
use crate::consent::ConfirmKeys;
use crate::dpop::NonceKeys;
use crate::encoding::short_hex;
use crate::refresh_token::RefreshTokenKeys;
use crate::user::Username;

/// The label of the key that names users in the log.
const LOG_LABEL: &[u8] = b"countersign log v1";
/// The label of the keys that prove forms of the consent page.
const CONSENT_LABEL: &[u8] = b"countersign consent v1";
/// The label of the keys that prove forms of the account page.
const ACCOUNT_LABEL: &[u8] = b"countersign account v1";
/// The label of the keys of nonces.
const DPOP_NONCE_LABEL: &[u8] = b"countersign dpop nonce v1";

/// All keys of one version of the secret.
pub struct KeySet {
    /// The key that signs.
    pub current: SigningKey,
    /// The keys of refresh tokens.
    pub refresh_token_keys: RefreshTokenKeys,
    /// The keys that name users in the log, the current one first: one for each refresh token key.
    log_keys: Vec<hmac::Key>,
    /// The keys that prove forms of the consent page.
    pub consent_keys: ConfirmKeys,
    /// The keys that prove forms of the account page.
    pub account_keys: ConfirmKeys,
    /// The keys of the nonces of DPoP proofs.
    pub dpop_nonce_keys: NonceKeys,
    /// The public keys, with which our own tokens are verified.
    pub public_keys: JwkSet,
    /// The public keys, as other verifiers get them: a JWK set (RFC 7517 section 5), in JSON.
    pub jwks: String,
    /// The algorithms of the current and the next key, each once.
    pub algorithms: Vec<SigningAlgorithm>,
}

impl KeySet {
    /// Parses the text of the secret, in either form. Leaves out the previous keys whose last token has
    /// expired at `now`.
    ///
    /// # Errors
    /// [`KeyError::Unusable`]
    pub fn parse(secret: &str, now: u64) -> Result<Self, KeyError> {
        Content::parse(secret)?.key_set(now)
    }

    /// Builds the set.
    pub(super) fn new(
        current: SigningKey,
        next: Option<Jwk>,
        previous: Vec<Jwk>,
        refresh: &RefreshTokenKeyBytes,
    ) -> Result<Self, KeyError> {
        let mut keys: Vec<_> = std::iter::once(current.jwk().clone()).chain(next).collect();
        let mut algorithms: Vec<_> = keys.iter().filter_map(SigningAlgorithm::of_public_key).collect();
        algorithms.dedup();
        keys.extend(previous);
        let public_keys = JwkSet { keys };
        let jwks =
            serde_json::to_string(&public_keys).map_err(|_| KeyError::Unusable("its keys cannot be serialized"))?;
        let log_keys = refresh.derive(LOG_LABEL)?;
        Ok(Self {
            log_keys: log_keys.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key)).collect(),
            consent_keys: ConfirmKeys::new(refresh.derive(CONSENT_LABEL)?),
            account_keys: ConfirmKeys::new(refresh.derive(ACCOUNT_LABEL)?),
            dpop_nonce_keys: NonceKeys::new(refresh.derive(DPOP_NONCE_LABEL)?),
            current,
            refresh_token_keys: RefreshTokenKeys::new(&refresh.current, refresh.others.iter().map(Vec::as_slice)),
            public_keys,
            jwks,
            algorithms,
        })
    }

    /// Returns the name of a user in the log: the first 64 bits of HMAC-SHA-256 of the username, in hex. The key is
    /// derived from the current refresh token key, so a reader of the log cannot verify guesses of usernames.
    pub fn log_id(&self, username: &Username) -> String {
        self.log_ids(username).next().unwrap_or_default()
    }

    /// Returns the names of a user in lines of any age: one for each refresh token key of the secret, the current one first.
    pub fn log_ids(&self, username: &Username) -> impl Iterator<Item = String> {
        self.log_keys.iter().map(|key| short_hex(hmac::sign(key, username.as_str().as_bytes()).as_ref()))
    }
}

/// The keys of refresh tokens, decoded.
pub(super) struct RefreshTokenKeyBytes {
    /// The key with which new refresh tokens are made.
    pub current: Vec<u8>,
    /// Other keys whose refresh tokens are accepted.
    pub others: Vec<Vec<u8>>,
}

impl RefreshTokenKeyBytes {
    /// Derives a key from each of them, the current one first.
    fn derive(&self, label: &[u8]) -> Result<Vec<[u8; 32]>, KeyError> {
        std::iter::once(&self.current).chain(&self.others).map(|key| derive(key, label)).collect()
    }
}
