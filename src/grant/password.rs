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

use super::issue::{Issued, family_expires_at, user_token_ttl};
use super::resource::RESOURCE;
use super::{Caller, SCOPE};
use crate::app::App;
use crate::client::GrantType;
use crate::error::Error;
use crate::login::{Candidate, Keys, PASSWORD, USERNAME, log_in};
use crate::params::{Param, Params};
use crate::random::random_id;
use crate::refresh_token::{Family, FamilyId, RefreshToken};
use crate::scope::Scope;
use crate::token::{AccessToken, Login, TokenVersion};
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
    let access = Access { scope, is_scope_requested: requested.is_some(), resource };
    log_in(app, candidate, network, |user, keys| begin_login(app, (caller, keys), user, access)).await
}

/// The access that the client requests, as far as the client may have it.
struct Access {
    scope: Scope,
    /// False if the scope is the client's default.
    is_scope_requested: bool,
    resource: Option<String>,
}

/// Steps 6 and 7: signs the access token and stores the family, while the guess is counted.
async fn begin_login(
    app: &App,
    (caller, keys): (&Caller, Keys),
    user: Arc<User>,
    access: Access,
) -> Result<Issued, Error> {
    let Caller { client, version, cnf, .. } = caller;
    let Access { scope, is_scope_requested, resource } = access;
    let scope = user.scope(scope, is_scope_requested).map_err(|error| Error::invalid_scope(error, "the user"))?;
    let (keys, now) = (keys?, app.clock.now());
    let login = Login { user: &user, at: now, family: FamilyId::generate() };
    tracing::Span::current().record("session", login.family.log_id());
    let expires_in = user_token_ttl(app, client, app.config.lifetimes.refresh_token_max.into());
    let issuer = &app.config.issuer;
    let (resource, cnf) = (resource.as_deref(), cnf.as_ref());
    let token =
        AccessToken { issuer, client, login: Some(login), resource, scope: &scope, cnf, issued_at: now, expires_in };
    let issued = Issued::new(&token, *version, &keys.current)?;
    let family = Family { cnf: caller.key_of_refresh_tokens(), ..new_family(app, &token, &user, *version) };
    app.store.begin_refresh_family(login.family, &family).await?;
    if !client.may_use(GrantType::RefreshToken) {
        return Ok(issued);
    }
    let refresh_token = RefreshToken { family: login.family, generation: 0 };
    Ok(issued.with_refresh_token(refresh_token.mint(&keys.refresh_token_keys), family.expires_at.saturating_sub(now)))
}

/// Builds the family of a login that begins with this access token.
fn new_family(app: &App, token: &AccessToken<'_>, user: &User, version: TokenVersion) -> Family {
    let now = token.issued_at;
    let absolute_expires_at = now.saturating_add(u64::from(app.config.lifetimes.refresh_token_max));
    Family {
        client_id: token.client.client_id.clone(),
        username: user.username.clone(),
        user_id: user.user_id.clone(),
        session_generation: Some(user.session_generation),
        scopes: token.scope.clone(),
        version: version.number(),
        auth_time: now,
        generation: 0,
        rotated_at: now,
        rotated_by: random_id(),
        revoked: false,
        absolute_expires_at,
        expires_at: family_expires_at(app, token, absolute_expires_at),
        resource: token.resource.map(ToOwned::to_owned),
        cnf: None,
        authorization: None,
    }
}
