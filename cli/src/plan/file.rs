//! The file of `plan` and `apply`: clients and texts of scopes as code, in TOML, without secrets.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use countersign::client::{Client, ClientMetadata};
use countersign::clock::Clock;
use countersign::scope::{ScopeTexts, Sentences};
use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    clients: BTreeMap<String, ClientMetadata>,
    scopes: Option<BTreeMap<String, Sentences>>,
}

/// The content of a file that was checked.
pub struct Wanted {
    /// Each client as a new client, and its attributes.
    pub clients: Vec<(Client, ClientMetadata)>,
    /// The texts of scopes, if the file has a table of them.
    pub scopes: Option<BTreeMap<String, Sentences>>,
}

/// Reads the file, and checks every client and every text in it.
pub fn read(file: &Path) -> Result<Wanted, Error> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| Error::new(format!("cannot read {name}: {error}")))?;
    let parsed: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| text.get(..span.start).unwrap_or_default().lines().count().max(1));
        let hint = if error.message().contains("`secret") { "; secrets are not allowed in the file" } else { "" };
        // A value is in quotes, and may be a secret.
        let message = error.message().split('"').next().unwrap_or_default().trim_end();
        Error::new(format!("{name}, line {line}: {message}{hint}"))
    })?;
    let now = Clock::System.now();
    let check = |(client_id, metadata): (String, ClientMetadata)| {
        let error = |error: String| Error::new(format!("{name}, client {client_id}: {error}"));
        let metadata = without_toml(&metadata).map_err(error)?;
        let mut client = Client::new(client_id.clone(), now);
        metadata.clone().write_to(&mut client, now).map_err(|invalid| error(invalid.to_string()))?;
        Ok((client, metadata))
    };
    if let Some(scopes) = &parsed.scopes {
        let checked = ScopeTexts::default().replace(scopes.clone());
        checked.map_err(|invalid| Error::new(format!("{name}: {invalid}")))?;
    }
    let clients = parsed.clients.into_iter().map(check).collect::<Result<_, Error>>()?;
    Ok(Wanted { clients, scopes: parsed.scopes })
}

/// Converts TOML values to JSON in the form that the store returns: whole numbers without a point. Rejects values that
/// JSON cannot express.
fn without_toml(metadata: &ClientMetadata) -> Result<ClientMetadata, String> {
    let mut attributes = metadata.attributes();
    for (name, value) in &mut attributes {
        convert(value).map_err(|problem| format!("{name} has {problem}"))?;
    }
    serde_json::from_value(Value::Object(attributes)).map_err(|error| error.to_string())
}

fn convert(value: &mut Value) -> Result<(), &'static str> {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(whole) = number.as_f64().and_then(|float| format!("{float}").parse::<i64>().ok()) {
                *value = whole.into();
            }
        }
        // TOML has no null: this was nan or inf.
        Value::Null => return Err("a number that JSON cannot express (nan, inf); remove it"),
        Value::Array(values) => values.iter_mut().try_for_each(convert)?,
        Value::Object(members) if members.keys().any(|name| name.starts_with("$__toml_private")) => {
            return Err("a date, which JSON cannot express; write it in quotes");
        }
        Value::Object(members) => members.values_mut().try_for_each(convert)?,
        _ => {}
    }
    Ok(())
}
