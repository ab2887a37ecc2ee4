//! The refresh token grant (RFC 6749 section 6): an application goes on acting for a user.
//!
//! 1. The client is authenticated and may use the grant (section 6); our caller has seen to both.
//! 2. The refresh token is there (section 6).
//! 3. A scope that is asked for is one that the client may have (section 3.3).
//! 4. The token is one that we made, for this client, and its family's state makes it the live one (RFC 9700 section
//!    4.14.2). A replay ends the family, whoever it was; a retry of moments ago is given its answer again.
//! 5. The scope is within what was granted (section 6), less what client and user may not have any more.
//! 6. The successor becomes the live one, in one conditional update, beside a fresh look at the user.
//! 7. A user who is gone, disabled, logged out everywhere or without any of the scopes ends the family.

use super::{Issued, access_token, invalid_scope, refresh_token_expires_at};
use crate::app::App;
use crate::client::Client;
use crate::error::Error;
use crate::params::{Name, Params};
use crate::refresh::{Family, Reference, Standing};
use crate::secret::random_id;
use crate::store::{Rotation, StoreError};
use crate::token::TokenVersion;
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
    let requested = request.scope.as_deref().map(|scope| client.scope(Some(scope)));
    let requested = requested.transpose().map_err(invalid_scope)?;
    let (used, family) =
        request.found.ok_or(refuse("a refresh token that we did not make, or whose family is gone"))?;
    let username = Username::parse(&family.username).ok_or(refuse("a username that no account can have"))?;
    tracing::Span::current().record("user", username.log_id());
    let worth = judge(app, client, used, &family).await?;
    let asked_for = requested.is_some();
    let scope = match requested {
        Some(scope) => scope.within(&family.scopes),
        None => family.scopes.clone().narrowed_to(&client.scopes),
    }
    .map_err(invalid_scope)?;

    let rotation = async {
        match worth {
            Worth::Successor => rotate(app, client, used, &family).await,
            Worth::SuccessorAgain => Ok(()),
        }
    };
    let (rotated, user) = tokio::join!(rotation, app.store.user(&username));
    rotated?;
    let user = match still_valid(user?, &family) {
        Ok(user) => user,
        Err(reason) => return Err(end_family(app, used, reason).await),
    };
    let scope = user.scope(scope, asked_for).map_err(invalid_scope)?;

    let keys = app.keyring.current().await?;
    let token = access_token(app, client, Some((&user, family.auth_time)), &scope);
    let issued = Issued::new(&token, version, &keys.current)?;
    Ok(issued.with_refresh_token(Some(used.successor().mint(&keys.references))))
}

/// What a reference is worth that is worth anything.
enum Worth {
    /// Its successor, which is to be made the live one.
    Successor,
    /// Its successor, which is the live one already.
    SuccessorAgain,
}

/// Step 4: what the state of the family makes of the reference.
async fn judge(app: &App, client: &Client, used: Reference, family: &Family) -> Result<Worth, Error> {
    match family.standing(used.generation, &client.client_id, app.clock.now(), app.config.refresh_grace) {
        Standing::Live => Ok(Worth::Successor),
        Standing::Retried => Ok(Worth::SuccessorAgain),
        Standing::Replayed => Err(end_family(app, used, "a used refresh token came again").await),
        Standing::Undecided => Err(Error::TemporarilyUnavailable {
            retry_after: 5,
            cause: "the clock is behind the last use of the refresh family".to_owned(),
        }),
        Standing::Dead(reason) => Err(refuse(reason)),
    }
}

/// Step 6. If another use was quicker, what it made of the family decides.
async fn rotate(app: &App, client: &Client, used: Reference, family: &Family) -> Result<(), Error> {
    let now = app.clock.now();
    let next = Family {
        generation: used.successor().generation,
        rotated_at: now,
        rotated_by: random_id(),
        expires_at: refresh_token_expires_at(app, client, now, family.absolute_expires_at),
        ..family.clone()
    };
    let found = match app.store.rotate_refresh_token(used, &next).await? {
        Rotation::Rotated => return Ok(()),
        Rotation::Lost(found) => found.ok_or(refuse("the refresh family is gone"))?,
    };
    match judge(app, client, used, &found).await? {
        Worth::SuccessorAgain => Ok(()),
        Worth::Successor => Err(StoreError::Conflict { cause: "a rotation".to_owned() }.into()),
    }
}

/// Step 7.
fn still_valid(user: Option<User>, family: &Family) -> Result<User, &'static str> {
    let user = user.ok_or("the user is gone")?;
    if user.user_id != family.user_id {
        return Err("the username belongs to another user now");
    }
    if !user.enabled {
        return Err("disabled user");
    }
    if user.sessions_valid_from.is_some_and(|valid_from| valid_from > family.auth_time) {
        return Err("the user was logged out everywhere");
    }
    match user.scope(family.scopes.clone(), false) {
        Ok(_) => Ok(user),
        Err(_) => Err("the user has none of the scopes any more"),
    }
}

/// Ends the family, and yields the answer to that: a failure of ours if it did not succeed.
async fn end_family(app: &App, used: Reference, reason: &'static str) -> Error {
    match app.store.revoke_refresh_family(used.family).await {
        Ok(()) => refuse(reason),
        Err(error) => error.into(),
    }
}

/// One sentence for every cause (S-403).
fn refuse(reason: &'static str) -> Error {
    Error::InvalidGrant { description: "The refresh token is invalid, expired, used or not yours.", reason }
}
