//! `countersign client delete`.

use countersign::client::Client;
use serde_json::json;

use super::not_found;
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{input, output};

pub async fn run(deployment: &Deployment, json: bool, client_id: &str, yes: bool) -> Result<(), Error> {
    // A malformed record can be deleted, too.
    if deployment.store.stored::<Client>(client_id).await.is_ok_and(|stored| stored.is_none()) {
        return Err(not_found(client_id));
    }
    deployment.announce().await?;
    input::confirm(yes, &format!("Delete the client {client_id}? It will get no more tokens."))?;
    deployment.store.delete::<Client>(client_id).await?;
    output::result(json, &json!({"deleted": client_id}), || format!("deleted client {client_id}"))
}
