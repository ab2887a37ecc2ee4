//! `countersign user set-claim`.

use clap::Args;
use countersign::user::{CLAIMS, ClaimForm};
use serde_json::Value;

use super::{print, read};
use crate::deployment::Deployment;
use crate::error::Error;

#[derive(Args)]
pub struct Options {
    /// The username
    username: String,
    /// A claim and its value (repeatable)
    #[arg(value_name = "NAME=VALUE", required_unless_present = "unset", value_parser = pair)]
    claims: Vec<(String, String)>,
    /// Remove a claim (repeatable)
    #[arg(long, value_name = "NAME")]
    unset: Vec<String>,
}

/// Parses a name and a value.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as email=john.smith@example.com")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub async fn run(deployment: &Deployment, json: bool, options: &Options) -> Result<(), Error> {
    let mut stored = read(deployment, &options.username).await?;
    let mut claims = stored.record.claims.clone();
    for (name, value) in &options.claims {
        claims.set(name, parse(name, value)).map_err(|error| Error::new(error.to_string()))?;
    }
    if let Some(absent) = options.unset.iter().find(|name| !claims.remove(name)) {
        let username = stored.record.username.as_str();
        return Err(Error::new(format!("{username} has no claim {absent:?}; see `countersign user show {username}`")));
    }
    deployment.announce().await?;
    stored.record.claims = claims;
    deployment.store.replace(&stored).await?;
    print(json, &stored.record)
}

/// Converts a value to the form of its claim. A value that does not have that form stays a string, which is rejected.
fn parse(name: &str, value: &str) -> Value {
    let form = CLAIMS.into_iter().find(|claim| claim.name == name).map(|claim| claim.form);
    let parsed = match form {
        Some(ClaimForm::Flag | ClaimForm::Time) => serde_json::from_str(value).ok(),
        Some(ClaimForm::Text) | None => None,
    };
    parsed.unwrap_or_else(|| value.into())
}
