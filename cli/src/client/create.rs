//! `countersign client create`.

use std::collections::HashMap;

use countersign::client::{Client, Secret};
use countersign::clock::Clock;
use countersign::store::Created;
use serde_json::json;

use super::{SHOWN_ONCE, Settings, advice, reminder};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{output, user};

pub async fn run(
    deployment: &Deployment,
    json: bool,
    (client_id, no_secret): (String, bool),
    settings: &Settings,
) -> Result<(), Error> {
    let now = Clock::System.now();
    let mut client = Client::new(client_id, now);
    settings.metadata()?.write_to(&mut client, now)?;
    check_owner(&user::owners(deployment).await?, &client.client_id)?;
    deployment.announce().await?;
    let (client_id, mut warnings) = (client.client_id.clone(), advice(&client, deployment));
    let needs_secret = client.token_endpoint_auth_method.is_none() && !no_secret;
    let is_public = client.is_public();
    if !needs_secret {
        warnings.extend(reminder(&client));
    }
    if let Some(secret) = make(deployment, client, needs_secret).await? {
        output::secret(json, &client_id, &secret)?;
        output::remark(SHOWN_ONCE);
    } else {
        let kind = if is_public { "public client" } else { "client without a secret:" };
        output::result(json, &json!({"client_id": client_id}), || format!("created {kind} {client_id}"))?;
    }
    for warning in warnings {
        output::remark(&warning);
    }
    Ok(())
}

/// Creates a client. Returns its new secret, if it needs one.
pub async fn make(deployment: &Deployment, mut client: Client, needs_secret: bool) -> Result<Option<String>, Error> {
    let mut new_secret = None;
    if needs_secret {
        let (secret, record) = Secret::generate(Clock::System.now())?;
        client.secrets = vec![record];
        new_secret = Some(secret);
    }
    match deployment.store.create(&client).await? {
        Created::New | Created::Same => Ok(new_secret),
        Created::Taken(_) => Err(Error::new(format!(
            "client {} already exists; choose another id, or change the client with `countersign client update`",
            client.client_id
        ))),
    }
}

/// Rejects the id of a new client if it is the `user_id` of a user: tokens of both would have the same `sub`.
pub fn check_owner(owners: &HashMap<String, String>, client_id: &str) -> Result<(), Error> {
    match owners.get(client_id) {
        Some(username) => {
            Err(Error::new(format!("the id {client_id} is the user_id of the user {username}; choose another id")))
        }
        None => Ok(()),
    }
}

/// Rejects an id that client libraries encode differently for Basic, or that no request can have.
pub fn check_new_id(client_id: &str) -> Result<String, String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    // An id that begins with `-` would look like an option on this command line.
    if client_id.is_empty() || client_id.starts_with('-') || client_id.len() > 256 || !client_id.bytes().all(known) {
        return Err(
            "an id has 1 to 256 characters, each of A-Z, a-z, 0-9, - and _, and does not begin with -".to_owned()
        );
    }
    Ok(client_id.to_owned())
}
