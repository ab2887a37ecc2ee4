//! The text of the secret: a document of keys, or a bare PEM.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Deserializer, Serialize};

use super::{KeyError, KeySet, SigningKey, derive};

pub(super) const DOCUMENT_VERSION: u32 = 1;
pub(super) const REFRESH_TOKEN_KEY_BYTES: usize = 32;
const BARE_PEM_REFRESH_LABEL: &[u8] = b"countersign refresh v1";

/// The document, as it is written. Has no `Debug`, because it contains private keys.
#[derive(Clone, Deserialize, Serialize)]
pub struct Document {
    pub(super) version: u32,
    pub(super) current: KeyRecord,
    pub(super) next: Option<KeyRecord>,
    #[serde(default, deserialize_with = "list")]
    pub(super) previous: Vec<PreviousKeyRecord>,
    pub(super) refresh: RefreshTokenKeyRecords,
}

/// A key that signs, or signs next.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct KeyRecord {
    pub kid: String,
    pub alg: Algorithm,
    /// PKCS#8, as a PEM.
    pub private_key: String,
    /// When it was generated, for people. Times are in seconds since the epoch.
    pub created_at: Option<u64>,
    /// When it became public. Only the rotation writes it.
    pub public_since: Option<u64>,
    /// When it began to sign.
    pub signs_since: Option<u64>,
}

/// A key that signed.
#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum PreviousKeyRecord {
    /// The public half, which is needed until `leaves_at`.
    Public { public_key: Jwk, leaves_at: u64 },
    /// The form in which a person may write it.
    Whole(KeyRecord),
}

/// HMAC keys of 256 bits or more, in base64url or base64, padded or not.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct RefreshTokenKeyRecords {
    pub current: String,
    pub next: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub previous: Vec<PreviousRefreshTokenKeyRecord>,
}

/// A key that refresh tokens were made with.
#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum PreviousRefreshTokenKeyRecord {
    /// With the time at which the last refresh token made with it has expired.
    Dated { key: String, leaves_at: u64 },
    /// The form in which a person may write it.
    Bare(String),
}

/// Reads one value, a list of them, or null.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany<T> {
        Many(Vec<T>),
        One(T),
    }
    Ok(match Option::deserialize(deserializer)? {
        None => Vec::new(),
        Some(OneOrMany::One(one)) => vec![one],
        Some(OneOrMany::Many(many)) => many,
    })
}

impl Document {
    /// Returns true if a text is meant to be a document, valid or not.
    pub fn is_one(text: &str) -> bool {
        text.trim_start().starts_with('{')
    }

    /// Parses a document. [`key_set`](Self::key_set) checks its keys.
    ///
    /// # Errors
    /// [`KeyError::Unusable`]
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        // serde's message may quote the text, so it is not used.
        let document: Self = serde_json::from_str(text)
            .map_err(|_| KeyError::Unusable("it is JSON, but not a document of signing keys"))?;
        if document.version != DOCUMENT_VERSION {
            return Err(KeyError::Unusable("the version of its document is unknown"));
        }
        Ok(document)
    }

    /// Checks all keys and returns them, without those whose time is over at `now`.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if one of them is not valid.
    pub fn key_set(&self, now: u64) -> Result<KeySet, KeyError> {
        let current = refresh_token_key(&self.refresh.current)?;
        let others: Vec<_> = self
            .refresh
            .next
            .iter()
            .chain(self.refresh.previous.iter().filter(|key| !key.is_gone(now)).map(PreviousRefreshTokenKeyRecord::key))
            .map(|key| refresh_token_key(key))
            .collect::<Result<_, _>>()?;
        let next = self.next.as_ref().map(KeyRecord::public_key).transpose()?;
        let previous = self.previous.iter().filter(|key| !key.is_gone(now)).map(PreviousKeyRecord::public_key);
        KeySet::new(self.current.parse()?, next, previous.collect::<Result<_, _>>()?, &current, &others)
    }
}

/// Builds the keys of a bare PEM. The refresh token key is derived from it.
pub(super) fn key_set_of_pem(text: &str) -> Result<KeySet, KeyError> {
    let der = decode_pem(text)?;
    let refresh_key = derive(der.secret_pkcs8_der(), BARE_PEM_REFRESH_LABEL)?;
    KeySet::new(SigningKey::from_pkcs8(der.secret_pkcs8_der())?, None, Vec::new(), &refresh_key, &[])
}

impl KeyRecord {
    pub(super) fn parse(&self) -> Result<SigningKey, KeyError> {
        let key = SigningKey::from_pkcs8(decode_pem(&self.private_key)?.secret_pkcs8_der())?;
        if key.kid() != self.kid {
            return Err(KeyError::Unusable("a kid is not the RFC 7638 thumbprint of its key"));
        }
        if key.algorithm() != self.alg {
            return Err(KeyError::Unusable("an alg is not that of its key"));
        }
        Ok(key)
    }

    pub(super) fn public_key(&self) -> Result<Jwk, KeyError> {
        Ok(self.parse()?.jwk().clone())
    }
}

impl PreviousKeyRecord {
    fn public_key(&self) -> Result<Jwk, KeyError> {
        match self {
            Self::Whole(record) => record.public_key(),
            Self::Public { public_key, .. } => {
                let thumbprint = public_key.thumbprint(ThumbprintHash::SHA256).ok();
                if thumbprint.is_some() && thumbprint == public_key.common.key_id {
                    Ok(public_key.clone())
                } else {
                    Err(KeyError::Unusable("the kid of a previous key is not its RFC 7638 thumbprint"))
                }
            }
        }
    }

    /// Returns true if its last token has expired.
    pub(super) fn is_gone(&self, now: u64) -> bool {
        matches!(self, Self::Public { leaves_at, .. } if *leaves_at <= now)
    }

    pub(super) fn kid(&self) -> Option<&str> {
        match self {
            Self::Whole(record) => Some(&record.kid),
            Self::Public { public_key, .. } => public_key.common.key_id.as_deref(),
        }
    }
}

impl PreviousRefreshTokenKeyRecord {
    /// Returns true if the last refresh token made with it has expired.
    pub(super) fn is_gone(&self, now: u64) -> bool {
        matches!(self, Self::Dated { leaves_at, .. } if *leaves_at <= now)
    }

    pub(super) fn key(&self) -> &String {
        match self {
            Self::Dated { key, .. } | Self::Bare(key) => key,
        }
    }
}

fn refresh_token_key(text: &str) -> Result<Vec<u8>, KeyError> {
    let text = text.trim_end_matches('=');
    match URL_SAFE_NO_PAD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)) {
        Ok(bytes) if bytes.len() >= REFRESH_TOKEN_KEY_BYTES => Ok(bytes),
        _ => Err(KeyError::Unusable("a refresh token key is not base64 of 32 bytes or more")),
    }
}

fn decode_pem(text: &str) -> Result<PrivatePkcs8KeyDer<'static>, KeyError> {
    PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| KeyError::Unusable("a private key is not a PKCS#8 PEM (-----BEGIN PRIVATE KEY-----)"))
}
