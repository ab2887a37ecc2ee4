//! One private key, its public key and its `kid`.

use jsonwebtoken::Header;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};

use super::key_pair::KeyPair;
use super::{KeyError, SigningAlgorithm};

/// A private key that signs. Everything that does not depend on the message is computed once.
pub struct SigningKey {
    pair: KeyPair,
    jwk: Jwk,
    kid: String,
}

impl SigningKey {
    /// Parses an unencrypted PKCS#8 private key, and signs once, which makes the first signature of a request faster.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] unless it is RSA of 2048 to 8192 bits, P-256 or Ed25519, and its public half belongs to its
    /// private one. [`KeyError::Signing`] if it cannot sign.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair = KeyPair::from_pkcs8(der)?;
        let mut jwk = pair.jwk()?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::Unusable("a key has no thumbprint"))?;
        jwk.common.key_id = Some(kid.clone());
        let key = Self { pair, jwk, kid };
        key.sign(b"countersign")?;
        Ok(key)
    }

    /// Returns the RFC 7638 thumbprint of the public key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the public key (RFC 7517 section 4).
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Returns the signing algorithm.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.pair.algorithm()
    }

    /// Returns the JOSE header of a token of this type that this key signs.
    pub fn header(&self, typ: &str) -> Header {
        Header { typ: Some(typ.to_owned()), kid: Some(self.kid.clone()), ..Header::new(self.algorithm().verifier()) }
    }

    /// Signs a message (RFC 7515 section 5.1).
    ///
    /// # Errors
    /// [`KeyError::Signing`], which cannot occur, because the key signed when it was parsed.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.pair.sign(message).map_err(|_| KeyError::Signing)
    }
}
