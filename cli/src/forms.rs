//! The forms of values in files: checks, and messages that name the form. No message contains a value, because it may be a
//! secret.

use countersign::client::Form;
use serde_json::Value;

use crate::input;

/// Checks that a value has this form. Replaces a duration in text by its seconds.
///
/// # Errors
/// A message that names the value's type and the expected form.
pub fn check(name: &str, form: Form, value: &mut Value) -> Result<(), String> {
    if let (Form::Seconds, Value::String(text)) = (form, &value) {
        *value = input::lifetime(text).map_err(|problem| format!("{name} is {problem}"))?.into();
    }
    let fits = match (form, &*value) {
        (Form::Text, Value::String(_)) | (Form::Flag(_), Value::Bool(_)) | (Form::Object, Value::Object(_)) => true,
        (Form::Records, Value::Array(records)) => records.iter().all(Value::is_object),
        (Form::List, Value::Array(members)) => members.iter().all(Value::is_string),
        (Form::Seconds, Value::Number(seconds)) => {
            seconds.as_u64().is_some_and(|seconds| u32::try_from(seconds).is_ok())
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("{name} is {}; write {}", kind(value), expected(form))) }
}

/// Returns the type of a JSON value in words.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn expected(form: Form) -> &'static str {
    match form {
        Form::Text => "a string",
        Form::Flag(_) => "true or false",
        Form::List => "an array of strings",
        Form::Seconds => "a whole number of seconds, or a duration such as 15m",
        Form::Records => "an array of objects",
        Form::Object => "an object, such as {\"id\":7}",
    }
}
