//! `countersign user set-password`.

use countersign::user::User;

use super::{change, password, read};
use crate::deployment::Deployment;
use crate::error::Error;

/// Sets the password that is read from a prompt or from stdin, and ends all logins.
pub async fn run(deployment: &Deployment, json: bool, username: &str, accept_weak: bool) -> Result<(), Error> {
    // Checked before the password is entered.
    read(deployment, username).await?;
    deployment.announce().await?;
    let hash = deployment.hasher()?.hash(&password::read_new(deployment, username, accept_weak).await?)?;
    let set = |user: &mut User| {
        user.password_hash = Some(hash.clone());
        user.end_sessions(1);
    };
    change(deployment, json, username, set).await
}
