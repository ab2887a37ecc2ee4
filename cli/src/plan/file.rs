//! The file of `plan` and `apply`: clients and texts of scopes as code, in TOML, without secrets.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use countersign::client::{Attribute, Client, ClientMetadata};
use countersign::clock::Clock;
use countersign::scope::{ScopeTexts, Sentences};
use serde::Deserialize;
use serde_json::{Value, json};
use toml::Spanned;

use crate::error::Error;
use crate::forms;

/// The attributes of a client, with their places in the file.
type Table = BTreeMap<String, Spanned<toml::Value>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    clients: BTreeMap<String, Table>,
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
    let line = |start: usize| text.get(..start).unwrap_or_default().lines().count().max(1);
    let parsed: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| line(span.start));
        // A value is in quotes, and may be a secret.
        let message = error.message().split('"').next().unwrap_or_default().trim_end();
        Error::new(format!("{name}, line {line}: {message}"))
    })?;
    let now = Clock::System.now();
    let check = |(client_id, table): (String, Table)| {
        let error = |start: Option<usize>, problem: String| {
            let line = start.map(|start| format!(", line {}", line(start))).unwrap_or_default();
            Error::new(format!("{name}{line}, client {client_id}: {problem}"))
        };
        let mut metadata = ClientMetadata::default();
        for (attribute, value) in &table {
            let named = of_toml(attribute, value.get_ref());
            metadata.extend(named.map_err(|problem| error(Some(value.span().start), problem))?);
        }
        let mut client = Client::new(client_id.clone(), now);
        metadata.clone().write_to(&mut client, now).map_err(|invalid| {
            let start = table.get(&invalid.attribute).map(|value| value.span().start);
            error(start, invalid.to_string())
        })?;
        Ok((client, metadata))
    };
    if let Some(scopes) = &parsed.scopes {
        let checked = ScopeTexts::default().replace(scopes.clone());
        checked.map_err(|invalid| Error::new(format!("{name}: {invalid}")))?;
    }
    let clients = parsed.clients.into_iter().map(check).collect::<Result<_, Error>>()?;
    Ok(Wanted { clients, scopes: parsed.scopes })
}

/// Converts an attribute to the form that the store returns: lifetimes in seconds, and whole numbers without a point.
/// Rejects values of another form, and values that JSON cannot express.
fn of_toml(name: &str, value: &toml::Value) -> Result<ClientMetadata, String> {
    let mut value = json!(value);
    convert(&mut value).map_err(|problem| format!("{name} has {problem}"))?;
    if let Some(attribute) = Attribute::named(name) {
        forms::check(name, attribute.form, &mut value)?;
    }
    serde_json::from_value(json!({name: value})).map_err(|error| {
        let hint = if name.starts_with("secret") { "; secrets are not allowed in the file" } else { "" };
        format!("{error}{hint}")
    })
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
