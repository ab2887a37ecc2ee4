//! Logins with a password: the one place that checks a password, for the password grant and for the login page.
//!
//! 1. The records of the user and of the throttle are read, unless this process remembers the account as blocked.
//! 2. The throttle allows a guess.
//! 3. One password hash runs, also if there is no such user, so that the response time does not reveal the cause.
//! 4. The guess is counted, and concurrently the caller's work is done if the password is right. The result of the work is
//!    returned only if the guess was counted.
//! 5. A hash of an old scheme is replaced.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use crate::app::App;
use crate::error::Error;
use crate::keys::{KeyError, KeySet};
use crate::params::{Grammar, Param};
use crate::password_hash::{Hash, Verified};
use crate::risk::demands;
use crate::store::StoreError;
use crate::throttle::{self, Attempts, Network, Subject};
use crate::user::{User, Username};

/// `username` (RFC 6749 section 4.3.2)
pub const USERNAME: Param = Param::new("username", 1024, Grammar::TrimmedLine);
/// `password` (RFC 6749 section 4.3.2)
pub const PASSWORD: Param = Param::new("password", 4096, Grammar::Line);

const DESCRIPTION: &str = "The username or the password is wrong.";

/// A username and a password as they were received, and the records of the user. Has no `Debug`, because it contains a
/// password.
pub struct Candidate {
    password: String,
    username: Option<Username>,
    /// The subject of the throttle.
    subject: Subject,
    /// `None` if the records must not be read before the request is judged: this process remembers the account as blocked
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

impl Candidate {
    /// Reads the records of the user that a username names.
    pub async fn read(app: &App, received: &str, password: String) -> Self {
        let began = Instant::now();
        // A username that is not valid is treated like one that does not exist.
        let username = Username::parse(received);
        let subject = Subject::account(username.as_ref().map_or(received, Username::as_str));
        let records = if app.throttle.remembers(&subject, app.clock.now()) {
            None
        } else {
            Some(Records::read(app, username.as_ref(), &subject).await)
        };
        Self { password, username, subject, records, began }
    }
}

/// The current keys, or the error of their load.
pub type Keys = Result<Arc<KeySet>, KeyError>;

/// Checks the password of a candidate at this network, `None` if the address is not known. If the password is right, does
/// `work` concurrently with the count of the guess, and returns its result.
///
/// # Errors
/// `invalid_grant`, one error for every cause; `temporarily_unavailable`, 429; server errors; the error of `work`.
pub async fn log_in<T, W: Future<Output = Result<T, Error>>>(
    app: &App,
    candidate: Candidate,
    network: Option<Network>,
    work: impl FnOnce(Arc<User>, Keys) -> W,
) -> Result<T, Error> {
    let Candidate { password, username, subject, records, began } = candidate;
    throttle::recall(app, &subject, network)?;
    let records = match records {
        Some(records) => records,
        None => Records::read(app, username.as_ref(), &subject).await,
    };
    let attempt = throttle::begin(app, subject, network, records.attempts)?;
    let user = records.user?;
    let keys = app.keyring.current().await;
    if let (Ok(keys), Some(user)) = (&keys, &user) {
        tracing::Span::current().record("user", keys.log_id(&user.username));
    }

    // The password of a disabled user is not compared, so that the caller does not learn if it is correct.
    let hash = user.as_ref().filter(|user| user.enabled).and_then(|user| user.password_hash.clone());
    let guess = app.hasher.verify_password(attempt, hash.as_ref(), &password).await?;
    let (user, hash) = match (user, hash) {
        (Some(user), Some(hash)) => (Arc::new(user), hash),
        (user, _) => {
            guess.settle(async |_| ()).await?;
            return Err(wrong(user.as_ref()));
        }
    };
    let settled = guess
        .settle(|verified| {
            let done = work(user.clone(), keys);
            async { (done.await, verified) }
        })
        .await?;
    let ((done, verified), risk) = settled.ok_or_else(|| wrong(Some(&user)))?;
    let None = demands(&user, risk);
    let done = done?;
    // The login does not depend on the upgrade. If the upgrade lasted until the deadline of the request, the stored login
    // would be lost, so the upgrade ends earlier.
    let limits = app.config.limits;
    let upgrade_ends = (Instant::now() + limits.upgrade).min(began + limits.request.saturating_sub(limits.upgrade));
    let _ = timeout_at(upgrade_ends, upgrade_hash(app, &user.username, &hash, &verified)).await;
    Ok(done)
}

/// Returns the error of a username or a password that no account can have. It costs no guess.
pub fn no_such_account() -> Error {
    Error::invalid_grant(DESCRIPTION, "a username or a password that no account can have")
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

/// Replaces a hash of an old scheme. The login does not depend on it: the next login tries again.
async fn upgrade_hash(app: &App, username: &Username, old: &Hash, verified: &Verified) {
    let Some(new) = app.hasher.upgrade(old, verified).await else {
        return;
    };
    let upgraded = match new {
        Ok(new) => app.store.upgrade_password_hash(username, old, &new).await.map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match upgraded {
        Ok(true) => {
            tracing::Span::current().record("upgraded", old.scheme());
        }
        // Another process changed the hash first.
        Ok(false) => {}
        Err(reason) => tracing::warn!(reason, "the password hash was not upgraded; the next login tries again"),
    }
}
