//! The resource owner password credentials grant (RFC 6749 section 4.3): a first-party application acts for a user.
//!
//! 1. The client is authenticated and may use the grant (section 4.3.2); the caller checked both.
//! 2. Username and password are present (section 4.3.2).
//! 3. The scope is one that the client may have (section 3.3).
//! 4. The resource is one that the client may have (RFC 8707 section 2.2).
//! 5. The throttle allows a guess. The password is correct, and the user may log in. Every cause of failure costs the
//!    same hash and the same count, and gets the same response.
//! 6. The scope is one that the user may have.
//! 7. The access token is signed. Then the family of the login is stored while the guess is counted, also for a client
//!    that gets no refresh token: the `jti` of its access tokens names the family. No token is returned if the guess was
//!    not counted. Then a hash of an old scheme is replaced.

use std::sync::Arc;

use super::issue::{Access, Issued, family_expires_at, new_family};
use super::resource::RESOURCE;
use super::{Caller, SCOPE};
use crate::app::App;
use crate::error::Error;
use crate::login::{Candidate, Keys, PASSWORD, USERNAME, log_in};
use crate::params::{Param, Params};
use crate::refresh_token::{Family, FamilyId, RefreshToken};
use crate::scope::Scope;
use crate::token::Login;
use crate::user::User;

/// The parameters of the grant.
pub const PARAMS: &[Param] = &[USERNAME, PASSWORD, SCOPE, RESOURCE];

/// The values of the grant's parameters, and the records of the user.
pub struct Request {
    scope: Option<String>,
    resources: Vec<String>,
    candidate: Candidate,
}

impl Request {
    /// Takes the parameters of the grant and reads the records of the user.
    ///
    /// # Errors
    /// `invalid_request` if a parameter is missing.
    pub async fn read(app: &App, params: &mut Params) -> Result<Self, Error> {
        let (scope, resources) = (params.take(SCOPE), params.take_all(RESOURCE));
        let username = params.require(USERNAME)?;
        let password = params.require(PASSWORD)?;
        Ok(Self { scope, resources, candidate: Candidate::read(app, &username, password).await })
    }
}

/// Issues an access token for a user, and a refresh token if the client may use refresh tokens.
///
/// # Errors
/// `invalid_request`, `invalid_scope`, `invalid_target`, `invalid_grant`; `temporarily_unavailable`, 429; server errors.
pub async fn issue(app: &App, request: Request, caller: &Caller) -> Result<Issued, Error> {
    let Request { scope: requested, resources, candidate } = request;
    let network = caller.user_network()?;
    let scope = caller.client.scope(requested.as_deref()).map_err(|error| Error::invalid_scope(error, "the client"))?;
    let resource = caller.resource(app, &resources)?;
    let requested = Requested { scope, is_explicit: requested.is_some(), resource };
    log_in(app, candidate, network, |user, keys| begin_login(app, (caller, keys), user, requested)).await
}

/// The access that the client requests, as far as the client may have it.
struct Requested {
    scope: Scope,
    /// False if the scope is the client's default.
    is_explicit: bool,
    resource: Option<String>,
}

/// Steps 6 and 7: signs the access token and stores the family, while the guess is counted.
async fn begin_login(
    app: &App,
    (caller, keys): (&Caller, Keys),
    user: Arc<User>,
    requested: Requested,
) -> Result<Issued, Error> {
    let Requested { scope, is_explicit, resource } = requested;
    let scope = user.scope(scope, is_explicit).map_err(|error| Error::invalid_scope(error, "the user"))?;
    let (keys, now) = (keys?, app.clock.now());
    let ends_at = now.saturating_add(app.config.lifetimes.refresh_token_max.into());
    let login = Login { user: &user, at: now, family: FamilyId::generate(), ends_at };
    tracing::Span::current().record("session", login.family.log_id());
    let access = Access { login: Some(login), resource: resource.as_deref(), scope: &scope, issued_at: now };
    let token = caller.access_token(app, access);
    let issued = Issued::new(&token, caller.version, &keys.current)?;
    let family = Family {
        version: caller.version.number(),
        expires_at: family_expires_at(app, &token, ends_at),
        resource: resource.clone(),
        cnf: caller.key_of_refresh_tokens(),
        ..new_family(&caller.client.client_id, login, scope.clone(), now)
    };
    app.store.begin_refresh_family(login.family, &family).await?;
    let refresh_token = RefreshToken { family: login.family, generation: 0 };
    Ok(issued.with_refresh_token(&token, (refresh_token, family.expires_at), &keys.refresh_token_keys))
}
