//! Output of commands: tables or JSON on stdout, remarks on stderr. Colours only on a terminal.

use std::io::Write;
use std::time::{Duration, SystemTime};

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, TableStyle};
use serde::Serialize;
use serde_json::json;

use crate::error::Error;

pub const GOOD: Style = AnsiColor::Green.on_default();
pub const WARNING: Style = AnsiColor::Yellow.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
const HEADING: Style = Style::new().bold();

/// Prints a result: as JSON, or as the text that `text` returns.
pub fn result(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Error> {
    if json {
        let json = serde_json::to_string_pretty(value).map_err(|error| Error::new(error.to_string()))?;
        return line(&json);
    }
    line(&text())
}

/// Prints the new secret of a client. It is not stored, so it cannot be printed again.
pub fn secret(json: bool, client_id: &str, secret: &str) -> Result<(), Error> {
    let value = json!({"client_id": client_id, "client_secret": secret});
    let text = || record([("client_id", Some(client_id.to_owned())), ("client_secret", Some(secret.to_owned()))]);
    result(json, &value, text).map_err(|_| {
        let hint = format!("get another one with `countersign client rotate-secret {client_id}`");
        Error::new(format!("the new secret of client {client_id} was stored, but could not be printed; {hint}"))
    })
}

/// Prints a line of a result.
pub fn line(text: &str) -> Result<(), Error> {
    Ok(writeln!(anstream::stdout().lock(), "{}", text.trim_end())?)
}

/// Prints a remark to stderr.
pub fn remark(text: &str) {
    // If stderr is closed, there is no place to report it.
    let _ = writeln!(anstream::stderr().lock(), "countersign: {text}");
}

/// Prints an error to stderr.
pub fn error(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{BAD}countersign:{BAD:#} {}", text.replace('\n', " "));
}

/// Returns a table with a heading.
pub fn table(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = bare();
    table.set_header(heading.iter().copied());
    table.add_rows(rows.into_iter().map(|row| row.into_iter().map(clean).collect::<Vec<_>>()));
    let text = trimmed(&table);
    // The heading is styled after the layout, because escape codes count in the width of a cell.
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    format!("{HEADING}{first}{HEADING:#}\n{rest}")
}

/// Returns a record, one name and value per line. Omits names without a value.
pub fn record(rows: impl IntoIterator<Item = (&'static str, Option<String>)>) -> String {
    let mut table = bare();
    for (name, value) in rows {
        if let Some(value) = value {
            table.add_row([name.to_owned(), clean(value)]);
        }
    }
    trimmed(&table)
}

/// Replaces control characters, because stored text is not trusted and could move the cursor of a terminal.
pub fn clean(text: String) -> String {
    if text.contains(char::is_control) { text.replace(char::is_control, "\u{fffd}") } else { text }
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn trimmed(table: &Table) -> String {
    let lines = table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// The first second of the year 10000, which has no form in RFC 3339.
const END_OF_CALENDAR: u64 = 253_402_300_800;

/// Formats a time in seconds since the epoch as RFC 3339. Returns the number if RFC 3339 cannot express it.
pub fn time(seconds: u64) -> String {
    if seconds >= END_OF_CALENDAR {
        return seconds.to_string();
    }
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

/// Formats a duration in seconds with its two largest units, in the form that `input::duration` reads.
pub fn duration(seconds: u64) -> String {
    let units = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let parts = units.iter().skip_while(|(count, _)| *count == 0).take(2).filter(|(count, _)| *count > 0);
    let words = parts.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ");
    if words.is_empty() { "0s".to_owned() } else { words }
}

/// Joins words with spaces. Returns a dash if there is no word.
pub fn list(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(" ") }
}

/// Returns a count with its noun.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
