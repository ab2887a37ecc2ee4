//! The result of a grant: the successful response, and the lifetimes of what it issues.

use std::num::NonZeroU32;

use serde::Serialize;

use crate::app::App;
use crate::client::{Client, GrantType};
use crate::confirmation::token_type;
use crate::error::Error;
use crate::keys::{KeyError, MAX_ACCESS_TOKEN_TTL, SigningKey};
use crate::random::random_id;
use crate::refresh_token::Family;
use crate::scope::openid;
use crate::token::verify::MAX_BYTES;
use crate::token::{AccessToken, IdToken, TokenVersion};

/// A successful response (RFC 6749 section 5.1). The members are in the order in which they are sent.
#[derive(Serialize)]
pub struct Issued {
    token_type: &'static str,
    expires_in: u32,
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// The seconds after which the refresh token expires.
    #[serde(skip)]
    refresh_token_expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

impl Issued {
    /// Signs the token and builds the response. A response with a token of version 1 does not contain `scope`.
    ///
    /// # Errors
    /// `invalid_request` if the requested scope and resource are too long for a token; server errors.
    pub(super) fn new(token: &AccessToken<'_>, version: TokenVersion, key: &SigningKey) -> Result<Self, Error> {
        let access_token = token.sign(version, key)?;
        if access_token.len() > MAX_BYTES {
            return Err(too_long(token));
        }
        Ok(Self {
            token_type: token_type(token.cnf),
            expires_in: token.expires_in,
            access_token,
            refresh_token: None,
            refresh_token_expires_in: 0,
            scope: (version == TokenVersion::V2).then(|| token.scope.to_string()),
            id_token: None,
        })
    }

    /// Adds an ID token, if the scope of the response contains `openid`.
    pub(super) fn with_id_token(self, token: &IdToken<'_>, key: &SigningKey) -> Result<Self, KeyError> {
        if !token.access.scope.contains(openid::OPENID) {
            return Ok(self);
        }
        let id_token = Some(token.sign(&self.access_token, key)?);
        Ok(Self { id_token, ..self })
    }

    /// Adds a refresh token that expires after this number of seconds.
    pub(super) fn with_refresh_token(self, refresh_token: String, expires_in: u64) -> Self {
        Self { refresh_token: Some(refresh_token), refresh_token_expires_in: expires_in, ..self }
    }

    /// Removes the refresh token from the response. Returns it with the seconds after which it expires.
    pub fn take_refresh_token(&mut self) -> Option<(String, u64)> {
        self.refresh_token.take().map(|token| (token, self.refresh_token_expires_in))
    }
}

/// Returns the lifetime of an access token in seconds: the client's setting, or else the deployment's; at most 7 days.
pub(super) fn access_token_ttl(client: &Client, default: u32) -> u32 {
    client.access_token_ttl.map_or(default, NonZeroU32::get).min(MAX_ACCESS_TOKEN_TTL)
}

/// Returns the lifetime of a user's access token in seconds, if the login ends in `remaining` seconds.
pub(super) fn user_token_ttl(app: &App, client: &Client, remaining: u64) -> u32 {
    let ttl = access_token_ttl(client, app.config.lifetimes.user_token);
    ttl.min(u32::try_from(remaining).unwrap_or(u32::MAX))
}

/// Returns the state of a family after its active generation was used for this access token.
pub(super) fn next_generation(app: &App, token: &AccessToken<'_>, family: &Family) -> Family {
    Family {
        generation: family.generation.saturating_add(1),
        rotated_at: app.clock.now(),
        rotated_by: random_id(),
        expires_at: family_expires_at(app, token, family.absolute_expires_at),
        ..family.clone()
    }
}

/// Returns when a family expires if it issues this access token now and is not refreshed again. It does not expire
/// before the token, or after the end of the login.
pub(super) fn family_expires_at(app: &App, token: &AccessToken<'_>, absolute_expires_at: u64) -> u64 {
    let idle_ttl = token.client.refresh_token_ttl.map_or(app.config.lifetimes.refresh_token_idle, NonZeroU32::get);
    let may_refresh = token.client.may_use(GrantType::RefreshToken);
    let lasts = if may_refresh { idle_ttl.max(token.expires_in) } else { token.expires_in };
    token.issued_at.saturating_add(u64::from(lasts)).min(absolute_expires_at)
}

/// Returns the error for a token that its verifiers would reject because of its size (S-502): the client's if it requested
/// much, otherwise the operator's.
fn too_long(token: &AccessToken<'_>) -> Error {
    let requested = token.scope.to_string().len() + token.resource.map_or(0, str::len);
    if requested > MAX_BYTES / 4 {
        return Error::invalid_request("The scope and the resource are too long for a token.");
    }
    Error::server_error("a token of more than 8 KiB: the dealer of the user or the system of the client is too long")
}
