//! The kinds of private keys: RSA signs RS256, P-256 signs ES256, Ed25519 signs EdDSA.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType, Jwk,
    OctetKeyPairParameters, OctetKeyPairType, PublicKeyUse, RSAKeyParameters, RSAKeyType,
};

use super::{KeyError, SigningAlgorithm};

/// A private key of one of the kinds.
pub(super) enum KeyPair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl KeyPair {
    /// Parses an unencrypted PKCS#8 private key. aws-lc compares the halves of the key, except those of Ed25519.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] unless it is RSA of 2048 to 8192 bits, P-256 or Ed25519, and its public half belongs to its
    /// private one.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            Ok(Self::Rsa(pair))
        } else if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            Ok(Self::P256(pair))
        } else if let Some(pair) = ed25519(der) {
            Ok(Self::Ed25519(pair))
        } else {
            Err(KeyError::Unusable(
                "a private key is not PKCS#8 of RSA (2048 bits or more), P-256 or Ed25519, or not with its public key",
            ))
        }
    }

    /// Signs a message (RFC 7515 section 5.1).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
            }
            Self::P256(pair) => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
            Self::Ed25519(pair) => pair.try_sign(message).map(|signature| signature.as_ref().to_vec()),
        }
    }

    pub fn algorithm(&self) -> SigningAlgorithm {
        match self {
            Self::Rsa(_) => SigningAlgorithm::Rs256,
            Self::P256(_) => SigningAlgorithm::Es256,
            Self::Ed25519(_) => SigningAlgorithm::EdDsa,
        }
    }

    /// Returns the public key, without a `kid`.
    pub fn jwk(&self) -> Result<Jwk, KeyError> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let algorithm = match self {
            Self::Rsa(pair) => {
                let public_key = pair.public_key();
                let parameters = RSAKeyParameters {
                    key_type: RSAKeyType::RSA,
                    n: encode(public_key.modulus().big_endian_without_leading_zero()),
                    e: encode(public_key.exponent().big_endian_without_leading_zero()),
                };
                AlgorithmParameters::RSA(parameters)
            }
            Self::P256(pair) => {
                // An uncompressed point (SEC 1 section 2.3.3): a byte for the format, then both coordinates.
                let (x, y) = pair
                    .public_key()
                    .as_ref()
                    .split_first()
                    .and_then(|(_, point)| point.split_at_checked(32))
                    .ok_or(KeyError::Unusable("a public key is not a point"))?;
                let parameters = EllipticCurveKeyParameters {
                    key_type: EllipticCurveKeyType::EC,
                    curve: EllipticCurve::P256,
                    x: encode(x),
                    y: encode(y),
                };
                AlgorithmParameters::EllipticCurve(parameters)
            }
            Self::Ed25519(pair) => {
                let parameters = OctetKeyPairParameters {
                    key_type: OctetKeyPairType::OctetKeyPair,
                    curve: EllipticCurve::Ed25519,
                    x: encode(pair.public_key().as_ref()),
                };
                AlgorithmParameters::OctetKeyPair(parameters)
            }
        };
        let common = CommonParameters {
            public_key_use: Some(PublicKeyUse::Signature),
            key_algorithm: Some(self.algorithm().key_algorithm()),
            ..CommonParameters::default()
        };
        Ok(Jwk { common, algorithm })
    }
}

/// Parses an Ed25519 key. Its public half has to verify a signature.
fn ed25519(der: &[u8]) -> Option<Ed25519KeyPair> {
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
    let message = b"countersign";
    let signature = pair.try_sign(message).ok()?;
    let public_key = ParsedPublicKey::new(&ED25519, pair.public_key()).ok()?;
    public_key.verify_sig(message, signature.as_ref()).is_ok().then_some(pair)
}
