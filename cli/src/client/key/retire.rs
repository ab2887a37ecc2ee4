//! `countersign client key retire`.

use clap::Args;
use countersign::client::Client;

use super::list;
use crate::client::{change, question_of_last_credential, read};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::input;

#[derive(Args)]
pub struct Options {
    /// The id of the client
    client_id: String,
    /// The id of the key, from `client key list`
    kid: String,
    /// The time until the key expires (seconds, or 30m, 24h, 7d); without it, the key is removed immediately
    #[arg(long, value_name = "DURATION", value_parser = input::duration)]
    expires_in: Option<u64>,
    /// Do not prompt for confirmation, even if the client has no other credential
    #[arg(long)]
    yes: bool,
}

pub async fn run(deployment: &Deployment, json: bool, options: &Options) -> Result<(), Error> {
    let Options { client_id, kid, expires_in, yes } = options;
    let retire = |client: &mut Client, now: u64| {
        let keys = &mut client.jwks;
        let Some(index) = keys.iter().position(|key| key.kid == *kid) else {
            return Err(Error::new(format!("{client_id} has no key with this id; see `countersign client key list`")));
        };
        if let Some((key, seconds)) = keys.get_mut(index).zip(*expires_in) {
            let expires_at = now.saturating_add(seconds);
            key.expires_at = Some(key.expires_at.map_or(expires_at, |at| at.min(expires_at)));
        } else {
            keys.remove(index);
        }
        Ok(question_of_last_credential(client, now, *yes))
    };
    list::print(json, &change(deployment, read(deployment, client_id).await?, retire).await?)
}
