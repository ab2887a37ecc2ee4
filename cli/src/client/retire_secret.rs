//! `countersign client retire-secret`.

use clap::Args;
use countersign::client::Client;

use super::{change, print, question_of_last_credential, read};
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
    let retire = |client: &mut Client, now| {
        let before = client.secrets.len();
        client.secrets.retain(|secret| secret.name() != *secret_id);
        if client.secrets.len() == before {
            // The id is not quoted, because it may be a secret.
            return Err(Error::new(format!("{client_id} has no secret with this id; see `countersign client show`")));
        }
        Ok(question_of_last_credential(client, now, *yes))
    };
    print(json, &change(deployment, read(deployment, client_id).await?, retire).await?)
}
