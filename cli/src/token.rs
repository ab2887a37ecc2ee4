//! `countersign token`: gets, inspects and revokes tokens.

use clap::Subcommand;
use countersign::refresh_token::Family;
use countersign::token::presented::PresentedToken;
use serde::de::DeserializeOwned;

use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::{Outcome, api};

mod get;
mod inspect;
mod revoke;
mod state;

#[derive(Subcommand)]
pub enum Command {
    /// Get a token for a service, or log in a user. The secrets are read from prompts or from stdin
    #[command(after_help = "Examples:
  countersign token get --client-id billing-cron \\
    --scope billing:read < secret.txt
  TOKEN=$(countersign token get --client-id billing-cron < secret.txt)
  pass show billing-cron | countersign --json token get --client-id billing-cron
  countersign --json token get --client-id shop \\
    --username john.smith@example.com

With --username, the command logs in a user like an application with the password grant, to try it
out. It reads the client secret and then the password, each in one line. With --json, the output has
the refresh token, too. `token revoke` ends the login.")]
    Get(get::Options),
    /// Inspect an access token, and list all problems. The token is read from a prompt or from stdin
    #[command(after_help = "Examples:
  countersign token inspect < token.txt
  countersign token get --client-id billing-cron < secret.txt \\
    | countersign token inspect
  countersign token inspect --issuer https://login.example.com
  countersign token inspect --live < token.txt

The audience is not checked, because only the resource server knows which audience it requires.

Exit codes: 0 the token is valid; 3 it is not valid; 1 the check failed.")]
    Inspect {
        /// The expected issuer, if it is not the deployment's
        #[arg(long, value_name = "URL")]
        issuer: Option<String>,
        /// Also show the state of the token: its login, user and client. Accepts refresh tokens, too
        #[arg(long, conflicts_with = "issuer")]
        live: bool,
    },
    /// Revoke a token of any client, like the revocation endpoint. The token is read from a prompt or from stdin
    #[command(after_help = "Example:
  countersign token revoke < token.txt

A refresh token or an access token of a user ends the login with all its tokens. An access token of a
service ends itself. Verifiers that only check signatures accept issued access tokens until they expire.

Exit codes: 0 ended; 3 there was nothing to end; 1 failed.")]
    Revoke,
}

pub async fn run(target: &Target, json: bool, command: Command) -> Result<Outcome, Error> {
    match command {
        Command::Get(options) => get::run(target, json, options).await,
        Command::Inspect { live: true, .. } => state::run(target, json).await,
        Command::Inspect { issuer, .. } => inspect::run(target, json, issuer).await,
        Command::Revoke => revoke::run(target, json).await,
    }
}

/// Reads the family of the login that a token belongs to.
async fn family_of(deployment: &Deployment, token: &PresentedToken) -> Result<Option<Family>, Error> {
    match token.family() {
        Some(family) => Ok(deployment.store.refresh_family(family).await?),
        None => Ok(None),
    }
}

/// Removes the scheme from the value of an `Authorization` header, which is accepted as a token, too.
pub fn bare(text: &str) -> &str {
    let text = text.trim();
    ["Bearer ", "DPoP "].into_iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text)
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
