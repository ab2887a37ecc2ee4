//! Prompts for confirmation and for secrets, which are never arguments; files and stdin.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::time::Duration;

use inquire::{InquireError, Password, PasswordDisplayMode};

use crate::error::Error;

/// The limit of a file with a key or a certificate in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Reads the text of a file, or of stdin if the name is `-`.
pub fn text(name: &str) -> Result<String, Error> {
    let shown = shown(name);
    let cannot_read = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData => Error::new(format!("{shown} is not text; write the key or certificate as PEM")),
        _ => Error::new(format!("cannot read {shown}: {error}")),
    };
    let mut text = String::new();
    let source: Box<dyn Read> =
        if name == "-" { Box::new(io::stdin()) } else { Box::new(File::open(name).map_err(cannot_read)?) };
    let bytes = source.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(cannot_read)?;
    if u64::try_from(bytes).is_ok_and(|bytes| bytes <= MAX_FILE_BYTES) {
        Ok(text)
    } else {
        Err(Error::new(format!("{shown} has more than 64 KiB; a key or a certificate is smaller")))
    }
}

/// Returns the name of a file for messages.
pub fn shown(name: &str) -> &str {
    if name == "-" { "stdin" } else { name }
}

/// Prompts for confirmation, unless `--yes` was given.
pub fn confirm(yes: bool, question: &str) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Error::new(format!("{question} stdin is not a terminal; confirm with --yes")));
    }
    write!(io::stderr(), "countersign: {question} [y/N] ")?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    match line.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::new("not confirmed; nothing was changed")),
    }
}

/// Reads a secret: from a terminal without echo, or from stdin, which must have one line.
pub fn secret(name: &str) -> Result<String, Error> {
    Ok(secrets(&[name])?.swap_remove(0))
}

/// Reads secrets: from a terminal without echo, or from stdin, which must have one line for each, in their order.
pub fn secrets(names: &[&str]) -> Result<Vec<String>, Error> {
    if io::stdin().is_terminal() {
        return names.iter().map(|name| prompt(Password::new(&format!("{name}:")).without_confirmation())).collect();
    }
    let mut text = String::new();
    io::stdin().lock().take(16 * 1024).read_to_string(&mut text)?;
    let lines: Vec<_> = text.trim_end_matches(['\r', '\n']).lines().map(ToOwned::to_owned).collect();
    let missing = names.iter().zip(0..).find(|(_, index)| lines.get(*index).is_none_or(String::is_empty));
    if let Some((name, _)) = missing {
        let name = name.to_lowercase();
        return Err(Error::new(match names.len() {
            1 => format!("stdin has no {name}; write it to stdin, in one line"),
            _ => format!("stdin has no {name}; write to stdin, one per line: {}", names.join(", ").to_lowercase()),
        }));
    }
    if lines.len() > names.len() {
        return Err(Error::new(match names {
            [name] => format!("stdin has more than one line; write only the {} to stdin", name.to_lowercase()),
            _ => format!("stdin has {} lines; write only: {}", lines.len(), names.join(", ").to_lowercase()),
        }));
    }
    Ok(lines)
}

/// Reads a new secret. On a terminal, shows the rule for it and prompts twice.
pub fn new_secret(name: &str, rule: &str) -> Result<String, Error> {
    if !io::stdin().is_terminal() {
        return secret(name);
    }
    let (first, again) = (format!("{name}:"), format!("{name} again:"));
    let password = Password::new(&first).with_help_message(rule).with_custom_confirmation_message(&again);
    prompt(password.with_custom_confirmation_error_message("The two inputs differ."))
}

/// Prompts without echo. Restores the terminal, also after Ctrl-C.
fn prompt(password: Password<'_>) -> Result<String, Error> {
    password.with_display_mode(PasswordDisplayMode::Hidden).prompt().map_err(|error| match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => {
            Error::new("cancelled; nothing was changed")
        }
        error => Error::new(error.to_string()),
    })
}

/// Parses a duration: seconds, or a number with a unit (`30m`, `12h`, `7d`).
pub fn duration(text: &str) -> Result<u64, String> {
    let seconds =
        text.parse().ok().or_else(|| humantime::parse_duration(text).ok().map(|duration: Duration| duration.as_secs()));
    seconds.ok_or_else(|| "not a duration; write seconds, or a number with a unit such as 30m, 12h or 7d".to_owned())
}

/// Parses the lifetime of a token: a [`duration`] in seconds that the record of a client can have.
pub fn lifetime(text: &str) -> Result<u32, String> {
    duration(text)?.try_into().map_err(|_| "the duration is too long".to_owned())
}

/// Returns the parser of the scopes of an option. A scope token may contain a comma (RFC 6749 section 3.3), but on a command
/// line a comma is meant to separate two scopes, so the error says how to write them.
pub fn scope(option: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |text| {
        if !text.contains(',') {
            return Ok(text.to_owned());
        }
        let parts = text.split(',').filter(|part| !part.is_empty());
        let options: Vec<_> = parts.map(|part| format!("{option} {}", quoted(part))).collect();
        let example = if options.is_empty() { format!("{option} a {option} b") } else { options.join(" ") };
        Err(format!("scopes are separated by spaces, or the option is repeated: write `{example}`"))
    }
}

/// Quotes a word for a shell, if necessary.
pub fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":._-/".contains(&byte);
    if word.bytes().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// Parses a JSON object.
pub fn object(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    serde_json::from_str(text).map_err(|_| "not a JSON object, such as {\"id\":7}".to_owned())
}
