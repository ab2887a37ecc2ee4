//! `countersign client key`: manages the public keys of a client.

use clap::Subcommand;
use countersign::client::{Client, ClientKey, MAX_CLIENT_KEYS};

use crate::deployment::Deployment;
use crate::error::Error;

mod add;
mod file;
mod generate;
mod list;
mod retire;

#[derive(Subcommand)]
pub enum Command {
    /// Add a public key to a client
    #[command(after_help = "Examples:
  countersign client key add report public.pem
  openssl pkey -in private.pem -pubout | countersign client key add report -
  countersign client key add report jwks.json --alg PS256")]
    Add(add::Options),
    /// Generate a key, write the private half to a new file, and add the public half to a client
    #[command(after_help = "Example:
  countersign client key generate report --out report.pem")]
    Generate(generate::Options),
    /// List the keys of a client
    List {
        /// The id of the client
        client_id: String,
    },
    /// Retire a key of a client, immediately or later
    #[command(after_help = "Example:
  countersign client key retire report \\
    NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs --expires-in 24h")]
    Retire(retire::Options),
}

pub async fn run(deployment: &Deployment, json: bool, command: Command) -> Result<(), Error> {
    match command {
        Command::Add(options) => add::run(deployment, json, &options).await,
        Command::Generate(options) => generate::run(deployment, json, &options).await,
        Command::List { client_id } => list::run(deployment, json, &client_id).await,
        Command::Retire(options) => retire::run(deployment, json, &options).await,
    }
}

/// Adds a key to the record of a client. Writes nothing.
fn add_to(client: &mut Client, key: ClientKey, now: u64) -> Result<(), Error> {
    let client_id = client.client_id.clone();
    if let Some(same) = client.jwks.iter().find(|other| other.kid == key.kid) {
        let kid = &same.kid;
        return Err(Error::new(format!("{client_id} already has a key {kid:?}; retire it first, or give --kid")));
    }
    if !client.take_key(key, now) {
        return Err(Error::new(format!(
            "{client_id} has {MAX_CLIENT_KEYS} active keys; retire one with `countersign client key retire`"
        )));
    }
    Ok(())
}
