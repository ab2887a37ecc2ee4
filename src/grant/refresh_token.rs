//! The refresh token grant (RFC 6749 section 6): an application continues to act for a user.
//!
//! 1. The client is authenticated and may use the grant (section 6); the caller checked both.
//! 2. The refresh token is present (section 6): in the body, or in the cookie of a client that has one.
//! 3. A requested scope and a requested resource are ones that the client may have (section 3.3, RFC 8707 section 2.2).
//! 4. We made the token, for this client, and it is the active token of its family (RFC 9700 section 4.14.2) or a retry
//!    within the grace. A replay ends the family. The refresh token of a public client works with the key of the login only
//!    (RFC 9449 section 5).
//! 5. The family is valid: the user exists, is enabled and was not logged out since. If not, the family ends.
//! 6. A requested scope is within the granted one (section 6). Without a requested scope, the token gets the granted
//!    one, except the scopes that the client and the user have lost since. If no scope is left, the family ends. A
//!    requested resource is that of the login, if the login named one.
//! 7. The access token is signed. Then one conditional update makes the successor the active refresh token. It is the
//!    only write and comes last, so a request that is rejected or fails consumes nothing.

use std::time::Duration;

use tokio::time::timeout;

use super::issue::{Access, Issued, next_generation};
use super::records::{LoginRecords, StoredLogin};
use super::resource::RESOURCE;
use super::{Caller, SCOPE};
use crate::app::App;
use crate::client::GrantType;
use crate::confirmation::Confirmation;
use crate::error::Error;
use crate::params::{Grammar, Param, Params};
use crate::refresh_token::{
    CLOCK_IS_BEHIND, FOREIGN, Family, LostRotation, NextGeneration, Presented, RefreshToken, Standing,
};
use crate::session::sid;
use crate::store::{ConsentKey, Rotation};
use crate::token::{IdToken, Login};

/// `refresh_token` (RFC 6749 section 6). A malformed one is rejected later, like one that we did not make.
const REFRESH_TOKEN: Param = Param::new("refresh_token", 1024, Grammar::Text);

/// The parameters of the grant.
pub const PARAMS: &[Param] = &[REFRESH_TOKEN, SCOPE, RESOURCE];

/// The limit of the time that the write of a use may add to a response.
const USE_TIMEOUT: Duration = Duration::from_millis(300);

/// A refresh token that we made with its login, or nothing.
type Found = Result<Option<(RefreshToken, StoredLogin)>, Error>;

/// The values of the grant's parameters, and the login that the refresh token names.
pub struct Request {
    scope: Option<String>,
    resources: Vec<String>,
    /// The refresh token of the body, if there is one. A server error counts only after the client's errors.
    found: Option<Found>,
    /// The time at which the request was received, in seconds since the epoch.
    received_at: u64,
}

impl Request {
    /// Takes the parameters of the grant and reads the login. A token that we did not make is rejected without a read.
    pub async fn read(app: &App, params: &mut Params) -> Self {
        let received_at = app.clock.now();
        let (scope, resources) = (params.take(SCOPE), params.take_all(RESOURCE));
        let found = match params.take(REFRESH_TOKEN) {
            Some(token) => Some(find(app, &token, received_at).await),
            None => None,
        };
        Self { scope, resources, found, received_at }
    }
}

/// Step 2. The cookie is read after the client is authenticated, so its login costs one more round trip.
async fn presented(app: &App, (found, at): (Option<Found>, u64), caller: &Caller) -> Result<Found, Error> {
    match (found, &caller.cookie) {
        (Some(found), _) if !caller.client.refresh_token_cookie => Ok(found),
        (Some(_), _) => Err(Error::invalid_request("The refresh token of this client is in its cookie.")),
        (None, Some(token)) => Ok(find(app, token, at).await),
        (None, None) if caller.client.refresh_token_cookie => Err(reject("no cookie")),
        (None, None) => Err(REFRESH_TOKEN.missing()),
    }
}

async fn find(app: &App, token: &str, at: u64) -> Found {
    let keys = app.keyring.current().await?;
    Ok(match RefreshToken::read(&keys.refresh_token_keys, token) {
        Some(token) => StoredLogin::read(&app.store, token.family, at).await?.map(|login| (token, login)),
        None => None,
    })
}

/// Issues a new access token for the user, and the successor of the refresh token.
///
/// # Errors
/// `invalid_request`, `invalid_grant`, `invalid_scope`, `invalid_target`; server errors.
pub async fn issue(app: &App, request: Request, caller: &Caller) -> Result<Issued, Error> {
    let client = &caller.client;
    // A client that tries again within the grace must not lose the login because our read was slow.
    let Request { scope, resources, found, received_at: now } = request;
    let found = presented(app, (found, now), caller).await?;
    let requested = scope.as_deref().map(|scope| client.scope(Some(scope)));
    let requested = requested.transpose().map_err(|error| Error::invalid_scope(error, "the client"))?;
    let resource = caller.resource(app, &resources)?;
    let (used, StoredLogin { family, records }) =
        found?.ok_or(reject("a refresh token that we did not make, or whose family does not exist"))?;
    let span = tracing::Span::current();
    span.record("session", used.family.log_id());
    let keys = app.keyring.current().await?;
    span.record("user", keys.log_id(&family.username));

    check_key(&family, caller)?;
    let presented = Presented { generation: used.generation, client_id: &client.client_id, at: now };
    let is_active = is_active(app, used, &family, presented).await?;
    let records = records?;
    if family.authorization.is_some() && !client.may_use(GrantType::AuthorizationCode) {
        // An operator may permit codes again, so the login does not end.
        return Err(reject("the client may not use codes any more"));
    }
    let user = match family.valid_user(records.with(Some(client)), now) {
        Ok(user) => user,
        Err(reason) => return Err(end_family(app, used, reason).await),
    };
    let Ok(granted) = family.scope_left(&family.scopes, client, user) else {
        return Err(end_family(app, used, "client and user have lost all scopes of the login").await);
    };
    let scope = match requested {
        Some(scope) => scope.within(&granted).map_err(|error| Error::invalid_scope(error, "the login"))?,
        None => granted,
    };
    let resource = caller.resource_of_login(app, &family, resource)?;

    // A retry does not extend the family, which exists as long as its access tokens are valid.
    let ends_at = family.last_end(records.consent()).min(if is_active { u64::MAX } else { family.expires_at });
    let login = Login { user, at: family.auth_time, family: used.family, ends_at };
    let access = Access { login: Some(login), resource: resource.as_deref(), scope: &scope, issued_at: now };
    let token = caller.access_token(app, access);
    let mut issued = Issued::new(&token, caller.version, &keys.current)?;
    if let Some(authorization) = &family.authorization {
        let sid = sid(&authorization.session, &client.client_id);
        issued = issued.with_id_token(&IdToken { access: &token, login, nonce: None, sid }, &keys.current)?;
    }
    let expires_at = if is_active {
        let next = next_generation(app, &token, &family);
        let (rotated, ()) = tokio::join!(rotate(app, used, &next), use_consent(app, &family, &records));
        rotated?;
        next.expires_at
    } else {
        family.expires_at
    };
    Ok(issued.with_refresh_token(&token, (used.successor(), expires_at), &keys.refresh_token_keys))
}

/// Step 4. The key of a login is compared before anything that can end the login, so that a caller without the key changes
/// nothing (S-1022). The key of a login that belongs to another client is not compared.
fn check_key(family: &Family, caller: &Caller) -> Result<(), Error> {
    let is_bound = caller.client.is_public() && family.client_id == caller.client.client_id;
    match (&family.cnf, &caller.cnf) {
        (Some(Confirmation::Jkt(_)), None) if is_bound => Err(Error::no_dpop_proof()),
        (Some(Confirmation::X5t(_)), None) if is_bound => {
            Err(Error::no_certificate("the refresh token is bound to a certificate"))
        }
        (Some(bound), Some(key)) if is_bound && bound != key => {
            Err(reject("the refresh token is bound to another key"))
        }
        _ => Ok(()),
    }
}

/// Step 4. Returns true if the refresh token is the active one, and false for a retry.
async fn is_active(app: &App, used: RefreshToken, family: &Family, presented: Presented<'_>) -> Result<bool, Error> {
    let span = tracing::Span::current();
    match family.standing(presented, app.config.lifetimes.refresh_grace) {
        Standing::Active => Ok(true),
        Standing::Retried => Ok(false),
        Standing::Replayed => {
            span.record("risk", "replay");
            Err(end_family(app, used, "a used refresh token was presented again").await)
        }
        Standing::RolledBack => Err(end_family(app, used, "the refresh token is ahead of its family").await),
        Standing::Undecided => Err(Error::temporarily_unavailable(CLOCK_IS_BEHIND)),
        Standing::Foreign => {
            span.record("risk", "foreign_token");
            Err(reject(FOREIGN))
        }
        Standing::Invalid(reason) => Err(reject(reason)),
    }
}

/// Writes that the client used its access, once a day, for the user's list of clients. The refresh does not depend on it.
async fn use_consent(app: &App, family: &Family, records: &LoginRecords) {
    let Some(consent) = records.consent() else { return };
    let Some(used_on) = consent.use_to_write(app.clock.now()) else { return };
    let key = ConsentKey { user_id: &family.user_id, client_id: &family.client_id };
    match timeout(USE_TIMEOUT, app.store.use_consent(key, consent, used_on)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(reason = %error, "the use of a consent was not written; the next use tries again");
        }
        Err(_) => tracing::warn!("the use of a consent was not written in time; the next use tries again"),
    }
}

/// Step 7. If another request used the token since the family was read, the state that it left decides.
async fn rotate(app: &App, used: RefreshToken, next: &NextGeneration<'_>) -> Result<(), Error> {
    let found = match app.store.rotate_refresh_token(used, next).await? {
        Rotation::Rotated => return Ok(()),
        Rotation::Lost(found) => found.ok_or(reject("the family does not exist any more"))?,
    };
    match found.after_lost_rotation(used.generation, next, app.config.lifetimes.refresh_grace) {
        LostRotation::SuccessorIsActive => Ok(()),
        LostRotation::Rejected(reason) => Err(reject(reason)),
        LostRotation::Undecided(reason) => Err(Error::temporarily_unavailable(reason)),
    }
}

/// Ends the family and returns the error for the client: `invalid_grant`, or a server error if the write failed.
async fn end_family(app: &App, used: RefreshToken, reason: &'static str) -> Error {
    match app.store.revoke_refresh_family(used.family).await {
        Ok(()) => reject(reason),
        Err(error) => error.into(),
    }
}

/// Returns `invalid_grant` with one description for every cause (S-403).
fn reject(reason: &'static str) -> Error {
    Error::invalid_grant("The refresh token is invalid, expired, used or not yours.", reason)
}
