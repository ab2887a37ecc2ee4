//! `countersign user delete`.

use countersign::user::User;
use serde_json::json;

use super::read;
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{input, output};

pub async fn run(deployment: &Deployment, json: bool, username: &str, yes: bool) -> Result<(), Error> {
    // A malformed record can be deleted, too.
    let username = match read(deployment, username).await {
        Ok(stored) => stored.record.username.as_str().to_owned(),
        Err(_) if deployment.store.stored::<User>(username).await.is_err() => username.to_owned(),
        Err(error) => return Err(error),
    };
    deployment.announce().await?;
    input::confirm(yes, &format!("Delete the user {username}? Do not use the user_id for another user."))?;
    deployment.store.delete::<User>(&username).await?;
    output::result(json, &json!({"deleted": username}), || format!("deleted user {username}"))
}
