//! A client as JSON and as text, with the state of its secrets but no hash.

use countersign::client::{ATTRIBUTES, Client, ClientMetadata, Form};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::output;

/// A client as JSON.
#[derive(Serialize)]
pub struct View {
    client_id: String,
    #[serde(flatten)]
    attributes: Map<String, Value>,
    created_at: Option<u64>,
    updated_at: Option<u64>,
    secrets: Vec<SecretView>,
    keys: Vec<String>,
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
        let mut attributes = ClientMetadata::of(client).attributes();
        if !client.federated.is_empty() {
            // With their ids, which files do not contain.
            attributes.insert("federated".to_owned(), json!(client.federated));
        }
        Self {
            client_id: client.client_id.clone(),
            attributes,
            created_at: client.created_at,
            updated_at: client.updated_at,
            secrets: secrets.collect(),
            keys: client.jwks.iter().map(|key| key.kid.clone()).collect(),
        }
    }
}

/// Formats a client as text.
pub fn show(view: &View) -> String {
    let mut rows = vec![("client_id", Some(view.client_id.clone()))];
    rows.extend(ATTRIBUTES.map(|attribute| {
        let value = view.attributes.get(attribute.name);
        (attribute.name, value.map(|value| format_value(attribute.form, value)))
    }));
    let keys = (!view.keys.is_empty()).then(|| output::list(&view.keys));
    rows.push(("keys", keys));
    rows.push(("created_at", view.created_at.map(output::time)));
    rows.push(("updated_at", view.updated_at.map(output::time)));
    let record = output::record(rows);
    if view.secrets.is_empty() {
        return record;
    }
    let secrets = output::table(&["SECRET", "CREATED", "STATE", "HASH"], view.secrets.iter().map(SecretView::row));
    format!("{record}\n\n{secrets}")
}

fn format_value(form: Form, value: &Value) -> String {
    match (form, value) {
        (Form::Text, Value::String(text)) => text.clone(),
        (Form::Seconds, Value::Number(seconds)) => output::duration(seconds.as_u64().unwrap_or_default()),
        (Form::List, Value::Array(members)) => output::list(members.iter().filter_map(Value::as_str)),
        (Form::Records, Value::Array(records)) => format!("{} (`client trust list`)", records.len()),
        _ => value.to_string(),
    }
}

impl SecretView {
    fn row(&self) -> Vec<String> {
        let state = state(self.active, self.expires_at);
        let created = self.created_at.map_or_else(|| "-".to_owned(), output::time);
        vec![self.id.clone(), created, state, self.scheme.to_owned()]
    }
}

/// Describes if a credential is active.
pub fn state(is_active: bool, expires_at: Option<u64>) -> String {
    match (is_active, expires_at) {
        (false, _) => "expired".to_owned(),
        (true, None) => "active".to_owned(),
        (true, Some(at)) => format!("active until {}", output::time(at)),
    }
}
