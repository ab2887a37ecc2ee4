//! New keys.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::document::{DOCUMENT_VERSION, REFRESH_TOKEN_KEY_BYTES, decode_pem};
use super::records::{KeyRecord, RefreshTokenKeyRecords};
use super::{Document, KeyError, RotationPolicy, SigningAlgorithm, SigningKey};
use crate::random::fill_random;

impl Document {
    /// Generates the first set: a key that signs immediately, because no verifier has fetched another one, and the next
    /// key.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if no key can be generated.
    pub fn generate(policy: &RotationPolicy, now: u64) -> Result<Self, KeyError> {
        Ok(Self {
            version: DOCUMENT_VERSION,
            current: KeyRecord { signs_since: Some(now), ..KeyRecord::generate(policy.algorithm, now)? },
            next: Some(KeyRecord::generate(policy.algorithm, now)?),
            previous: Vec::new(),
            dropped: Vec::new(),
            refresh: RefreshTokenKeyRecords {
                current: generate_refresh_token_key(),
                next: Some(generate_refresh_token_key()),
                previous: Vec::new(),
            },
        })
    }
}

impl KeyRecord {
    /// Generates a key that is public from now on.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if no key can be generated.
    pub fn generate(algorithm: SigningAlgorithm, now: u64) -> Result<Self, KeyError> {
        let der = match algorithm {
            SigningAlgorithm::Rs256 => rsa::KeyPair::generate(KeySize::Rsa2048)
                .and_then(|pair| pair.as_der())
                .map(|der: Pkcs8V1Der<'_>| der.as_ref().to_vec()),
            SigningAlgorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map(|der| der.as_ref().to_vec()),
            SigningAlgorithm::EdDsa => {
                Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map(|der| der.as_ref().to_vec())
            }
        };
        let der = der.map_err(|_| KeyError::Unusable("a key cannot be generated"))?;
        let (private_key, kid) = (pem(&der), SigningKey::from_pkcs8(&der)?.kid().to_owned());
        Ok(Self { kid, alg: algorithm, private_key, created_at: Some(now), public_since: Some(now), signs_since: None })
    }
}

/// Generates a P-256 key for a client. Returns the private key as PEM (PKCS#8), and the key.
///
/// # Errors
/// [`KeyError::Unusable`], which cannot occur.
pub fn generate_client_key() -> Result<(String, SigningKey), KeyError> {
    let private_key = KeyRecord::generate(SigningAlgorithm::Es256, 0)?.private_key;
    let key = SigningKey::from_pkcs8(decode_pem(&private_key)?.secret_pkcs8_der())?;
    Ok((private_key, key))
}

/// Returns a PKCS#8 key as PEM (RFC 7468 section 10), with lines of 64 characters.
fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.collect::<Vec<_>>().join("\n"))
}

/// Generates a key of refresh tokens, in its stored form.
pub(super) fn generate_refresh_token_key() -> String {
    let mut bits = [0; REFRESH_TOKEN_KEY_BYTES];
    fill_random(&mut bits);
    URL_SAFE_NO_PAD.encode(bits)
}
