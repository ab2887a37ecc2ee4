//! `countersign token`: gets and inspects access tokens. Uses AWS only to find the URL of the API.

use clap::Subcommand;
use serde::de::DeserializeOwned;

use crate::deployment::Target;
use crate::error::Error;
use crate::{Outcome, api};

mod get;
mod inspect;

#[derive(Subcommand)]
pub enum Command {
    /// Get a token for a service. The client secret is read from a prompt or from stdin
    #[command(after_help = "Examples:
  countersign token get --client-id billing-cron --scope billing:read
  curl -H \"Authorization: Bearer $(countersign token get --client-id billing-cron < secret.txt)\" URL
  pass show billing-cron | countersign --json token get --client-id billing-cron --token-version 1")]
    Get(get::Options),
    /// Inspect an access token, and list all problems. The token is read from a prompt or from stdin
    #[command(after_help = "Examples:
  countersign token inspect < token.txt
  countersign token get --client-id billing-cron < secret.txt | countersign token inspect
  countersign token inspect --issuer https://login.example.com

The audience is not checked, because only the resource server knows which audience it requires.

Exit codes: 0 the token is valid; 3 it is not valid; 1 the check failed.")]
    Inspect {
        /// The expected issuer, if it is not the deployment's
        #[arg(long, value_name = "URL")]
        issuer: Option<String>,
    },
}

pub async fn run(target: &Target, json: bool, command: Command) -> Result<Outcome, Error> {
    match command {
        Command::Get(options) => get::run(target, json, options).await,
        Command::Inspect { issuer } => inspect::run(target, json, issuer).await,
    }
}

/// Fetches a JSON document of the API.
async fn fetch<T: DeserializeOwned>(url: &str) -> Result<T, Error> {
    let response = api::send("GET", url, &[], String::new()).await.map_err(|cause| no_response(url, &cause))?;
    match serde_json::from_str(&response.text) {
        Ok(document) if response.status == 200 => Ok(document),
        _ => {
            Err(Error::new(format!("{url} returned {} and not the document of the API; check --url", response.status)))
        }
    }
}

fn no_response(url: &str, cause: &str) -> Error {
    Error::new(format!("{url} did not respond: {cause}; check --url"))
}
