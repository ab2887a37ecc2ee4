//! `countersign client key generate`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::Args;
use countersign::client::{Client, ClientKey, PublicJwk};
use countersign::jwt::Algorithm;
use countersign::keys::generate_client_key;
use serde_json::json;

use super::{add_to, list};
use crate::client::{change, read_confidential};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::output;

#[derive(Args)]
pub struct Options {
    /// The id of the client
    client_id: String,
    /// A new file for the private key (P-256, PKCS#8 as PEM), which only you can read
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub async fn run(deployment: &Deployment, json: bool, options: &Options) -> Result<(), Error> {
    let Options { client_id, out } = options;
    let stored = read_confidential(deployment, client_id, "keys").await?;
    let (private_key, key) = generate_client_key().map_err(|error| Error::new(error.to_string()))?;
    let jwk = PublicJwk::try_from(json!(key.jwk()).to_string()).map_err(Error::new)?;
    let path = out.display();
    let add = |client: &mut Client, now| {
        let key = ClientKey::new(key.kid().to_owned(), Algorithm::Es256, jwk.key(), now);
        add_to(client, key.map_err(Error::new)?, now)?;
        // The file stays if the write to the table fails, because that write may have succeeded.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(out)
            .map_err(|error| Error::new(format!("{path}: {error}; choose a new file")))?;
        file.write_all(private_key.as_bytes())?;
        Ok(None)
    };
    let client = change(deployment, stored, add).await?;
    output::remark(&format!("the private key is in {path}; it is not stored anywhere else"));
    list::print(json, &client)
}
