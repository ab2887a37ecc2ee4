//! The signing key and what goes with it, from one secret in Secrets Manager.
//!
//! The secret is a document `{"version":1, "current":{..}, "next":{..}, "previous":[..], "refresh":{..}}`, or a bare
//! PKCS#8 PEM for those who bring their own key. The key decides the algorithm: RSA signs RS256, P-256 signs ES256,
//! Ed25519 signs EdDSA. Keys are parsed once, and prove themselves by one signature, before they are used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::{error, fmt};

use aws_config::SdkConfig;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use aws_sdk_secretsmanager::Client;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType, Jwk,
    JwkSet, KeyAlgorithm, OctetKeyPairParameters, OctetKeyPairType, PublicKeyUse, RSAKeyParameters, RSAKeyType,
    ThumbprintHash,
};
use jsonwebtoken::{Algorithm, Header};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

use crate::aws;
use crate::clock::Clock;
use crate::refresh::ReferenceKeys;

/// Seconds after which the secret is read again.
const REREAD_AFTER: u64 = 300;
/// Seconds after which it is read again when that failed or did not come to an end.
const RETRY_AFTER: u64 = 15;
const DOCUMENT_VERSION: u32 = 1;
const REFERENCE_KEY_BYTES: usize = 32;
const BARE_PEM_REFERENCE_LABEL: &[u8] = b"countersign refresh v1";

/// Why there is no key to sign with. Says nothing of the secret's content.
#[derive(Debug)]
pub enum KeyError {
    /// The secret could not be read.
    Unavailable(String),
    /// The secret is not what it must be.
    Unusable(&'static str),
    /// A key that signed when it was loaded does not sign.
    Signing,
}

impl fmt::Display for KeyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(cause) => write!(formatter, "the signing secret cannot be read: {cause}"),
            Self::Unusable(fault) => write!(formatter, "the signing secret cannot be used: {fault}"),
            Self::Signing => formatter.write_str("the token cannot be signed"),
        }
    }
}

impl error::Error for KeyError {}

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

/// All the keys of one reading of the secret.
pub struct KeySet {
    /// The key that signs.
    pub current: SigningKey,
    /// The keys of refresh references.
    pub references: ReferenceKeys,
    others: Vec<SigningKey>,
}

/// The document form of the secret.
#[derive(Deserialize)]
struct Document {
    version: u32,
    current: KeyRecord,
    next: Option<KeyRecord>,
    previous: Option<Vec<KeyRecord>>,
    refresh: ReferenceKeyRecord,
}

#[derive(Deserialize)]
struct KeyRecord {
    kid: String,
    alg: Algorithm,
    private_key: String,
}

/// HMAC keys of 256 bits or more, in base64url or base64, padded or not.
#[derive(Deserialize)]
struct ReferenceKeyRecord {
    current: String,
    previous: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl KeySet {
    /// Reads the text of the secret, in either form.
    ///
    /// # Errors
    /// [`KeyError::Unusable`]
    pub fn parse(secret: &str) -> Result<Self, KeyError> {
        if secret.trim_start().starts_with('{') { Self::from_document(secret) } else { Self::from_pem(secret) }
    }

    fn from_document(text: &str) -> Result<Self, KeyError> {
        // serde's message may quote the text, so that it is not told.
        let document: Document = serde_json::from_str(text)
            .map_err(|_| KeyError::Unusable("it is JSON, but not a document of signing keys"))?;
        if document.version != DOCUMENT_VERSION {
            return Err(KeyError::Unusable("the version of its document is unknown"));
        }
        let reference_key = |text: &String| {
            let text = text.trim_end_matches('=');
            match URL_SAFE_NO_PAD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)) {
                Ok(bytes) if bytes.len() >= REFERENCE_KEY_BYTES => Ok(bytes),
                _ => Err(KeyError::Unusable("a key of refresh references is not base64 of 32 bytes or more")),
            }
        };
        let previous = match document.refresh.previous {
            None => Vec::new(),
            Some(OneOrMany::One(key)) => vec![key],
            Some(OneOrMany::Many(keys)) => keys,
        };
        let previous: Vec<_> = previous.iter().map(reference_key).collect::<Result<_, _>>()?;
        Ok(Self {
            current: document.current.parse()?,
            references: ReferenceKeys::new(
                &reference_key(&document.refresh.current)?,
                previous.iter().map(Vec::as_slice),
            ),
            others: document
                .next
                .iter()
                .chain(document.previous.iter().flatten())
                .map(KeyRecord::parse)
                .collect::<Result<_, _>>()?,
        })
    }

    fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = decode_pem(text)?;
        let mut reference_key = [0; REFERENCE_KEY_BYTES];
        hkdf::Salt::none(hkdf::HKDF_SHA256)
            .extract(der.secret_pkcs8_der())
            .expand(&[BARE_PEM_REFERENCE_LABEL], hkdf::HKDF_SHA256)
            .and_then(|output| output.fill(&mut reference_key))
            .map_err(|_| KeyError::Unusable("no key of refresh references can be derived from it"))?;
        Ok(Self {
            current: SigningKey::from_pkcs8(der.secret_pkcs8_der())?,
            references: ReferenceKeys::new(&reference_key, []),
            others: Vec::new(),
        })
    }

    /// The public keys of the set (RFC 7517 section 5): the one that signs, then the others.
    pub fn jwks(&self) -> JwkSet {
        JwkSet { keys: std::iter::once(&self.current).chain(&self.others).map(|key| key.jwk.clone()).collect() }
    }
}

impl KeyRecord {
    fn parse(&self) -> Result<SigningKey, KeyError> {
        let key = SigningKey::from_pkcs8(decode_pem(&self.private_key)?.secret_pkcs8_der())?;
        if key.kid != self.kid {
            return Err(KeyError::Unusable("a kid is not the RFC 7638 thumbprint of its key"));
        }
        if key.pair.algorithm() != self.alg {
            return Err(KeyError::Unusable("an alg is not that of its key"));
        }
        Ok(key)
    }
}

fn decode_pem(text: &str) -> Result<PrivatePkcs8KeyDer<'static>, KeyError> {
    PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| KeyError::Unusable("a private key is not a PKCS#8 PEM (-----BEGIN PRIVATE KEY-----)"))
}

/// Holds the last good set, and reads the secret again in the background of requests.
pub struct Keyring {
    secrets_manager: Client,
    secret_id: String,
    clock: Clock,
    set: RwLock<Option<Arc<KeySet>>>,
    /// When the secret is to be read again, in seconds since the epoch.
    due_at: AtomicU64,
}

impl Keyring {
    /// A ring for this secret, empty until [`load`](Self::load) or the first request.
    pub fn new(sdk: &SdkConfig, secret_id: String, clock: Clock) -> Self {
        Self { secrets_manager: Client::new(sdk), secret_id, clock, set: RwLock::new(None), due_at: AtomicU64::new(0) }
    }

    /// Reads the secret and takes it up.
    ///
    /// # Errors
    /// [`KeyError`]; the last good set stays.
    pub async fn load(&self) -> Result<Arc<KeySet>, KeyError> {
        let read_at = self.clock.now();
        let output = self
            .secrets_manager
            .get_secret_value()
            .secret_id(&self.secret_id)
            .send()
            .await
            .map_err(|error| KeyError::Unavailable(aws::cause(&error)))?;
        let text = output.secret_string().ok_or(KeyError::Unusable("it has no text"))?;
        let set = Arc::new(KeySet::parse(text)?);
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = Some(set.clone());
        self.due_at.store(read_at.saturating_add(REREAD_AFTER), Ordering::Release);
        Ok(set)
    }

    /// The last good set; reads the secret if there is none yet.
    ///
    /// # Errors
    /// [`KeyError`] if there is none to be had.
    pub async fn current(&self) -> Result<Arc<KeySet>, KeyError> {
        match self.last_good() {
            Some(set) => Ok(set),
            None => self.load().await,
        }
    }

    /// Has the secret read again if that is due, beside whatever the caller does next: no request waits for it. A
    /// failure keeps the last good set, and a later request tries again.
    pub fn reread_if_due(self: &Arc<Self>) {
        let (now, due_at) = (self.clock.now(), self.due_at.load(Ordering::Acquire));
        // A due time further off than any that was ever set means that the clock was set back.
        let due = now >= due_at || due_at - now > REREAD_AFTER;
        if !due || self.last_good().is_none() {
            return;
        }
        // Whoever moves the due time reads.
        let retry_at = now.saturating_add(RETRY_AFTER);
        if self.due_at.compare_exchange(due_at, retry_at, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        let ring = self.clone();
        tokio::spawn(async move {
            if let Err(error) = ring.load().await {
                tracing::error!(reason = %error, "keeping the last good signing keys");
            }
        });
    }

    fn last_good(&self) -> Option<Arc<KeySet>> {
        self.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
