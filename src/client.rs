//! Clients: which applications and services may ask for tokens, and for which.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::Deserialize;

use crate::scope::{AllowedScopes, Scope, ScopeError};
use crate::secret::Hash;

/// A client as the table `clients` holds it.
#[derive(Debug, Deserialize)]
pub struct Client {
    /// Its public identifier (RFC 6749 section 2.2).
    pub client_id: String,
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
    /// The audience of its tokens of structure 2. Absent means the issuer.
    pub audience: Option<String>,
    /// Copied into its tokens of structure 1.
    pub system: Option<serde_json::Map<String, serde_json::Value>>,
    /// Seconds that its access tokens live. Absent means the deployment's default for users or for services.
    pub access_token_ttl: Option<NonZeroU32>,
    /// Seconds that its refresh tokens live unused. Absent means the deployment's default.
    pub refresh_token_ttl: Option<NonZeroU32>,
    /// Whether it may authenticate at all.
    pub enabled: bool,
}

/// One of a client's secrets.
#[derive(Debug, Deserialize)]
pub struct Secret {
    /// What verifies it.
    pub hash: Hash,
    /// When it dies, in seconds since the epoch. Absent means never.
    pub expires_at: Option<u64>,
}

impl Client {
    /// The hashes of the secrets that live at `now`.
    pub fn live_secrets(&self, now: u64) -> impl Iterator<Item = &Hash> {
        self.secrets
            .iter()
            .filter(move |secret| secret.expires_at.is_none_or(|expires_at| now < expires_at))
            .map(|secret| &secret.hash)
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
