//! Grants (RFC 6749 section 4): the dispatch of token requests, and the successful response.

use std::num::NonZeroU32;

use serde::Serialize;

use crate::app::App;
use crate::client::{Client, GrantType};
use crate::error::Error;
use crate::keys::{KeyError, MAX_ACCESS_TOKEN_TTL, SigningKey};
use crate::params::{Name, Params};
use crate::scope::ScopeError;
use crate::token::{AccessToken, TokenVersion};

pub mod client_credentials;
pub mod password;
pub mod refresh_token;

/// Takes the grant type from the parameters of a request.
///
/// # Errors
/// `invalid_request` if it is missing, `unsupported_grant_type` if it is unknown.
pub fn take_grant_type(params: &mut Params) -> Result<GrantType, Error> {
    let name = params.take(Name::GrantType).ok_or(Error::InvalidRequest("The grant_type is missing."))?;
    GrantType::parse(&name).ok_or(Error::UnsupportedGrantType)
}

/// The authenticated client, and the token version that its request accepts.
pub struct Caller {
    /// The client.
    pub client: Client,
    /// The version of the access token.
    pub version: TokenVersion,
}

/// Runs a grant. Reads the user or the refresh token family, if the grant needs one, while the client is authenticated,
/// to save a round trip. The record is used only if `authenticated` succeeds: the client may use the grant.
///
/// # Errors
/// The errors of the client's authentication first, then those of the grant.
pub async fn run(
    app: &App,
    grant_type: GrantType,
    mut params: Params,
    authenticated: impl Future<Output = Result<Caller, Error>>,
) -> Result<Issued, Error> {
    let params = &mut params;
    match grant_type {
        GrantType::ClientCredentials => {
            client_credentials::issue(app, client_credentials::Request::parse(params), &authenticated.await?).await
        }
        GrantType::Password => {
            let (caller, request) = both(authenticated, password::Request::read(app, params)).await?;
            password::issue(app, request, &caller).await
        }
        GrantType::RefreshToken => {
            let (caller, request) = both(authenticated, refresh_token::Request::read(app, params)).await?;
            refresh_token::issue(app, request, &caller).await
        }
    }
}

/// Waits for both, concurrently. An error of the client's authentication takes precedence over an error of the request.
async fn both<R>(
    authenticated: impl Future<Output = Result<Caller, Error>>,
    request: impl Future<Output = Result<R, Error>>,
) -> Result<(Caller, R), Error> {
    let (caller, request) = tokio::join!(authenticated, request);
    Ok((caller?, request?))
}

/// A successful response (RFC 6749 section 5.1). The members are in the order in which they are sent.
#[derive(Serialize)]
pub struct Issued {
    token_type: &'static str,
    expires_in: u32,
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

impl Issued {
    /// Signs the token and builds the response. A response with a token of version 1 does not contain `scope`.
    fn new(token: &AccessToken<'_>, version: TokenVersion, key: &SigningKey) -> Result<Self, KeyError> {
        Ok(Self {
            token_type: "Bearer",
            expires_in: token.expires_in,
            access_token: token.sign(version, key)?,
            refresh_token: None,
            scope: (version == TokenVersion::V2).then(|| token.scope.to_string()),
        })
    }

    fn with_refresh_token(self, refresh_token: String) -> Self {
        Self { refresh_token: Some(refresh_token), ..self }
    }
}

/// Returns the lifetime of an access token in seconds: the client's setting, or else the deployment's; at most 7 days.
fn access_token_ttl(client: &Client, default: u32) -> u32 {
    client.access_token_ttl.map_or(default, NonZeroU32::get).min(MAX_ACCESS_TOKEN_TTL)
}

/// Returns when a family expires if it issues this access token now and is not refreshed again. It does not expire
/// before the token, or after the end of the login.
fn family_expires_at(app: &App, token: &AccessToken<'_>, absolute_expires_at: u64) -> u64 {
    let idle_ttl = token.client.refresh_token_ttl.map_or(app.config.lifetimes.refresh_token_idle, NonZeroU32::get);
    let may_refresh = token.client.grant_types.contains(&GrantType::RefreshToken);
    let lasts = if may_refresh { idle_ttl.max(token.expires_in) } else { token.expires_in };
    token.issued_at.saturating_add(u64::from(lasts)).min(absolute_expires_at)
}

fn invalid_scope(error: ScopeError) -> Error {
    Error::InvalidScope(error.description())
}
