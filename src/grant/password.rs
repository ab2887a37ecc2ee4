//! The resource owner password credentials grant (RFC 6749 section 4.3): a first-party application acts for a user.
//!
//! 1. The client is authenticated and may use the grant (section 4.3.2); the caller checked both.
//! 2. Username and password are present (section 4.3.2).
//! 3. The scope is one that the client may have (section 3.3).
//! 4. The throttle allows a guess. The password is correct, and the user may log in. Every cause of failure costs the
//!    same hash and the same count, and gets the same response.
//! 5. The scope is one that the user may have.
//! 6. The access token is signed. Then the family of the login is stored while the guess is counted, also for a client
//!    that gets no refresh token: the `jti` of its access tokens names the family. No token is returned if the guess was
//!    not counted. Then a hash of an old scheme is replaced.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::issue::{Issued, family_expires_at, user_token_ttl};
use super::{Caller, SCOPE};
use crate::app::App;
use crate::client::GrantType;
use crate::error::Error;
use crate::keys::{KeyError, KeySet};
use crate::params::{Grammar, Param, Params};
use crate::password_hash::{Hash, Verified};
use crate::random::random_id;
use crate::refresh_token::{Family, FamilyId, RefreshToken};
use crate::risk::demands;
use crate::scope::Scope;
use crate::store::StoreError;
use crate::throttle::{self, Attempts, Subject};
use crate::token::{AccessToken, Login, TokenVersion};
use crate::user::{User, Username};

/// `username` (RFC 6749 section 4.3.2)
pub const USERNAME: Param = Param::new("username", 1024, Grammar::TrimmedLine);
/// `password` (RFC 6749 section 4.3.2)
pub const PASSWORD: Param = Param::new("password", 4096, Grammar::Line);

/// The parameters of the grant.
pub(super) const PARAMS: &[Param] = &[USERNAME, PASSWORD, SCOPE];

const DESCRIPTION: &str = "The username or the password is wrong.";
/// The limit of the time that the upgrade of a password hash may add to a response.
const UPGRADE_TIMEOUT: Duration = Duration::from_millis(300);
/// The time after the beginning of a request at which its upgrade is cancelled. Otherwise a request that waits for the
/// upgrade could exceed its deadline after the family is stored, and the login would be lost.
const LATEST_UPGRADE: Duration = Duration::from_millis(3_500);

/// The values of the grant's parameters, and the records of the user.
pub struct Request {
    scope: Option<String>,
    password: String,
    username: Option<Username>,
    /// The subject of the throttle.
    subject: Subject,
    /// `None` if the records must not be read before the client is proven: this process remembers the account as blocked
    /// for some network.
    records: Option<Records>,
    /// The time at which the request began.
    began: Instant,
}

/// The records of a user. A server error counts only after the client's errors.
struct Records {
    user: Result<Option<User>, StoreError>,
    attempts: Result<Attempts, StoreError>,
}

impl Records {
    async fn read(app: &App, username: Option<&Username>, subject: &Subject) -> Self {
        let user = async {
            match username {
                Some(username) => app.store.user(username).await,
                None => Ok(None),
            }
        };
        let (user, attempts) = tokio::join!(user, app.store.attempts(subject.item_id()));
        Self { user, attempts }
    }
}

impl Request {
    /// Takes the parameters of the grant and reads the records of the user.
    ///
    /// # Errors
    /// `invalid_request` if a parameter is missing.
    pub async fn read(app: &App, params: &mut Params) -> Result<Self, Error> {
        let began = Instant::now();
        let scope = params.take(SCOPE);
        let received = params.require(USERNAME)?;
        let password = params.require(PASSWORD)?;
        // A username that is not valid is treated like one that does not exist.
        let username = Username::parse(&received);
        let subject = Subject::account(username.as_ref().map_or(&received, Username::as_str));
        let records = if app.throttle.remembers(&subject, app.clock.now()) {
            None
        } else {
            Some(Records::read(app, username.as_ref(), &subject).await)
        };
        Ok(Self { scope, password, username, subject, records, began })
    }
}

/// Issues an access token for a user, and a refresh token if the client may use refresh tokens.
///
/// # Errors
/// `invalid_request`, `invalid_scope`, `invalid_grant`; `temporarily_unavailable`, 429; server errors.
pub async fn issue(app: &App, request: Request, caller: &Caller) -> Result<Issued, Error> {
    let Request { scope: requested, password, username, subject, records, began } = request;
    let network = caller.user_network()?;
    let scope = caller.client.scope(requested.as_deref()).map_err(Error::invalid_scope)?;
    throttle::recall(app, &subject, network)?;
    let records = match records {
        Some(records) => records,
        None => Records::read(app, username.as_ref(), &subject).await,
    };
    let attempt = throttle::begin(app, subject, network, records.attempts)?;
    let user = records.user?;
    let keys = app.keyring.current().await;
    if let (Ok(keys), Some(username), Some(_)) = (&keys, &username, &user) {
        tracing::Span::current().record("user", keys.log_id(username));
    }

    // Always runs a password hash, so that the response time does not reveal the cause. The password of a disabled user is
    // not compared, so that the caller does not learn if it is correct.
    let hash = user.as_ref().filter(|user| user.enabled).and_then(|user| user.password_hash.as_ref());
    let guess = app.hasher.verify_password(attempt, hash, &password).await?;
    let (Some(username), Some(user), Some(hash)) = (&username, &user, hash) else {
        guess.settle(async |_| ()).await?;
        return Err(wrong(user.as_ref()));
    };
    let proven = Proven { username, user, hash };
    let settled = guess
        .settle(|verified| {
            let issued = begin_login(app, (caller, keys), &proven, (scope, requested.is_some()));
            async { Ok::<_, Error>((issued.await?, verified)) }
        })
        .await?;
    let (issued, risk) = settled.ok_or_else(|| wrong(Some(user)))?;
    // Compiles as long as there is no `Demand`.
    let None = demands(user, risk);
    let (issued, verified) = issued?;
    let upgrade_ends = (Instant::now() + UPGRADE_TIMEOUT).min(began + LATEST_UPGRADE);
    // The login does not depend on the upgrade.
    let _ = timeout_at(upgrade_ends, upgrade_hash(app, &proven, &verified)).await;
    Ok(issued)
}

/// A user who may log in with a password.
struct Proven<'a> {
    username: &'a Username,
    user: &'a User,
    hash: &'a Hash,
}

/// Returns the error of a guess that was not right: one response for every cause.
fn wrong(user: Option<&User>) -> Error {
    let reason = match user {
        None => "unknown user",
        Some(user) if !user.enabled => "disabled user",
        Some(user) if user.password_hash.is_none() => "user without a password",
        Some(_) => "wrong password",
    };
    Error::invalid_grant(DESCRIPTION, reason)
}

/// Steps 5 and 6: signs the access token and stores the family, while the guess is counted.
async fn begin_login(
    app: &App,
    (caller, keys): (&Caller, Result<Arc<KeySet>, KeyError>),
    proven: &Proven<'_>,
    (scope, is_requested): (Scope, bool),
) -> Result<Issued, Error> {
    let Caller { client, version, .. } = caller;
    let scope = proven.user.scope(scope, is_requested).map_err(Error::invalid_scope)?;
    let (keys, now) = (keys?, app.clock.now());
    let login = Login { user: proven.user, at: now, family: FamilyId::generate() };
    tracing::Span::current().record("session", login.family.log_id());
    let expires_in = user_token_ttl(app, client, app.config.lifetimes.refresh_token_max.into());
    let issuer = &app.config.issuer;
    let token = AccessToken { issuer, client, login: Some(login), scope: &scope, issued_at: now, expires_in };
    let issued = Issued::new(&token, *version, &keys.current)?;
    let family = new_family(app, &token, proven, *version);
    app.store.begin_refresh_family(login.family, &family).await?;
    if !client.may_use(GrantType::RefreshToken) {
        return Ok(issued);
    }
    let refresh_token = RefreshToken { family: login.family, generation: 0 };
    Ok(issued.with_refresh_token(refresh_token.mint(&keys.refresh_token_keys), family.expires_at.saturating_sub(now)))
}

/// Builds the family of a login that begins with this access token.
fn new_family(app: &App, token: &AccessToken<'_>, proven: &Proven<'_>, version: TokenVersion) -> Family {
    let now = token.issued_at;
    let absolute_expires_at = now.saturating_add(u64::from(app.config.lifetimes.refresh_token_max));
    Family {
        client_id: token.client.client_id.clone(),
        username: proven.username.as_str().to_owned(),
        user_id: proven.user.user_id.clone(),
        session_generation: Some(proven.user.session_generation),
        scopes: token.scope.clone(),
        version: version.number(),
        auth_time: now,
        generation: 0,
        rotated_at: now,
        rotated_by: random_id(),
        revoked: false,
        absolute_expires_at,
        expires_at: family_expires_at(app, token, absolute_expires_at),
        authorization: None,
    }
}

/// Replaces a hash of an old scheme. The login does not depend on it: the next login tries again.
async fn upgrade_hash(app: &App, proven: &Proven<'_>, verified: &Verified) {
    let Some(new) = app.hasher.upgrade(proven.hash, verified).await else {
        return;
    };
    let upgraded = match new {
        Ok(new) => app.store.upgrade_password_hash(proven.username, proven.hash, &new).await.map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match upgraded {
        Ok(true) => {
            tracing::Span::current().record("upgraded", proven.hash.scheme());
        }
        // Another process changed the hash first.
        Ok(false) => {}
        Err(reason) => tracing::warn!(reason, "the password hash was not upgraded; the next login tries again"),
    }
}
