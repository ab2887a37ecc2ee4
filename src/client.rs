//! Clients: which applications and services may ask for tokens, and for which.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::password_hash::{Hash, HashError, generate_client_secret, hash_client_secret};
use crate::random::fill_random;
use crate::scope::{AllowedScopes, Scope, ScopeError};

mod allowed_origins;

pub use allowed_origins::{AllowedOrigins, MAX_ALLOWED_ORIGINS, OriginError};

/// How many secrets may live at once: one that is in use, and one that is on its way to where it will be.
pub const MAX_LIVE_SECRETS: usize = 2;

/// A client as the table `clients` holds it.
#[derive(Debug, Deserialize)]
pub struct Client {
    /// Its public identifier (RFC 6749 section 2.2).
    pub client_id: String,
    /// Its name, for people.
    #[serde(default, deserialize_with = "for_people")]
    pub name: Option<String>,
    /// Its secrets. Any live one authenticates.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// The grants that it may use, as `grant_type` names them. Absent means none.
    #[serde(default)]
    pub grant_types: BTreeSet<String>,
    /// The scopes that it may have. Absent means none.
    #[serde(default)]
    pub scopes: AllowedScopes,
    /// The scopes of a request that names none.
    pub default_scopes: Option<Scope>,
    /// The audience of its tokens of version 2. Absent means the issuer.
    pub audience: Option<String>,
    /// Copied into its tokens of version 1.
    pub system: Option<serde_json::Map<String, serde_json::Value>>,
    /// Seconds that its access tokens live. Absent means the deployment's default for users or for services.
    pub access_token_ttl: Option<NonZeroU32>,
    /// Seconds that its refresh tokens live unused. Absent means the deployment's default.
    pub refresh_token_ttl: Option<NonZeroU32>,
    /// Browser origins whose pages may read token responses. Absent means none.
    #[serde(default)]
    pub allowed_origins: AllowedOrigins,
    /// Whether it may authenticate at all.
    pub enabled: bool,
    /// When it was made, in seconds since the epoch, for people.
    #[serde(default, deserialize_with = "for_people")]
    pub created_at: Option<u64>,
    /// When it was changed last, in seconds since the epoch, for people.
    #[serde(default, deserialize_with = "for_people")]
    pub updated_at: Option<u64>,
}

/// One of a client's secrets.
#[derive(Clone, Debug, Deserialize)]
pub struct Secret {
    /// Its id, for people.
    #[serde(default, deserialize_with = "for_people")]
    pub id: Option<String>,
    /// What verifies it.
    pub hash: Hash,
    /// When it was made, in seconds since the epoch, for people.
    #[serde(default, deserialize_with = "for_people")]
    pub created_at: Option<u64>,
    /// When it dies, in seconds since the epoch. Absent means never.
    pub expires_at: Option<u64>,
}

/// What is of use to people alone: one that is not as expected is none, and no fault of the record.
fn for_people<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Found<T> {
        Expected(T),
        Other(IgnoredAny),
    }
    Ok(match Found::deserialize(deserializer)? {
        Found::Expected(value) => Some(value),
        Found::Other(_) => None,
    })
}

impl Secret {
    /// Makes a secret: what the client is told, once, and what is kept of it.
    ///
    /// # Errors
    /// [`HashError`], which its form rules out.
    pub fn generate(now: u64) -> Result<(String, Self), HashError> {
        let secret = generate_client_secret();
        let hash = Hash::try_from(hash_client_secret(&secret))?;
        Ok((secret, Self::new(hash, now)))
    }

    /// The record of a secret that has this hash.
    pub fn new(hash: Hash, now: u64) -> Self {
        let mut id = [0; 4];
        fill_random(&mut id);
        Self { id: Some(format!("{:08x}", u32::from_be_bytes(id))), hash, created_at: Some(now), expires_at: None }
    }

    /// What operators call it; one that nobody gave an id is called by its hash.
    pub fn name(&self) -> String {
        self.id.clone().unwrap_or_else(|| self.hash.fingerprint())
    }

    /// Whether it authenticates at `now`.
    pub fn is_live(&self, now: u64) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

impl Client {
    /// A client that may do nothing yet.
    pub fn new(client_id: String, now: u64) -> Self {
        Self {
            client_id,
            name: None,
            secrets: Vec::new(),
            grant_types: BTreeSet::new(),
            scopes: AllowedScopes::default(),
            default_scopes: None,
            audience: None,
            system: None,
            access_token_ttl: None,
            refresh_token_ttl: None,
            allowed_origins: AllowedOrigins::default(),
            enabled: true,
            created_at: Some(now),
            updated_at: Some(now),
        }
    }

    /// The secrets that live at `now`.
    pub fn live_secrets(&self, now: u64) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().filter(move |secret| secret.is_live(now))
    }

    /// Takes a new secret, and has those that live die at `others_expire_at`, if they would not sooner. Those that are
    /// dead go. Whether it was taken: with two live ones it is not.
    pub fn take_secret(&mut self, secret: Secret, now: u64, others_expire_at: u64) -> bool {
        if self.live_secrets(now).count() >= MAX_LIVE_SECRETS {
            return false;
        }
        self.secrets.retain(|secret| secret.is_live(now));
        for other in &mut self.secrets {
            other.expires_at = Some(other.expires_at.map_or(others_expire_at, |at| at.min(others_expire_at)));
        }
        self.secrets.push(secret);
        true
    }

    /// The scope of a token for this client: what was asked for, if it may have all of it, or its defaults.
    ///
    /// # Errors
    /// Any [`ScopeError`].
    pub fn scope(&self, requested: Option<&str>) -> Result<Scope, ScopeError> {
        let scope = match requested {
            Some(requested) => Scope::parse(requested)?,
            None => self.default_scopes.clone().ok_or(ScopeError::Missing)?,
        };
        scope.allowed_by(&self.scopes)
    }
}
