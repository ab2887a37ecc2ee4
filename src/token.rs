//! Access tokens: the claims of token versions 1 and 2, the signature, and its verification. ID tokens.

use std::fmt::Display;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};

use crate::client::Client;
use crate::confirmation::Confirmation;
use crate::keys::{HeaderType, KeyError, SigningKey};
use crate::random::random_id;
use crate::refresh_token::FamilyId;
use crate::scope::Scope;
use crate::user::User;

mod id_token;
pub mod presented;
pub mod verify;

pub use id_token::{ID_TOKEN_CLAIMS, IdToken};

/// The size in bytes that most tokens do not exceed.
const USUAL_BYTES: usize = 1_024;

/// The version of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenVersion {
    /// Version 1, deprecated: with the claims `dealer` and `system`.
    V1,
    /// Version 2: RFC 9068.
    V2,
}

impl TokenVersion {
    /// Returns the number of the version.
    pub fn number(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    /// Returns the type of the header.
    fn header_type(self) -> HeaderType {
        match self {
            Self::V1 => HeaderType::Jwt,
            Self::V2 => HeaderType::AccessToken,
        }
    }

    fn of_type(name: &str) -> Option<Self> {
        [Self::V1, Self::V2].into_iter().find(|version| version.header_type().name() == name)
    }
}

/// The login of a user that an access token belongs to.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// The user.
    pub user: &'a User,
    /// The time at which the password was verified, in seconds since the epoch.
    pub at: u64,
    /// The family of the login.
    pub family: FamilyId,
    /// The end of the login, in seconds since the epoch. Its access tokens do not expire later.
    pub ends_at: u64,
}

/// The content of an access token. No registered claim is copied from the request.
pub struct AccessToken<'a> {
    /// The issuer URL.
    pub issuer: &'a str,
    /// The client that the token is issued to.
    pub client: &'a Client,
    /// The login that the token belongs to. `None` for a service.
    pub login: Option<Login<'a>>,
    /// The audience of the token, if a resource was requested (RFC 8707). `None` is the client's own audience.
    pub resource: Option<&'a str>,
    /// The scope of the token.
    pub scope: &'a Scope,
    /// The key that the token is bound to. Tokens of version 1 are not bound.
    pub cnf: Option<&'a Confirmation>,
    /// The time at which the token is issued, in seconds since the epoch.
    pub issued_at: u64,
    /// The lifetime of the token in seconds.
    pub expires_in: u32,
}

/// The claims of RFC 9068 section 2.2.
#[derive(Serialize)]
struct ClaimsV2<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    client_id: &'a str,
    #[serde(serialize_with = "as_text")]
    scope: &'a Scope,
    iat: u64,
    nbf: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<&'a Confirmation>,
}

#[derive(Serialize)]
struct ClaimsV1<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    scopes: &'a [String],
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dealer: Option<&'a serde_json::Map<String, serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a serde_json::Map<String, serde_json::Value>>,
}

impl AccessToken<'_> {
    /// Signs the token. Returns a JWT in compact serialization (RFC 7515 section 3.1).
    ///
    /// # Errors
    /// [`KeyError`] if signing fails.
    pub fn sign(&self, version: TokenVersion, key: &SigningKey) -> Result<String, KeyError> {
        let jti = self.token_id();
        let span = tracing::Span::current();
        span.record("kid", key.kid());
        span.record("jti", &jti);
        let header_type = version.header_type();
        match version {
            TokenVersion::V1 => sign(header_type, &self.claims_v1(&jti), key),
            TokenVersion::V2 => sign(header_type, &self.claims_v2(&jti), key),
        }
    }

    fn claims_v2<'a>(&'a self, jti: &'a str) -> ClaimsV2<'a> {
        ClaimsV2 {
            iss: self.issuer,
            aud: self.resource.unwrap_or_else(|| self.client.own_audience(self.issuer)),
            sub: self.subject(),
            client_id: &self.client.client_id,
            scope: self.scope,
            iat: self.issued_at,
            nbf: self.issued_at,
            exp: self.expires_at(),
            auth_time: self.login.map(|login| login.at),
            jti,
            cnf: self.cnf,
        }
    }

    fn claims_v1<'a>(&'a self, jti: &'a str) -> ClaimsV1<'a> {
        ClaimsV1 {
            iss: self.issuer,
            aud: &self.client.client_id,
            sub: self.subject(),
            scopes: self.scope.tokens(),
            iat: self.issued_at,
            nbf: self.issued_at,
            exp: self.expires_at(),
            jti,
            dealer: self.login.and_then(|login| login.user.dealer.as_ref()),
            system: self.client.system.as_ref(),
        }
    }

    fn subject(&self) -> &str {
        self.login.map_or(&self.client.client_id, |login| &login.user.user_id)
    }

    /// Returns a new `jti`. The `jti` of a user's token contains the id of the refresh token family, to find the login.
    fn token_id(&self) -> String {
        self.login.map_or_else(random_id, |login| login.family.token_id())
    }

    fn expires_at(&self) -> u64 {
        self.issued_at.saturating_add(u64::from(self.expires_in))
    }
}

/// Signs claims. Returns a JWT in compact serialization (RFC 7515 section 3.1).
fn sign(header_type: HeaderType, claims: &impl Serialize, key: &SigningKey) -> Result<String, KeyError> {
    let claims = serde_json::to_vec(claims).map_err(|_| KeyError::Signing)?;
    let mut token = String::with_capacity(USUAL_BYTES);
    token.push_str(key.header(header_type));
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

fn as_text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
