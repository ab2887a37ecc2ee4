//! The refresh token grant (RFC 6749 section 6): an application goes on acting for a user.
//!
//! 1. The client is authenticated and may use the grant (section 6); our caller has seen to both.
//! 2. The refresh token is there (section 6).
//! 3. A scope that is asked for is one that the client may have (section 3.3).
//! 4. The token is one that we made, for this client, and its family's state makes it the live one (RFC 9700 section
//!    4.14.2). A replay ends the family, whoever it was; a retry of moments ago is given its answer again.
//! 5. The scope is within what was granted (section 6). Without one it is that, less what the client lost since.
//! 6. The successor becomes the live one, in one conditional update, beside a fresh look at the user: before the update
//!    if a scope was asked for, for a scope that the user lost is refused, and what is refused consumes nothing.
//! 7. A user who is gone, disabled, logged out everywhere or without any of the scopes ends the family.

use super::{Issued, access_token, invalid_scope, refresh_token_expires_at};
use crate::app::App;
use crate::client::Client;
use crate::error::Error;
use crate::params::{Name, Params};
use crate::random::random_id;
use crate::refresh::{Family, Reference, Standing};
use crate::store::{Rotation, StoreError};
use crate::token::TokenVersion;
use crate::user::{User, Username};

/// Seconds for which a used token may be used again when the user could not be read: outages last longer than the grace.
const RETRY_AFTER_FAULT: u64 = 60 * 60;
const NO_SCOPE_LEFT: &str = "none of the scopes is left to client and user";

/// The grant's own parameters, and the family that the refresh token points to.
pub struct Request {
    scope: Option<String>,
    /// Our own fault is told after the client's.
    found: Result<Option<(Reference, Family)>, Error>,
}

impl Request {
    /// Takes the parameters of the grant and reads the family. A token that we did not make is not looked up.
    ///
    /// # Errors
    /// `invalid_request` if the refresh token is missing.
    pub async fn read(app: &App, params: &mut Params) -> Result<Self, Error> {
        let scope = params.take(Name::Scope);
        let token = params.take(Name::RefreshToken).ok_or(Error::InvalidRequest("The refresh_token is missing."))?;
        Ok(Self { scope, found: find(app, &token).await })
    }
}

async fn find(app: &App, token: &str) -> Result<Option<(Reference, Family)>, Error> {
    let keys = app.keyring.current().await?;
    Ok(match Reference::read(&keys.references, token) {
        Some(reference) => app.store.refresh_family(reference.family).await?.map(|family| (reference, family)),
        None => None,
    })
}

/// Issues a user a new access token and the successor of the refresh token.
///
/// # Errors
/// `invalid_grant`, `invalid_scope`; our own faults.
pub async fn issue(app: &App, client: &Client, request: Request, version: TokenVersion) -> Result<Issued, Error> {
    let requested = request.scope.as_deref().map(|scope| client.scope(Some(scope)));
    let requested = requested.transpose().map_err(invalid_scope)?;
    let (used, family) =
        request.found?.ok_or(refuse("a refresh token that we did not make, or whose family is gone"))?;
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
    let (user, scope) = if asked_for {
        let user = still_valid(app, used, &family, app.store.user(&username).await?).await?;
        let scope = user.scope(scope, true).map_err(invalid_scope)?;
        rotation.await?;
        (user, scope)
    } else {
        let (rotated, user) = tokio::join!(rotation, app.store.user(&username));
        rotated?;
        let user = match user {
            Ok(user) => still_valid(app, used, &family, user).await?,
            Err(error) => return Err(tolerate_retries(app, used, error).await),
        };
        match user.scope(scope, false) {
            Ok(scope) => (user, scope),
            Err(_) => return Err(end_family(app, used, NO_SCOPE_LEFT).await),
        }
    };

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
        retry_until: None,
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

/// Step 7. Yields the user, or ends the family.
async fn still_valid(app: &App, used: Reference, family: &Family, user: Option<User>) -> Result<User, Error> {
    let reason = match user {
        None => "the user is gone",
        Some(user) if user.user_id != family.user_id => "the username belongs to another user now",
        Some(user) if !user.enabled => "disabled user",
        Some(user) if user.sessions_valid_from.is_some_and(|valid_from| valid_from > family.auth_time) => {
            "the user was logged out everywhere"
        }
        Some(user) if user.scope(family.scopes.clone(), false).is_err() => NO_SCOPE_LEFT,
        Some(user) => return Ok(user),
    };
    Err(end_family(app, used, reason).await)
}

/// The token is used, and its holder gets no answer for it: lets it be used again for a while, and yields our fault.
async fn tolerate_retries(app: &App, used: Reference, fault: StoreError) -> Error {
    let until = app.clock.now().saturating_add(RETRY_AFTER_FAULT);
    if let Err(error) = app.store.tolerate_retries(used, until).await {
        tracing::warn!(reason = %error, "a refresh that had no answer can be tried again within the grace alone");
    }
    fault.into()
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
