//! One private key, its public key and its `kid`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use serde::Serialize;

use super::key_pair::KeyPair;
use super::{KeyError, SigningAlgorithm};

/// A private key that signs. Everything that does not depend on the message is computed once.
pub struct SigningKey {
    pair: KeyPair,
    jwk: Jwk,
    kid: String,
    /// The headers of both types, in base64url.
    jwt_header: String,
    access_token_header: String,
}

/// The `typ` in the header of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum HeaderType {
    /// `JWT`: an ID token, or an access token of version 1.
    Jwt,
    /// `at+jwt`: an access token of version 2 (RFC 9068 section 2.1).
    AccessToken,
}

impl HeaderType {
    /// Returns the value of `typ`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::AccessToken => "at+jwt",
        }
    }
}

/// The JOSE header of a token (RFC 7515 section 4).
#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: SigningAlgorithm,
    kid: &'a str,
}

impl Header<'_> {
    fn encode(&self) -> Result<String, KeyError> {
        let json = serde_json::to_vec(self).map_err(|_| KeyError::Signing)?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    }
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
        let header = |typ: HeaderType| Header { typ: typ.name(), alg: pair.algorithm(), kid: &kid }.encode();
        let (jwt_header, access_token_header) = (header(HeaderType::Jwt)?, header(HeaderType::AccessToken)?);
        let key = Self { pair, jwk, kid, jwt_header, access_token_header };
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

    /// Returns the header of a token of this type that this key signs, in base64url.
    pub fn header(&self, typ: HeaderType) -> &str {
        match typ {
            HeaderType::Jwt => &self.jwt_header,
            HeaderType::AccessToken => &self.access_token_header,
        }
    }

    /// Signs a message (RFC 7515 section 5.1).
    ///
    /// # Errors
    /// [`KeyError::Signing`], which cannot occur, because the key signed when it was parsed.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.pair.sign(message).map_err(|_| KeyError::Signing)
    }
}
