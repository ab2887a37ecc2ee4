//! `countersign user consent`.

use clap::Subcommand;
use countersign::store::ConsentKey;
use serde_json::json;

use super::read;
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{input, output};

#[derive(Subcommand)]
pub enum Command {
    /// Remove a consent: ends all logins of the user at this client that began at the login pages
    #[command(after_help = "Example:
  countersign user consent remove john.smith@example.com shop

Issued access tokens stay valid until they expire at verifiers that only check signatures. A client that is
not your own application (`--first-party`) has to get a new consent from the user.")]
    Remove {
        /// The username
        username: String,
        /// The id of the client
        client_id: String,
        /// Do not prompt for confirmation
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(deployment: &Deployment, json: bool, command: Command) -> Result<(), Error> {
    let Command::Remove { username, client_id, yes } = command;
    let user = read(deployment, &username).await?.record;
    let owner = deployment.store.owner(&user.user_id).await?;
    let username = user.username.as_str();
    let Some(consent) = owner.consent(&client_id) else {
        return Err(Error::new(format!(
            "user {username} has no consent for the client {client_id}; see `countersign user show {username}`"
        )));
    };
    deployment.announce().await?;
    input::confirm(yes, &format!("Remove the consent of {username} for {client_id}? It ends the client's logins."))?;
    let key = ConsentKey { user_id: &user.user_id, client_id: &client_id };
    if !deployment.store.remove_consent(key, consent).await? {
        return Err(Error::new("the consent was removed or granted again simultaneously; check it, and try again"));
    }
    output::result(json, &json!({"username": username, "removed": client_id}), || {
        format!("removed the consent of user {username} for client {client_id}")
    })
}
