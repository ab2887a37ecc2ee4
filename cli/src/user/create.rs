//! `countersign user create`.

use std::collections::BTreeSet;

use clap::Args;
use countersign::client::Client;
use countersign::random::random_id;
use countersign::scope::AllowedScopes;
use countersign::store::{Created, StoreError};
use countersign::user::{Claims, User};
use serde_json::{Map, Value};

use super::{owners, parse, password, print};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::input;

#[derive(Args)]
pub struct Options {
    /// The username, which is stored in its RFC 8265 form, in lower case
    username: String,
    /// The `sub` claim of the user's tokens; random by default
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// An allowed scope of the user's tokens (repeatable); by default all scopes of the client
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ' ', value_parser = input::scope("--scope"))]
    scopes: Vec<String>,
    /// The `dealer` claim of the user's tokens of version 1
    #[arg(long, value_name = "JSON", value_parser = input::object)]
    dealer: Option<Map<String, Value>>,
    /// Create the user without a password
    #[arg(long)]
    no_password: bool,
    /// Accept a password that is easy to guess
    #[arg(long)]
    accept_weak_password: bool,
}

pub async fn run(deployment: &Deployment, json: bool, options: Options) -> Result<(), Error> {
    let username = parse(&options.username)?;
    let scopes = allowed(options.scopes.into_iter().collect())?;
    if options.user_id.as_ref().is_some_and(|id| id.is_empty() || id.contains(char::is_control)) {
        return Err(Error::new("the user_id is empty or has control characters; choose another id"));
    }
    // Checked before the password is entered.
    if deployment.store.stored::<User>(username.as_str()).await?.is_some() {
        return Err(exists(username.as_str()));
    }
    if let Some(user_id) = &options.user_id {
        check_id(deployment, user_id).await?;
    }
    deployment.announce().await?;
    let password_hash = if options.no_password {
        None
    } else {
        let password = password::read_new(deployment, username.as_str(), options.accept_weak_password).await?;
        Some(deployment.hasher()?.hash(&password)?)
    };
    let user = User {
        username,
        user_id: options.user_id.unwrap_or_else(random_id),
        password_hash,
        scopes,
        dealer: options.dealer,
        claims: Claims::default(),
        enabled: true,
        session_generation: 0,
    };
    match deployment.store.create(&user).await? {
        Created::New | Created::Same => print(json, &user),
        Created::Taken(_) => Err(exists(user.username.as_str())),
    }
}

fn exists(username: &str) -> Error {
    Error::new(format!("user {username} already exists; see `countersign user show {username}`"))
}

/// Returns the scopes that the user may have. No scopes mean no limit.
fn allowed(scopes: BTreeSet<String>) -> Result<Option<AllowedScopes>, Error> {
    if scopes.is_empty() {
        return Ok(None);
    }
    AllowedScopes::parse(scopes).map(Some).map_err(|invalid| Error::new(invalid.to_string()))
}

/// Rejects an id that another user or a client has, because tokens of both would have the same `sub`. A random id needs
/// no check.
async fn check_id(deployment: &Deployment, user_id: &str) -> Result<(), Error> {
    if let Some(other) = owners(deployment).await?.get(user_id) {
        return Err(Error::new(format!("the user_id {user_id} belongs to the user {other}; choose another id")));
    }
    match deployment.store.stored::<Client>(user_id).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) | Err(StoreError::Malformed { .. }) => {
            Err(Error::new(format!("the user_id {user_id} is the id of a client; choose another id")))
        }
        Err(error) => Err(error.into()),
    }
}
