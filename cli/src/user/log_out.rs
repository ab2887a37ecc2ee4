//! `countersign user log-out`: ends all logins of one user, or of all users.

use std::sync::Arc;

use countersign::store::{Store, StoreError, Stored};
use countersign::user::User;
use serde_json::json;
use tokio::task::JoinSet;

use super::{print, read};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::retry::with_retries;
use crate::{Outcome, input, output};

/// The number of concurrent writes.
const CONCURRENT_WRITES: usize = 64;

/// Adds `step` to the session generation of a user, and prints the user.
pub async fn one(deployment: &Deployment, json: bool, username: &str, step: u64) -> Result<(), Error> {
    let mut user = read(deployment, username).await?.record;
    if !deployment.store.end_sessions(user.username.as_str(), step).await? {
        return Err(Error::new(format!("user {username} was deleted simultaneously")));
    }
    user.end_sessions(step);
    print(json, &user)
}

/// Adds `step` to the session generation of every user. An interrupted run can be repeated: a number that is added twice
/// ends the same logins.
pub async fn all(deployment: Deployment, json: bool, step: u64, yes: bool) -> Result<Outcome, Error> {
    input::confirm(yes, "End all logins of all users? All users have to log in again.")?;
    let mut usernames = Vec::new();
    let visit = |username, _: Result<Stored<User>, StoreError>| {
        usernames.push(username);
        Ok::<_, Error>(())
    };
    deployment.store.scan(visit).await?;
    let (store, count) = (Arc::new(deployment.store), usernames.len());
    let (mut writes, mut failed) = (JoinSet::new(), Vec::new());
    for username in usernames {
        if writes.len() >= CONCURRENT_WRITES {
            failed.extend(next(&mut writes).await?);
        }
        writes.spawn(end_sessions(store.clone(), username, step));
    }
    while !writes.is_empty() {
        failed.extend(next(&mut writes).await?);
    }
    failed.sort();
    let value = json!({"users": count, "logged_out": count - failed.len(), "failed": failed});
    output::result(json, &value, || format!("logged out {} of {count} users", count - failed.len()))?;
    if failed.is_empty() {
        return Ok(Outcome::Done);
    }
    let names = failed.join(", ");
    output::remark(&format!("not logged out: {names}; check with `countersign doctor` if the records are malformed"));
    Ok(Outcome::NeedsAttention)
}

/// Ends the sessions of one user. Returns the username if DynamoDB rejected the update, which only happens if the stored
/// number is malformed.
async fn end_sessions(store: Arc<Store>, username: String, step: u64) -> Result<Option<String>, StoreError> {
    match with_retries(StoreError::is_transient, || store.end_sessions(&username, step)).await {
        Err(StoreError::Rejected { cause }) if cause.contains("ValidationException") => Ok(Some(username)),
        result => result.map(|_| None),
    }
}

/// Waits for a write. Returns the username if it failed for this user only.
async fn next(writes: &mut JoinSet<Result<Option<String>, StoreError>>) -> Result<Option<String>, Error> {
    match writes.join_next().await {
        None => Ok(None),
        Some(Ok(written)) => Ok(written?),
        Some(Err(error)) => Err(Error::new(error.to_string())),
    }
}
