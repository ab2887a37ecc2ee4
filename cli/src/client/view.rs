//! Views of a client, which show the state of its secrets but no hash.

use std::collections::BTreeSet;

use countersign::client::Client;
use serde::Serialize;

use crate::output;
use crate::spec::Spec;

/// A client as JSON.
#[derive(Serialize)]
pub struct View {
    pub client_id: String,
    #[serde(flatten)]
    pub spec: Spec,
    created_at: Option<u64>,
    updated_at: Option<u64>,
    secrets: Vec<SecretView>,
}

#[derive(Serialize)]
struct SecretView {
    id: String,
    active: bool,
    created_at: Option<u64>,
    expires_at: Option<u64>,
    scheme: &'static str,
}

impl View {
    pub fn new(client: &Client, now: u64) -> Self {
        let secrets = client.secrets.iter().map(|secret| SecretView {
            id: secret.name(),
            active: secret.is_active(now),
            created_at: secret.created_at,
            expires_at: secret.expires_at,
            scheme: secret.hash.scheme(),
        });
        Self {
            client_id: client.client_id.clone(),
            spec: Spec::from(client),
            created_at: client.created_at,
            updated_at: client.updated_at,
            secrets: secrets.collect(),
        }
    }
}

/// Formats a client as text.
pub fn show(client: &Client, now: u64) -> String {
    let view = View::new(client, now);
    let origins = |origins: &BTreeSet<String>| (!origins.is_empty()).then(|| output::list(origins));
    let span = |ttl: Option<u32>| ttl.map(|ttl| output::span(ttl.into()));
    let record = output::record([
        ("client_id", Some(view.client_id)),
        ("name", view.spec.name),
        ("enabled", view.spec.enabled.map(|enabled| enabled.to_string())),
        ("grant_types", Some(output::list(&view.spec.grant_types))),
        ("scopes", Some(output::list(&view.spec.scopes))),
        ("default_scopes", Some(output::list(&view.spec.default_scopes))),
        ("audience", view.spec.audience),
        ("access_token_ttl", span(view.spec.access_token_ttl)),
        ("refresh_token_ttl", span(view.spec.refresh_token_ttl)),
        ("allowed_origins", origins(&view.spec.allowed_origins)),
        ("system", view.spec.system.map(|system| serde_json::Value::Object(system).to_string())),
        ("created_at", view.created_at.map(output::time)),
        ("updated_at", view.updated_at.map(output::time)),
    ]);
    let secrets = output::table(
        &["SECRET", "CREATED", "STATE", "HASH"],
        view.secrets.into_iter().map(|secret| {
            let state = match (secret.active, secret.expires_at) {
                (false, _) => "expired".to_owned(),
                (true, None) => "active".to_owned(),
                (true, Some(at)) => format!("active until {}", output::time(at)),
            };
            let created = secret.created_at.map_or_else(|| "-".to_owned(), output::time);
            vec![secret.id, created, state, secret.scheme.to_owned()]
        }),
    );
    format!("{record}\n\n{secrets}")
}
