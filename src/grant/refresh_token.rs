//! The refresh token grant (RFC 6749 section 6): an application goes on acting for a user.
//!
//! 1. The client is authenticated and may use the grant (section 6); our caller has seen to both.
//! 2. The refresh token is there (section 6).
//! 3. It is one that we made, for this client, and its family's state makes it the live one (RFC 9700 section 4.14.2).
//!    A replay ends the family, whoever it was; a retry of moments ago is given its answer again.
//! 4. The scope is within what was granted (section 6), and the client may still have it.
//! 5. The successor becomes the live one, in one conditional update, beside a fresh look at the user.
//! 6. A user who is disabled, gone or logged out everywhere ends the family.

use std::num::NonZeroU32;

use super::Issued;
use crate::app::App;
use crate::client::Client;
use crate::error::Error;
use crate::params::{Name, Params};
use crate::refresh::{Family, Reference, Standing};
use crate::scope::{Scope, ScopeError};
use crate::secret::random_id;
use crate::store::Rotation;
use crate::token::{AccessToken, TokenVersion};
use crate::user::{User, Username};

/// The grant's own parameters, and the family that the refresh token points to.
pub struct Request {
    scope: Option<String>,
    found: Option<(Reference, Family)>,
}

impl Request {
    /// Takes the parameters of the grant and reads the family. A token that we did not make is not looked up.
    ///
    /// # Errors
    /// `invalid_request` if the refresh token is missing; our own faults.
    pub async fn read(app: &App, params: &mut Params) -> Result<Self, Error> {
        let scope = params.take(Name::Scope);
        let token = params.take(Name::RefreshToken).ok_or(Error::InvalidRequest("The refresh_token is missing."))?;
        let keys = app.keyring.current().await?;
        let found = match Reference::read(&keys.references, &token) {
            Some(reference) => app.store.refresh_family(reference.family).await?.map(|family| (reference, family)),
            None => None,
        };
        Ok(Self { scope, found })
    }
}

/// Issues a user a new access token and the successor of the refresh token.
///
/// # Errors
/// `invalid_grant`, `invalid_scope`; our own faults.
pub async fn issue(app: &App, client: &Client, request: Request, version: TokenVersion) -> Result<Issued, Error> {
    let requested = request.scope.as_deref().map(Scope::parse).transpose().map_err(invalid_scope)?;
    let (used, family) =
        request.found.ok_or(refuse("a refresh token that we did not make, or whose family is gone"))?;
    let username = Username::parse(&family.username).ok_or(refuse("a username that no account can have"))?;
    tracing::Span::current().record("user", username.log_id());

    let now = app.clock.now();
    let standing = family.standing(used.generation, &client.client_id, now, app.config.refresh_grace);
    let rotate = match standing {
        Standing::Live => true,
        Standing::Retried => false,
        Standing::Replayed => return end_family(app, used, "a used refresh token came again").await,
        Standing::Dead(reason) => return Err(refuse(reason)),
    };
    let scope = match requested {
        Some(scope) => scope.within(&family.scopes).and_then(|scope| scope.allowed_by(&client.scopes)),
        None => family.scopes.clone().narrowed_to(&client.scopes),
    }
    .map_err(invalid_scope)?;

    let next = Family {
        generation: used.successor().generation,
        rotated_at: now,
        rotated_by: random_id(),
        expires_at: expires_at(app, client, now, family.absolute_expires_at),
        ..family
    };
    let rotation =
        async { if rotate { app.store.rotate_refresh_token(used, &next).await } else { Ok(Rotation::Rotated) } };
    let (rotation, user) = tokio::join!(rotation, app.store.user(&username));
    if let Rotation::Lost(found) = rotation? {
        // Another use was quicker: what it made of the family decides.
        let standing =
            found.map(|found| found.standing(used.generation, &client.client_id, now, app.config.refresh_grace));
        match standing {
            Some(Standing::Retried) => {}
            Some(Standing::Replayed) => return end_family(app, used, "a used refresh token came again").await,
            Some(Standing::Dead(reason)) => return Err(refuse(reason)),
            Some(Standing::Live) | None => return Err(refuse("the refresh family is gone")),
        }
    }
    let user = match still_valid(user?, &next) {
        Ok(user) => user,
        Err(reason) => return end_family(app, used, reason).await,
    };
    let scope = match &user.scopes {
        Some(allowed) => scope.narrowed_to(allowed).map_err(invalid_scope)?,
        None => scope,
    };

    let keys = app.keyring.current().await?;
    let token = AccessToken {
        issuer: &app.config.issuer,
        client,
        user: Some((&user, next.auth_time)),
        scope: &scope,
        issued_at: app.clock.now(),
        expires_in: client.access_token_ttl.map_or(app.config.user_token_ttl, NonZeroU32::get),
    };
    let access_token = token.sign(version, &keys.current)?;
    let refresh_token = used.successor().mint(&keys.references);
    Ok(Issued::new(version, access_token, &token).with_refresh_token(Some(refresh_token)))
}

/// When a generation made at `now` dies unused; never after its family.
pub(super) fn expires_at(app: &App, client: &Client, now: u64, absolute_expires_at: u64) -> u64 {
    let idle = client.refresh_token_ttl.map_or(app.config.refresh_token_idle_ttl, NonZeroU32::get);
    now.saturating_add(u64::from(idle)).min(absolute_expires_at)
}

/// Step 6.
fn still_valid(user: Option<User>, family: &Family) -> Result<User, &'static str> {
    match user {
        None => Err("the user is gone"),
        Some(user) if user.user_id != family.user_id => Err("the username belongs to another user now"),
        Some(user) if !user.enabled => Err("disabled user"),
        Some(user) if user.sessions_valid_from.is_some_and(|valid_from| valid_from > family.auth_time) => {
            Err("the user was logged out everywhere")
        }
        Some(user) => Ok(user),
    }
}

async fn end_family(app: &App, used: Reference, reason: &'static str) -> Result<Issued, Error> {
    app.store.revoke_refresh_family(used.family).await?;
    Err(refuse(reason))
}

/// One sentence for every cause (S-403).
fn refuse(reason: &'static str) -> Error {
    Error::InvalidGrant { description: "The refresh token is invalid, expired, used or not yours.", reason }
}

fn invalid_scope(error: ScopeError) -> Error {
    Error::InvalidScope(error.description())
}
