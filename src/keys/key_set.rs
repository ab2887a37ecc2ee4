//! All keys of one version of the secret, ready for use.

use jsonwebtoken::jwk::{Jwk, JwkSet};

use super::document::Content;
use super::{KeyError, SigningAlgorithm, SigningKey, derive};
use crate::dpop::NonceKeys;
use crate::encoding::short_hex;
use crate::hmac_keys::HmacKeys;
use crate::refresh_token::RefreshTokenKeys;
use crate::session::ConfirmKeys;
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
    log_keys: HmacKeys,
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
        Ok(Self {
            log_keys: refresh.derive(LOG_LABEL)?,
            consent_keys: ConfirmKeys::new(refresh.derive(CONSENT_LABEL)?),
            account_keys: ConfirmKeys::new(refresh.derive(ACCOUNT_LABEL)?),
            dpop_nonce_keys: NonceKeys::new(refresh.derive(DPOP_NONCE_LABEL)?),
            current,
            refresh_token_keys: RefreshTokenKeys::new(HmacKeys::new(&refresh.current, &refresh.others)),
            public_keys,
            jwks,
            algorithms,
        })
    }

    /// Returns the name of a user in the log: the first 64 bits of HMAC-SHA-256 of the username, in hex. The key is
    /// derived from the current refresh token key, so a reader of the log cannot verify guesses of usernames.
    pub fn log_id(&self, username: &Username) -> String {
        short_hex(self.log_keys.sign(username.as_str().as_bytes()).as_ref())
    }

    /// Returns the names of a user in lines of any age: one for each refresh token key of the secret, the current one first.
    pub fn log_ids(&self, username: &Username) -> impl Iterator<Item = String> {
        self.log_keys.tags(username.as_str().as_bytes()).map(|tag| short_hex(tag.as_ref()))
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
    /// Derives keys for another purpose: one from each of them.
    fn derive(&self, label: &[u8]) -> Result<HmacKeys, KeyError> {
        let others = self.others.iter().map(|key| derive(key, label)).collect::<Result<Vec<_>, _>>()?;
        Ok(HmacKeys::new(derive(&self.current, label)?, others))
    }
}
