//! The result of a grant: the successful response, and the lifetimes of what it issues.

use std::num::NonZeroU32;

use serde::Serialize;

use super::Caller;
use crate::app::App;
use crate::client::GrantType;
use crate::confirmation::token_type;
use crate::error::Error;
use crate::keys::{KeyError, MAX_ACCESS_TOKEN_TTL, SigningKey};
use crate::random::random_id;
use crate::refresh_token::{Family, NextGeneration, RefreshToken, RefreshTokenKeys};
use crate::scope::{Scope, openid};
use crate::token::verify::MAX_BYTES;
use crate::token::{AccessToken, IdToken, Login, TokenVersion};

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

    /// Adds the refresh token of the login and the time at which it expires, if the client may use refresh tokens.
    pub(super) fn with_refresh_token(
        self,
        access: &AccessToken<'_>,
        (refresh_token, expires_at): (RefreshToken, u64),
        keys: &RefreshTokenKeys,
    ) -> Self {
        if !access.client.may_use(GrantType::RefreshToken) {
            return self;
        }
        let refresh_token_expires_in = expires_at.saturating_sub(access.issued_at);
        Self { refresh_token: Some(refresh_token.mint(keys)), refresh_token_expires_in, ..self }
    }

    /// Removes the refresh token from the response. Returns it with the seconds after which it expires.
    pub fn take_refresh_token(&mut self) -> Option<(String, u64)> {
        self.refresh_token.take().map(|token| (token, self.refresh_token_expires_in))
    }
}

/// The part of an access token that its grant decides.
#[derive(Clone, Copy)]
pub(super) struct Access<'a> {
    /// The login of the user. `None` for a service.
    pub login: Option<Login<'a>>,
    /// The audience, if a resource was requested.
    pub resource: Option<&'a str>,
    /// The scope.
    pub scope: &'a Scope,
    /// The time at which the token is issued, in seconds since the epoch.
    pub issued_at: u64,
}

impl Caller {
    /// Builds an access token for the client. Its lifetime is the client's setting, or else the deployment's; at most 7 days.
    pub(super) fn access_token<'a>(&'a self, app: &'a App, access: Access<'a>) -> AccessToken<'a> {
        let Access { login, resource, scope, issued_at } = access;
        let (lifetimes, client) = (&app.config.lifetimes, &self.client);
        let default = if login.is_some() { lifetimes.user_token } else { lifetimes.service_token };
        let ttl = client.access_token_ttl.map_or(default, NonZeroU32::get).min(MAX_ACCESS_TOKEN_TTL);
        let remaining = login.map_or(u64::MAX, |login| login.ends_at.saturating_sub(issued_at));
        let expires_in = ttl.min(u32::try_from(remaining).unwrap_or(u32::MAX));
        let (issuer, cnf) = (&app.config.issuer, self.cnf.as_ref());
        AccessToken { issuer, client, login, resource, scope, cnf, issued_at, expires_in }
    }
}

/// Returns the family of a login that began at `now`, for tokens of version 2. It has no resource, key or authorization
/// request, and expires at the end of the login.
pub(super) fn new_family(client_id: &str, login: Login<'_>, scopes: Scope, now: u64) -> Family {
    Family {
        client_id: client_id.to_owned(),
        username: login.user.username.clone(),
        user_id: login.user.user_id.clone(),
        session_generation: Some(login.user.session_generation),
        scopes,
        version: TokenVersion::V2.number(),
        auth_time: login.at,
        generation: 0,
        rotated_at: now,
        rotated_by: random_id(),
        revoked: false,
        absolute_expires_at: login.ends_at,
        expires_at: login.ends_at,
        resource: None,
        cnf: None,
        authorization: None,
    }
}

/// Returns the generation that the use of a family's active one for this access token makes.
pub(super) fn next_generation<'a>(app: &App, token: &AccessToken<'a>, family: &Family) -> NextGeneration<'a> {
    NextGeneration {
        client_id: &token.client.client_id,
        rotated_at: app.clock.now(),
        rotated_by: random_id(),
        expires_at: family_expires_at(app, token, family.absolute_expires_at),
        cnf: None,
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
