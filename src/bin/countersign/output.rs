//! What a command prints: tables for people, JSON for scripts, and remarks beside both. Colours on a terminal alone.

use std::io::Write;
use std::time::{Duration, SystemTime};

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, TableStyle};
use serde::Serialize;
use serde_json::json;

use crate::fault::Fault;

pub const GOOD: Style = AnsiColor::Green.on_default();
pub const WARNING: Style = AnsiColor::Yellow.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
const HEADING: Style = Style::new().bold();

/// Prints a result: as JSON, or in the words that `people` makes of it.
pub fn result(json: bool, value: &impl Serialize, people: impl FnOnce() -> String) -> Result<(), Fault> {
    if json {
        let text = serde_json::to_string_pretty(value).map_err(|error| Fault::new(error.to_string()))?;
        return line(&text);
    }
    line(&people())
}

/// Prints a client's new secret, the only time that anybody sees it.
pub fn secret(json: bool, client_id: &str, secret: &str) -> Result<(), Fault> {
    let value = json!({"client_id": client_id, "client_secret": secret});
    let words = || record([("client_id", Some(client_id.to_owned())), ("client_secret", Some(secret.to_owned()))]);
    result(json, &value, words).map_err(|_| {
        let again = "give it another one by `countersign client rotate-secret`";
        Fault::new(format!("{client_id} has a new secret, which nobody has read; {again}"))
    })
}

/// Prints a line of a result.
pub fn line(text: &str) -> Result<(), Fault> {
    Ok(writeln!(anstream::stdout().lock(), "{}", text.trim_end())?)
}

/// Says something beside the result.
pub fn remark(text: &str) {
    // Nobody who would hear of it is left.
    let _ = writeln!(anstream::stderr().lock(), "countersign: {text}");
}

/// Says what went wrong.
pub fn complain(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{BAD}countersign:{BAD:#} {}", text.replace('\n', " "));
}

/// A table with a heading.
pub fn table(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = bare();
    table.set_header(heading.iter().copied());
    table.add_rows(rows.into_iter().map(|row| row.into_iter().map(clean).collect::<Vec<_>>()));
    let text = trimmed(&table);
    // Styled when it is laid out: a cell would be as wide as its escape codes.
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    format!("{HEADING}{first}{HEADING:#}\n{rest}")
}

/// A record: a name and a value in each line. What has no value is left out.
pub fn record(rows: impl IntoIterator<Item = (&'static str, Option<String>)>) -> String {
    let mut table = bare();
    for (name, value) in rows {
        if let Some(value) = value {
            table.add_row([name.to_owned(), clean(value)]);
        }
    }
    trimmed(&table)
}

/// What is stored, anybody may have written: what would move the cursor of a terminal is not in it any more.
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

/// A time in seconds since the epoch, for people; as it is, if no calendar has it.
pub fn time(seconds: u64) -> String {
    if seconds >= END_OF_CALENDAR {
        return seconds.to_string();
    }
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

/// A span in seconds, for people: its two largest units, as `input::span` reads them.
pub fn span(seconds: u64) -> String {
    let units = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let parts = units.iter().skip_while(|(count, _)| *count == 0).take(2).filter(|(count, _)| *count > 0);
    let words = parts.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ");
    if words.is_empty() { "0s".to_owned() } else { words }
}

/// Words in a row, or a dash.
pub fn list<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    let words: Vec<_> = words.into_iter().map(String::as_str).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(" ") }
}
