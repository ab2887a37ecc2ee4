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
    let mut text = String::new();
    let source: Box<dyn Read> = if name == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(name).map_err(|error| Error::new(format!("{name}: {error}")))?)
    };
    source.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|error| Error::new(format!("{name}: {error}")))?;
    Ok(text)
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
    if io::stdin().is_terminal() {
        return prompt(Password::new(&format!("{name}:")).without_confirmation());
    }
    let mut text = String::new();
    io::stdin().lock().take(16 * 1024).read_to_string(&mut text)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Error::new(format!("stdin has no {}; write it to stdin, in one line", name.to_lowercase())));
    }
    if text.contains(['\r', '\n']) {
        return Err(Error::new(format!(
            "stdin has more than one line; write only the {} to stdin",
            name.to_lowercase()
        )));
    }
    Ok(text.to_owned())
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

/// Parses a JSON object.
pub fn object(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    serde_json::from_str(text).map_err(|_| "not a JSON object, such as {\"id\":7}".to_owned())
}
