//! The client credentials grant (RFC 6749 section 4.4): a service acts for itself.
//!
//! 1. The client is authenticated and may use the grant (section 4.4.2); the caller checked both.
//! 2. The scope is one that the client may have (section 3.3).
//! 3. The resource is one that the client may have (RFC 8707 section 2.2).
//! 4. The token's subject is the client itself (RFC 9068 section 2.2); there is no refresh token (section 4.4.3).

use super::issue::{Access, Issued};
use super::resource::RESOURCE;
use super::{Caller, SCOPE};
use crate::app::App;
use crate::error::Error;
use crate::params::{Param, Params};

/// The parameters of the grant.
pub const PARAMS: &[Param] = &[SCOPE, RESOURCE];

/// The values of the grant's parameters.
pub struct Request {
    scope: Option<String>,
    resources: Vec<String>,
}

impl Request {
    /// Takes the parameters of the grant.
    pub fn parse(params: &mut Params) -> Self {
        Self { scope: params.take(SCOPE), resources: params.take_all(RESOURCE) }
    }
}

/// Issues an access token to a service. Writes nothing.
///
/// # Errors
/// `invalid_scope`, `invalid_target`; server errors.
pub async fn issue(app: &App, request: Request, caller: &Caller) -> Result<Issued, Error> {
    let scope = caller.client.scope(request.scope.as_deref());
    let scope = scope.map_err(|error| Error::invalid_scope(error, "the client"))?;
    let resource = caller.resource(app, &request.resources)?;
    let access = Access { login: None, resource: resource.as_deref(), scope: &scope, issued_at: app.clock.now() };
    let token = caller.access_token(app, access);
    Issued::new(&token, caller.version, &app.keyring.current().await?.current)
}
