//! One private key: RSA signs RS256, P-256 signs ES256, Ed25519 signs EdDSA.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType, Jwk,
    KeyAlgorithm, OctetKeyPairParameters, OctetKeyPairType, PublicKeyUse, RSAKeyParameters, RSAKeyType, ThumbprintHash,
};
use jsonwebtoken::{Algorithm, Header};

use super::KeyError;

/// A private key that signs, with all that can be worked out once.
pub struct SigningKey {
    pair: KeyPair,
    jwk: Jwk,
    kid: String,
}

enum KeyPair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Parses an unencrypted PKCS#8 private key and has it prove itself.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] unless it is RSA of 2048 to 8192 bits, P-256 or Ed25519, and signs what its public half
    /// verifies.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair = if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            KeyPair::Rsa(pair)
        } else if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            KeyPair::P256(pair)
        } else if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            KeyPair::Ed25519(pair)
        } else {
            return Err(KeyError::Unusable("a private key is not PKCS#8 of RSA (2048 bits or more), P-256 or Ed25519"));
        };
        let mut jwk = pair.jwk()?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::Unusable("a key has no thumbprint"))?;
        jwk.common.key_id = Some(kid.clone());
        let key = Self { pair, jwk, kid };
        let message = b"countersign";
        key.pair
            .verify(message, &key.sign(message)?)
            .map_err(|_| KeyError::Unusable("a private key does not match its public key"))?;
        Ok(key)
    }

    /// The RFC 7638 thumbprint of its public key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half (RFC 7517 section 4).
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// What it signs by.
    pub fn algorithm(&self) -> Algorithm {
        self.pair.algorithm()
    }

    /// The JOSE header of a token of this type, signed with this key.
    pub fn header(&self, typ: &str) -> Header {
        Header { typ: Some(typ.to_owned()), kid: Some(self.kid.clone()), ..Header::new(self.pair.algorithm()) }
    }

    /// Signs a message (RFC 7515 section 5.1).
    ///
    /// # Errors
    /// [`KeyError::Signing`], which the loading of the key has ruled out.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            KeyPair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
            }
            KeyPair::P256(pair) => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
            KeyPair::Ed25519(pair) => pair.try_sign(message).map(|signature| signature.as_ref().to_vec()),
        }
        .map_err(|_| KeyError::Signing)
    }
}

impl KeyPair {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::RS256,
            Self::P256(_) => Algorithm::ES256,
            Self::Ed25519(_) => Algorithm::EdDSA,
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Unspecified> {
        match self {
            Self::Rsa(pair) => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key()),
            Self::P256(pair) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key()),
            Self::Ed25519(pair) => ParsedPublicKey::new(&ED25519, pair.public_key()),
        }?
        .verify_sig(message, signature)
    }

    /// The public half, named by nothing yet.
    fn jwk(&self) -> Result<Jwk, KeyError> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (key_algorithm, parameters) = match self {
            Self::Rsa(pair) => {
                let public_key = pair.public_key();
                let parameters = RSAKeyParameters {
                    key_type: RSAKeyType::RSA,
                    n: encode(public_key.modulus().big_endian_without_leading_zero()),
                    e: encode(public_key.exponent().big_endian_without_leading_zero()),
                };
                (KeyAlgorithm::RS256, AlgorithmParameters::RSA(parameters))
            }
            Self::P256(pair) => {
                // An uncompressed point (SEC 1 section 2.3.3): one byte that says so, then both coordinates.
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
                (KeyAlgorithm::ES256, AlgorithmParameters::EllipticCurve(parameters))
            }
            Self::Ed25519(pair) => {
                let parameters = OctetKeyPairParameters {
                    key_type: OctetKeyPairType::OctetKeyPair,
                    curve: EllipticCurve::Ed25519,
                    x: encode(pair.public_key().as_ref()),
                };
                (KeyAlgorithm::EdDSA, AlgorithmParameters::OctetKeyPair(parameters))
            }
        };
        let common = CommonParameters {
            public_key_use: Some(PublicKeyUse::Signature),
            key_algorithm: Some(key_algorithm),
            ..CommonParameters::default()
        };
        Ok(Jwk { common, algorithm: parameters })
    }
}
