//! `countersign client trust`: the workloads of other issuers that authenticate as a client.

use clap::Subcommand;
use countersign::client::{Client, Trust};
use countersign::client_auth::federation;
use countersign::clock::Clock;
use countersign::issuer_keys::Fetcher;
use countersign::jwt::{JwkSet, Jwt};

use super::{change, print, read, reminder};
use crate::Outcome;
use crate::deployment::Deployment;
use crate::error::Error;

mod add;
mod list;
mod remove;
mod test;

#[derive(Subcommand)]
pub enum Command {
    /// Trust the workload of an issuer: it authenticates as the client with its platform's tokens
    #[command(after_help = "Everything is compared exactly. See docs/machine-identity.md for each platform.

Examples:
  countersign client trust add report \\
    --issuer https://oidc.eks.eu-west-2.amazonaws.com/id/A1B2 \\
    --subject system:serviceaccount:jobs:report
  countersign client trust add report \\
    --issuer https://x.tokens.sts.global.api.aws \\
    --subject arn:aws:iam::123456789012:role/Report \\
    --claims '{\"https://sts.amazonaws.com/\":{\"org_id\":\"o-abc1234567\"}}'
  countersign client trust add report --from-token < token.jwt")]
    Add(Box<add::Options>),
    /// List the trust entries of a client
    List {
        /// The id of the client
        client_id: String,
    },
    /// Remove a trust entry: its workload is rejected from the next request on
    Remove(remove::Options),
    /// Check a token of stdin like the function does, and show the first check that fails
    #[command(after_help = "The token is never printed, and nothing is changed.

Example:
  aws sts get-web-identity-token --audience https://auth.example \\
    --signing-algorithm ES384 --query WebIdentityToken --output text \\
    | countersign client trust test report")]
    Test {
        /// The id of the client
        client_id: String,
    },
}

pub async fn run(deployment: &Deployment, json: bool, command: Command) -> Result<Outcome, Error> {
    match command {
        Command::Add(options) => add::run(deployment, json, *options).await?,
        Command::List { client_id } => list::run(json, &read(deployment, &client_id).await?.record)?,
        Command::Remove(options) => remove::run(deployment, json, &options).await?,
        Command::Test { client_id } => return test::run(deployment, json, &client_id).await,
    }
    Ok(Outcome::Done)
}

/// Checks a token like the function does. Returns the entry that counts, or the first check that fails.
async fn check<'a>(deployment: &Deployment, client: &'a Client, token: &str) -> Result<&'a Trust, String> {
    let issuer = &deployment.config.issuer;
    let jwt = Jwt::read(token)?;
    if !jwt.may_be(&federation::JWT_TYPES) {
        return Err("a JWT of another type".to_owned());
    }
    let candidate = federation::check(client, &jwt, issuer, Clock::System.now())?;
    let trust = candidate.trust;
    let is_signed = match &trust.jwks {
        Some(written) => candidate.is_signed_with(written.keys()),
        None => candidate.is_signed_with(&keys(issuer, trust).await?),
    };
    if is_signed { Ok(trust) } else { Err(federation::NOT_SIGNED.to_owned()) }
}

/// Rejects an issuer whose tokens would never be accepted.
pub fn check_issuer(own_issuer: &str, trust: &Trust) -> Result<(), Error> {
    let issuer = trust.issuer.as_str();
    if issuer == own_issuer {
        return Err(Error::new(
            "the issuer is this deployment, whose tokens prove no workload; trust the platform's issuer",
        ));
    }
    if trust.jwks.is_none() && !Fetcher::new(own_issuer).may_fetch(issuer) {
        let reason = "keys are fetched only by https from a host name";
        return Err(Error::new(format!(
            "{reason}, not from {issuer}; add the key set (--jwks FILE, or jwks in a file)"
        )));
    }
    Ok(())
}

async fn keys(issuer: &str, trust: &Trust) -> Result<JwkSet, String> {
    let trusted = trust.issuer.as_str();
    Fetcher::new(issuer)
        .keys(trusted)
        .await
        .map_err(|reason| format!("the keys of {trusted} are not available: {reason}"))
}
