//! `countersign user unlock`.

use countersign::throttle::REMEMBERED_FOR;
use serde_json::json;

use super::{read, subject};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::output;

pub async fn run(deployment: &Deployment, json: bool, username: &str) -> Result<(), Error> {
    let user = read(deployment, username).await?.record;
    let username = user.username.as_str();
    deployment.announce().await?;
    let deleted = deployment.store.delete_attempts(subject(username)?.item_id()).await?;
    output::result(json, &json!({"unlocked": username, "deleted": deleted}), || {
        if deleted {
            format!("unlocked user {username}: deleted its failures and its known networks")
        } else {
            format!("user {username} has no failures")
        }
    })?;
    let remembered = output::duration(REMEMBERED_FOR);
    output::remark(&format!("a process that remembers a block rejects guesses for up to {remembered}"));
    Ok(())
}
