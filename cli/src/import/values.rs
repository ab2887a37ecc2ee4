//! Conversion of values from the forms of exports to the forms of records.

use countersign::client::{Attribute, Form};
use serde_json::{Value, json};

use super::lines::Line;

/// The cells for an absent value in CSV exports of databases.
const ABSENT: [&str; 3] = ["", "NULL", "\\N"];
/// The cells for an empty list: in JSON, and as an array of `PostgreSQL`.
const EMPTY_LISTS: [&str; 2] = ["[]", "{}"];

/// Parses a cell of a CSV in the form of its column. An absent value is `null`.
pub fn cell(name: &str, cell: &str) -> Result<Value, String> {
    if ABSENT.contains(&cell.trim()) {
        return Ok(Value::Null);
    }
    let form = if ["dealer", "claims"].contains(&name) {
        Some(Form::Object)
    } else {
        Attribute::named(name).map(|attribute| attribute.form)
    };
    match form {
        Some(Form::List) if EMPTY_LISTS.contains(&cell.trim()) => Ok(json!([])),
        Some(Form::List) => Ok(cell.split_whitespace().collect()),
        Some(Form::Object | Form::Records | Form::Seconds) => {
            serde_json::from_str(cell).map_err(|_| format!("the {name} is not valid JSON"))
        }
        Some(Form::Text | Form::Flag(_)) | None => Ok(cell.into()),
    }
}

/// Converts the values of a line to the form of its record, and removes absent values.
///
/// Absent scopes mean all scopes of the client. So that an empty list of an export does not become that, a line that
/// names `scopes` must list at least one.
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
    let is_flag = |name: &str| Attribute::named(name).is_some_and(|attribute| matches!(attribute.form, Form::Flag(_)));
    for (name, value) in line.iter_mut().filter(|(name, _)| is_flag(name)) {
        *value = flag(value).ok_or_else(|| format!("{name} is neither true nor false; write true or false"))?.into();
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
fn flag(value: &Value) -> Option<bool> {
    let text = match value {
        Value::String(text) => text.trim().to_ascii_lowercase(),
        other => other.to_string(),
    };
    match text.as_str() {
        "true" | "1" | "t" | "yes" => Some(true),
        "false" | "0" | "f" | "no" => Some(false),
        _ => None,
    }
}
