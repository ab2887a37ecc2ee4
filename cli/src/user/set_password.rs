//! `countersign user set-password`.

use countersign::user::User;

use super::{change, new_password, read};
use crate::deployment::Deployment;
use crate::error::Error;

/// Sets the password that is read from a prompt or from stdin, and ends all logins.
pub async fn run(deployment: &Deployment, json: bool, username: &str) -> Result<(), Error> {
    // Checked before the password is entered.
    read(deployment, username).await?;
    deployment.announce().await?;
    let hash = deployment.hasher()?.hash(&new_password()?)?;
    let set = |user: &mut User| {
        user.password_hash = Some(hash.clone());
        user.end_sessions(1);
    };
    change(deployment, json, username, set).await
}
