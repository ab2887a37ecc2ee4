//! What a command asks: for a yes, and for secrets, which are never arguments.

use std::io::{self, IsTerminal, Read, Write};
use std::time::Duration;

use crate::fault::Fault;

/// Asks whether to go on, unless that was said already.
pub fn confirm(yes: bool, question: &str) -> Result<(), Fault> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Fault::new(format!("{question} Nobody is there to answer; say --yes")));
    }
    write!(io::stderr(), "countersign: {question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Fault::new("nothing was done")),
    }
}

/// Takes a secret: from a terminal without echo, or else the first line of the input.
pub fn secret(name: &str) -> Result<String, Fault> {
    if io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password(format!("{name}: "))?);
    }
    let mut text = String::new();
    io::stdin().lock().take(16 * 1024).read_to_string(&mut text)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Fault::new(format!("the input has no {}; write it there, in one line", name.to_lowercase())));
    }
    if text.contains(['\r', '\n']) {
        return Err(Fault::new(format!("the input has more than one line, and a {} has one", name.to_lowercase())));
    }
    Ok(text.to_owned())
}

/// Takes a secret that nobody has to know yet: on a terminal twice.
pub fn new_secret(name: &str) -> Result<String, Fault> {
    let first = secret(name)?;
    if io::stdin().is_terminal() && secret(&format!("{name} again"))? != first {
        return Err(Fault::new("the two are not the same; nothing was done"));
    }
    Ok(first)
}

/// A span of time: seconds, or a number with a unit (`30m`, `12h`, `7d`).
pub fn span(text: &str) -> Result<u64, String> {
    let seconds =
        text.parse().ok().or_else(|| humantime::parse_duration(text).ok().map(|span: Duration| span.as_secs()));
    seconds.ok_or_else(|| "neither seconds nor a span such as 30m, 12h or 7d".to_owned())
}

/// A JSON object.
pub fn object(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    serde_json::from_str(text).map_err(|_| "no JSON object, such as {\"id\":7}".to_owned())
}
