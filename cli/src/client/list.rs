//! `countersign client list`.

use countersign::client::{Client, GrantType};
use countersign::clock::Clock;
use countersign::store::{StoreError, Stored};

use super::View;
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{Outcome, output};

pub async fn run(deployment: &Deployment, json: bool) -> Result<Outcome, Error> {
    let now = Clock::System.now();
    let (mut clients, mut outcome) = (Vec::new(), Outcome::Done);
    let visit = |client_id: String, stored: Result<Stored<Client>, StoreError>| {
        if let Ok(stored) = stored {
            clients.push(stored.record);
        } else {
            output::remark(&format!("the record of client {client_id} is malformed; see `countersign doctor`"));
            outcome = Outcome::NeedsAttention;
        }
        Ok::<_, Error>(())
    };
    deployment.store.scan(visit).await?;
    clients.sort_by(|one, other| one.client_id.cmp(&other.client_id));
    let views: Vec<_> = clients.iter().map(|client| View::new(client, now)).collect();
    output::result(json, &views, || {
        if clients.is_empty() {
            return "No clients. Create one with `countersign client create`.".to_owned();
        }
        output::table(
            &["CLIENT", "STATE", "GRANTS", "CREDENTIALS", "NAME"],
            clients.iter().map(|client| row(client, now)),
        )
    })?;
    Ok(outcome)
}

fn row(client: &Client, now: u64) -> Vec<String> {
    vec![
        client.client_id.clone(),
        if client.enabled { "enabled" } else { "disabled" }.to_owned(),
        output::list(client.grant_types.iter().copied().map(GrantType::as_str)),
        credentials(client, now),
        client.name.clone().unwrap_or_default(),
    ]
}

/// Returns the credentials that authenticate a client at `now`.
fn credentials(client: &Client, now: u64) -> String {
    if client.is_public() {
        return "public".to_owned();
    }
    if client.uses_certificate() {
        return "certificate".to_owned();
    }
    let keys = client.jwks.iter().filter(|key| key.is_active(now)).count();
    let counts =
        [(client.accepted_secrets(now).count(), "secret"), (keys, "key"), (client.federated.len(), "workload")];
    let parts: Vec<_> = counts.iter().filter(|(count, _)| *count > 0).map(|(n, of)| output::counted(*n, of)).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(" + ") }
}
