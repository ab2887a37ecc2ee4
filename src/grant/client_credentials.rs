//! The client credentials grant (RFC 6749 section 4.4): a service acts for itself.
//!
//! 1. The client is authenticated and may use the grant (section 4.4.2); our caller has seen to both.
//! 2. The scope is one that the client may have (section 3.3).
//! 3. The token's subject is the client itself (RFC 9068 section 2.2); there is no refresh token (section 4.4.3).

use std::num::NonZeroU32;

use super::Issued;
use crate::app::App;
use crate::client::Client;
use crate::error::Error;
use crate::params::{Name, Params};
use crate::token::{AccessToken, TokenVersion};

/// The grant's own parameters.
pub struct Request {
    scope: Option<String>,
}

impl Request {
    /// Takes the parameters of the grant.
    pub fn parse(params: &mut Params) -> Self {
        Self { scope: params.take(Name::Scope) }
    }
}

/// Issues a service its token. Writes nothing.
///
/// # Errors
/// `invalid_scope`; our own faults.
pub async fn issue(app: &App, client: &Client, request: Request, version: TokenVersion) -> Result<Issued, Error> {
    let scope = client.scope(request.scope.as_deref()).map_err(|error| Error::InvalidScope(error.description()))?;
    let token = AccessToken {
        issuer: &app.config.issuer,
        client,
        user: None,
        scope: &scope,
        issued_at: app.clock.now(),
        expires_in: client.access_token_ttl.map_or(app.config.service_token_ttl, NonZeroU32::get),
    };
    let access_token = token.sign(version, &app.keyring.current().await?.current)?;
    Ok(Issued::new(version, access_token, &token))
}
