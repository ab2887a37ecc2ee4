//! The values of a line: what exports write, in the form that a record has.

use countersign::client::{Attribute, Form};
use serde_json::{Value, json};

use super::lines::Line;

/// The cells that CSV exports of databases write for an absent value.
const ABSENT: [&str; 3] = ["", "NULL", "\\N"];
/// The cells that they write for an empty list: JSON, and an array of `PostgreSQL`.
const EMPTY_LISTS: [&str; 2] = ["[]", "{}"];

/// Reads a cell of a CSV as its column has it. An absent value is `null`.
pub fn cell(name: &str, cell: &str) -> Result<Value, String> {
    if ABSENT.contains(&cell.trim()) {
        return Ok(Value::Null);
    }
    let form =
        if name == "dealer" { Some(Form::Object) } else { Attribute::named(name).map(|attribute| attribute.form) };
    match form {
        Some(Form::List) if EMPTY_LISTS.contains(&cell.trim()) => Ok(json!([])),
        Some(Form::List) => Ok(cell.split_whitespace().collect()),
        Some(Form::Object | Form::Seconds) => {
            serde_json::from_str(cell).map_err(|_| format!("the {name} is not valid JSON"))
        }
        Some(Form::Text | Form::Flag) | None => Ok(cell.into()),
    }
}

/// Brings the values of a line into the form of its record, and removes those that are absent.
///
/// Absent scopes would mean all that the client may have, so a line that names scopes has to name some: what an export
/// writes for "none" is rejected.
pub fn normalize(mut line: Line) -> Result<Line, String> {
    if let Some(scopes) = line.get_mut("scopes") {
        match scopes {
            Value::String(text) if text == "*" => *scopes = json!(["*"]),
            Value::Null => return Err(no_scopes()),
            Value::String(text) if text.trim().is_empty() => return Err(no_scopes()),
            Value::Array(tokens) if tokens.is_empty() => return Err(no_scopes()),
            _ => {}
        }
    }
    let is_absent = |name: &str, value: &Value| value.is_null() || name == "password_hash" && is_blank(value);
    line.retain(|name, value| !is_absent(name, value));
    for id in ["user_id", "client_id"] {
        if let Some(id) = line.get_mut(id).filter(|id| id.is_u64() || id.is_i64()) {
            *id = id.to_string().into();
        }
    }
    if let Some(enabled) = line.get_mut("enabled") {
        *enabled = flag(enabled)?.into();
    }
    Ok(line)
}

fn no_scopes() -> String {
    "the scopes are empty; list the scopes, or write * for all of them".to_owned()
}

fn is_blank(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Reads a boolean as databases write it.
fn flag(value: &Value) -> Result<bool, String> {
    let text = match value {
        Value::String(text) => text.trim().to_ascii_lowercase(),
        other => other.to_string(),
    };
    match text.as_str() {
        "true" | "1" | "t" | "yes" => Ok(true),
        "false" | "0" | "f" | "no" => Ok(false),
        _ => Err("enabled is neither true nor false; write true or false".to_owned()),
    }
}
