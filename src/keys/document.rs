//! The text of the secret: a document of keys, or a bare PEM.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use super::key_set::RefreshTokenKeyBytes;
use super::records::{
    DroppedKey, KeyRecord, PreviousKeyRecord, PreviousRefreshTokenKeyRecord, RefreshTokenKeyRecords, list,
};
use super::{KeyError, KeySet, SigningKey, derive};

pub(super) const DOCUMENT_VERSION: u32 = 1;
pub(super) const REFRESH_TOKEN_KEY_BYTES: usize = 32;
const BARE_PEM_REFRESH_LABEL: &[u8] = b"countersign refresh v1";

/// The content of the secret. Has no `Debug`, because it contains private keys.
pub(super) enum Content {
    /// A document.
    Document(Box<Document>),
    /// An externally managed key.
    External(PrivatePkcs8KeyDer<'static>),
}

impl Content {
    /// Parses the text of the secret. [`key_set`](Self::key_set) checks its keys.
    ///
    /// # Errors
    /// [`KeyError::Unusable`]
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        Ok(if text.trim_start().starts_with('{') {
            Self::Document(Box::new(Document::parse(text)?))
        } else {
            Self::External(decode_pem(text)?)
        })
    }

    /// Checks all keys and returns them, without the previous keys whose last token has expired at `now`. The refresh
    /// token key of an externally managed key is derived from it.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if one of them is not valid.
    pub fn key_set(&self, now: u64) -> Result<KeySet, KeyError> {
        match self {
            Self::Document(document) => document.key_set(now),
            Self::External(der) => {
                let der = der.secret_pkcs8_der();
                let refresh_token_key = derive(der, BARE_PEM_REFRESH_LABEL)?;
                let refresh = RefreshTokenKeyBytes { current: refresh_token_key.to_vec(), others: Vec::new() };
                KeySet::new(SigningKey::from_pkcs8(der)?, None, Vec::new(), &refresh)
            }
        }
    }
}

/// The document, as it is written. Has no `Debug`, because it contains private keys.
#[derive(Clone, Deserialize, Serialize)]
pub struct Document {
    pub(super) version: u32,
    pub(super) current: KeyRecord,
    pub(super) next: Option<KeyRecord>,
    #[serde(default, deserialize_with = "list")]
    pub(super) previous: Vec<PreviousKeyRecord>,
    /// The compromised keys that were removed, until their last tokens have expired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) dropped: Vec<DroppedKey>,
    pub(super) refresh: RefreshTokenKeyRecords,
}

impl Document {
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

    /// Checks all keys and returns them, without the previous keys whose last token has expired at `now`.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if one of them is not valid.
    pub fn key_set(&self, now: u64) -> Result<KeySet, KeyError> {
        let previous = self.refresh.previous.iter().filter(|key| !key.is_gone(now));
        let others = self.refresh.next.iter().chain(previous.map(PreviousRefreshTokenKeyRecord::key));
        let refresh = RefreshTokenKeyBytes {
            current: refresh_token_key(&self.refresh.current)?,
            others: others.map(|key| refresh_token_key(key)).collect::<Result<_, _>>()?,
        };
        let next = self.next.as_ref().map(KeyRecord::public_key).transpose()?;
        let previous = self.previous.iter().filter(|key| !key.is_gone(now)).map(PreviousKeyRecord::public_key);
        KeySet::new(self.current.parse()?, next, previous.collect::<Result<_, _>>()?, &refresh)
    }
}

fn refresh_token_key(text: &str) -> Result<Vec<u8>, KeyError> {
    let text = text.trim_end_matches('=');
    match URL_SAFE_NO_PAD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)) {
        Ok(bytes) if bytes.len() >= REFRESH_TOKEN_KEY_BYTES => Ok(bytes),
        _ => Err(KeyError::Unusable("a refresh token key is not base64 of 32 bytes or more")),
    }
}

pub(super) fn decode_pem(text: &str) -> Result<PrivatePkcs8KeyDer<'static>, KeyError> {
    PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| KeyError::Unusable("a private key is not a PKCS#8 PEM (-----BEGIN PRIVATE KEY-----)"))
}
