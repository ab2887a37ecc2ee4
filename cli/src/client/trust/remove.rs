//! `countersign client trust remove`.

use clap::Args;
use countersign::client::Client;

use super::{change, print, read, reminder};
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
    let remove = |client: &mut Client, _| {
        let before = client.federated.len();
        client.federated.retain(|trust| trust.name() != entry);
        if client.federated.len() == before {
            return Err(Error::new(format!(
                "{client_id} has no trust entry {entry:?}; see `countersign client trust list {client_id}`"
            )));
        }
        Ok(None)
    };
    let client = change(deployment, read(deployment, client_id).await?, remove).await?;
    print(json, &client)?;
    if let Some(reminder) = reminder(&client) {
        output::remark(&reminder);
    }
    Ok(())
}
