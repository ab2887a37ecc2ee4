//! Clients: the applications and services that may request tokens, and their permissions.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use crate::password_hash::{Hash, HashError, generate_client_secret, hash_client_secret};
use crate::random::short_id;
use crate::redirect_uri::RedirectUris;
use crate::resource::Resources;
use crate::scope::{AllowedScopes, Scope, ScopeError};

mod allowed_origins;
mod audiences;
mod auth_method;
mod client_key;
mod grant_type;
mod https_url;
mod metadata;
mod records;
mod revoked_serials;
mod rules;
mod trust;
mod user_address;

pub use allowed_origins::{AllowedOrigins, MAX_ALLOWED_ORIGINS, OriginError};
pub use audiences::{Audiences, InvalidAudience};
pub use auth_method::AuthMethod;
pub use client_key::{ClientKey, MAX_CLIENT_KEYS, PublicJwk};
pub use grant_type::GrantType;
pub use https_url::{HttpsUrl, NotHttps};
pub use metadata::{ATTRIBUTES, Attribute, ClientMetadata, Form, MetadataError};
pub use revoked_serials::{NotASerial, RevokedSerials};
pub use trust::{
    ClaimText, InvalidClaims, IssuerUrl, MAX_TRUST_ENTRIES, MaxAge, NotAnIssuer, RequiredClaims, Trust, WrittenKeys,
};
pub use user_address::UserAddress;

/// The number of secrets that may be active simultaneously: the one in use, and its replacement while that is deployed.
pub const MAX_ACTIVE_SECRETS: usize = 2;

/// A client, one item of the table `clients`. The attributes that operators set are also listed in [`ATTRIBUTES`].
#[derive(Debug, Deserialize, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the stored form of each is a boolean")]
pub struct Client {
    /// The public identifier (RFC 6749 section 2.2).
    pub client_id: String,
    /// The name, for people.
    #[serde(default, deserialize_with = "for_people")]
    pub name: Option<String>,
    /// The secrets. Each active one authenticates the client.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "records::from_maps")]
    pub secrets: Vec<Secret>,
    /// The public keys. Each active one verifies the client's assertions.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "records::from_maps")]
    pub jwks: Vec<ClientKey>,
    /// The workloads of other issuers that may authenticate as the client.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "records::from_maps")]
    pub federated: Vec<Trust>,
    /// True if an assertion of the client may name the called endpoint, or the token endpoint, as its audience.
    #[serde(default, skip_serializing_if = "is_false")]
    pub legacy_audience: bool,
    /// The subject of the client's certificate, as RFC 4514 writes it.
    pub tls_client_auth_subject_dn: Option<String>,
    /// A DNS name of the client's certificate.
    pub tls_client_auth_san_dns: Option<String>,
    /// A URI of the client's certificate.
    pub tls_client_auth_san_uri: Option<String>,
    /// The issuer of the client's certificate, as RFC 4514 writes it. Absent means any that the gateway trusts.
    pub tls_client_auth_issuer_dn: Option<String>,
    /// The serial numbers of certificates that are rejected. Absent means none.
    #[serde(default, skip_serializing_if = "RevokedSerials::is_empty")]
    pub revoked_serials: RevokedSerials,
    /// The method by which the client authenticates. Absent means by any of its credentials.
    pub token_endpoint_auth_method: Option<AuthMethod>,
    /// The grants that the record lists. Absent means none; unknown names are ignored. [`Client::may_use`] decides.
    #[serde(
        default,
        skip_serializing_if = "BTreeSet::is_empty",
        deserialize_with = "grant_type::known",
        serialize_with = "serde_dynamo::string_set::serialize"
    )]
    pub grant_types: BTreeSet<GrantType>,
    /// The scopes that the client may have. Absent means none.
    #[serde(default, skip_serializing_if = "AllowedScopes::is_empty")]
    pub scopes: AllowedScopes,
    /// The scopes of a request without `scope`.
    pub default_scopes: Option<Scope>,
    /// The audience of the client's tokens of version 2. Absent means the issuer.
    pub audience: Option<String>,
    /// The resources that a request may name instead (RFC 8707). Absent means none.
    #[serde(default, skip_serializing_if = "Resources::is_empty")]
    pub resources: Resources,
    /// The claim `system` of the client's tokens of version 1.
    pub system: Option<serde_json::Map<String, serde_json::Value>>,
    /// The lifetime of access tokens in seconds. Absent means the deployment's default for users or for services.
    pub access_token_ttl: Option<NonZeroU32>,
    /// Seconds after which an unused refresh token expires. Absent means the deployment's default.
    pub refresh_token_ttl: Option<NonZeroU32>,
    /// Browser origins whose pages may read token responses. Absent means none.
    #[serde(default, skip_serializing_if = "AllowedOrigins::is_empty")]
    pub allowed_origins: AllowedOrigins,
    /// True if the refresh token travels in a cookie.
    #[serde(default, skip_serializing_if = "is_false")]
    pub refresh_token_cookie: bool,
    /// The place of a user's address. Absent means that the address is not known.
    pub user_address: Option<UserAddress>,
    /// The audiences whose access tokens the client may introspect. Absent means none.
    #[serde(default, skip_serializing_if = "Audiences::is_empty")]
    pub introspects: Audiences,
    /// The addresses to which the browser returns from the login pages. Absent means none.
    #[serde(default, skip_serializing_if = "RedirectUris::is_empty")]
    pub redirect_uris: RedirectUris,
    /// The addresses to which the browser may return after a log-out. Absent means none.
    #[serde(default, skip_serializing_if = "RedirectUris::is_empty")]
    pub post_logout_redirect_uris: RedirectUris,
    /// True if the client is the operator's own application, which needs no consent of its users.
    #[serde(default, skip_serializing_if = "is_false")]
    pub first_party: bool,
    /// True if the client has to use PKCE (RFC 7636) for codes.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub require_pkce: bool,
    /// True if the client gets only access tokens that are bound to a key (RFC 9449 section 5.2).
    #[serde(default, skip_serializing_if = "is_false")]
    pub dpop_bound_access_tokens: bool,
    /// True if the client gets only access tokens that are bound to its certificate (RFC 8705 section 3.4).
    #[serde(default, skip_serializing_if = "is_false")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// The page of the client, which the consent page links to.
    pub client_uri: Option<HttpsUrl>,
    /// The privacy policy of the client, which the consent page links to.
    pub policy_uri: Option<HttpsUrl>,
    /// The terms of the client, which the consent page links to.
    pub tos_uri: Option<HttpsUrl>,
    /// False if the client must not authenticate.
    pub enabled: bool,
    /// The time at which the client was created, in seconds since the epoch, for people.
    #[serde(default, deserialize_with = "for_people")]
    pub created_at: Option<u64>,
    /// The time of the last change, in seconds since the epoch, for people.
    #[serde(default, deserialize_with = "for_people")]
    pub updated_at: Option<u64>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes `&bool`")]
fn is_true(flag: &bool) -> bool {
    *flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes `&bool`")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// One of a client's secrets.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Secret {
    /// The id, for people.
    #[serde(default, deserialize_with = "for_people", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The hash of the secret.
    pub hash: Hash,
    /// The time at which the secret was created, in seconds since the epoch, for people.
    #[serde(default, deserialize_with = "for_people", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<u64>,
    /// The time at which the secret expires, in seconds since the epoch. Absent means never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// Reads an attribute that only people use. A value of another type counts as absent, and does not make the record
/// invalid.
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
    /// Generates a secret. Returns its text, which is shown once, and the record to store.
    ///
    /// # Errors
    /// [`HashError`], which cannot occur, because the form of a generated hash is valid.
    pub fn generate(now: u64) -> Result<(String, Self), HashError> {
        let secret = generate_client_secret();
        let hash = Hash::try_from(hash_client_secret(&secret))?;
        Ok((secret, Self::new(hash, now)))
    }

    /// Builds the record of a secret with this hash.
    pub fn new(hash: Hash, now: u64) -> Self {
        Self { id: Some(short_id()), hash, created_at: Some(now), expires_at: None }
    }

    /// Returns the name of the secret for operators: the id, or the fingerprint of the hash if there is no id.
    pub fn name(&self) -> String {
        self.id.clone().unwrap_or_else(|| self.hash.fingerprint())
    }

    /// Returns true if the secret has not expired at `now`.
    pub fn is_active(&self, now: u64) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

impl AsRef<Hash> for Secret {
    fn as_ref(&self) -> &Hash {
        &self.hash
    }
}

impl Client {
    /// Builds an enabled client without permissions.
    pub fn new(client_id: String, now: u64) -> Self {
        Self {
            client_id,
            name: None,
            secrets: Vec::new(),
            jwks: Vec::new(),
            federated: Vec::new(),
            legacy_audience: false,
            tls_client_auth_subject_dn: None,
            tls_client_auth_san_dns: None,
            tls_client_auth_san_uri: None,
            tls_client_auth_issuer_dn: None,
            revoked_serials: RevokedSerials::default(),
            token_endpoint_auth_method: None,
            grant_types: BTreeSet::new(),
            scopes: AllowedScopes::default(),
            default_scopes: None,
            audience: None,
            resources: Resources::default(),
            system: None,
            access_token_ttl: None,
            refresh_token_ttl: None,
            allowed_origins: AllowedOrigins::default(),
            refresh_token_cookie: false,
            user_address: None,
            introspects: Audiences::default(),
            redirect_uris: RedirectUris::default(),
            post_logout_redirect_uris: RedirectUris::default(),
            first_party: false,
            require_pkce: true,
            dpop_bound_access_tokens: false,
            tls_client_certificate_bound_access_tokens: false,
            client_uri: None,
            policy_uri: None,
            tos_uri: None,
            enabled: true,
            created_at: Some(now),
            updated_at: Some(now),
        }
    }

    /// Returns the secrets that are active at `now`.
    pub fn active_secrets(&self, now: u64) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().filter(move |secret| secret.is_active(now))
    }

    /// Returns the secrets that authenticate the client at `now`: none if it has to use another method.
    pub fn accepted_secrets(&self, now: u64) -> impl Iterator<Item = &Secret> {
        self.active_secrets(now).filter(|_| self.token_endpoint_auth_method.is_none())
    }

    /// Returns true if the client may authenticate by an assertion: one of its keys, or a token of an issuer.
    pub fn may_use_assertions(&self) -> bool {
        matches!(self.token_endpoint_auth_method, None | Some(AuthMethod::PrivateKeyJwt))
    }

    /// Returns true if the client authenticates by its certificate. Then no other credential counts.
    pub fn uses_certificate(&self) -> bool {
        self.token_endpoint_auth_method == Some(AuthMethod::TlsClientAuth)
    }

    /// Adds a secret and removes the expired ones. The other active secret expires at `others_expire_at` at the latest.
    /// Returns false, and changes nothing, if the client already has [`MAX_ACTIVE_SECRETS`] active secrets.
    pub fn take_secret(&mut self, secret: Secret, now: u64, others_expire_at: u64) -> bool {
        if self.active_secrets(now).count() >= MAX_ACTIVE_SECRETS {
            return false;
        }
        self.secrets.retain(|secret| secret.is_active(now));
        for other in &mut self.secrets {
            other.expires_at = Some(other.expires_at.map_or(others_expire_at, |at| at.min(others_expire_at)));
        }
        self.secrets.push(secret);
        true
    }

    /// Returns the audience of a token for which no resource was requested.
    pub fn own_audience<'a>(&'a self, issuer: &'a str) -> &'a str {
        self.audience.as_deref().unwrap_or(issuer)
    }

    /// Adds a key and removes the expired ones. Returns false, and changes nothing, if the client already has
    /// [`MAX_CLIENT_KEYS`] active keys.
    pub fn take_key(&mut self, key: ClientKey, now: u64) -> bool {
        if self.jwks.iter().filter(|key| key.is_active(now)).count() >= MAX_CLIENT_KEYS {
            return false;
        }
        self.jwks.retain(|key| key.is_active(now));
        self.jwks.push(key);
        true
    }

    /// Returns true if the client has an active credential.
    pub fn has_credential(&self, now: u64) -> bool {
        let has_key = self.jwks.iter().any(|key| key.is_active(now));
        let has_assertion = self.may_use_assertions() && (has_key || !self.federated.is_empty());
        self.uses_certificate() || has_assertion || self.accepted_secrets(now).next().is_some()
    }

    /// Returns the scope of a token for this client: the requested one, or the default scopes. The client must be
    /// allowed to have all of it.
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
