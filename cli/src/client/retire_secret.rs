//! `countersign client retire-secret`.

use clap::Args;
use countersign::clock::Clock;

use super::{confirm_last_credential, read, write};
use crate::deployment::Deployment;
use crate::error::Error;

#[derive(Args)]
pub struct Options {
    /// The id of the client
    client_id: String,
    /// The id of the secret, from `client show`
    secret_id: String,
    /// Do not prompt for confirmation, even if the client has no other credential
    #[arg(long)]
    yes: bool,
}

pub async fn run(deployment: &Deployment, json: bool, options: &Options) -> Result<(), Error> {
    let Options { client_id, secret_id, yes } = options;
    let now = Clock::System.now();
    let mut stored = read(deployment, client_id).await?;
    let before = stored.record.secrets.len();
    stored.record.secrets.retain(|secret| secret.name() != *secret_id);
    if stored.record.secrets.len() == before {
        // The id is not quoted, because it may be a secret.
        return Err(Error::new(format!("{client_id} has no secret with this id; see `countersign client show`")));
    }
    deployment.announce().await?;
    confirm_last_credential(&stored.record, now, *yes)?;
    stored.record.updated_at = Some(now);
    write(deployment, json, stored).await
}
