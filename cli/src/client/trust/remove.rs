//! `countersign client trust remove`.

use clap::Args;
use countersign::clock::Clock;

use super::{read, reminder, write};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::output;

#[derive(Args)]
pub struct Options {
    /// The id of the client
    client_id: String,
    /// The id of the entry, from `client trust list`
    entry: String,
}

pub async fn run(deployment: &Deployment, json: bool, Options { client_id, entry }: &Options) -> Result<(), Error> {
    let mut stored = read(deployment, client_id).await?;
    let before = stored.record.federated.len();
    stored.record.federated.retain(|trust| trust.name() != entry);
    if stored.record.federated.len() == before {
        return Err(Error::new(format!(
            "{client_id} has no trust entry {entry:?}; see `countersign client trust list {client_id}`"
        )));
    }
    deployment.announce().await?;
    stored.record.updated_at = Some(Clock::System.now());
    let reminder = reminder(&stored.record);
    write(deployment, json, stored).await?;
    if let Some(reminder) = reminder {
        output::remark(&reminder);
    }
    Ok(())
}
