//! A line of the audit log as JSON and as text.

use serde::Serialize;

use super::log::Found;
use crate::output;

const HEADING: [&str; 7] = ["TIME", "EVENT", "OUTCOME", "GRANT", "CLIENT", "SOURCES", "REASON"];
/// The length of a time with seconds in RFC 3339, before the fraction and the `Z`.
const SECONDS: usize = "2026-01-01T00:00:00".len();

/// The members of a line that are shown.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Line(Found);

impl Line {
    /// Takes the members from a result of a query, without the pointer to the line (`@ptr`).
    pub fn new(mut found: Found) -> Self {
        found.retain(|name, _| !name.starts_with('@'));
        Self(found)
    }

    fn row(&self) -> Vec<String> {
        let member = |name: &str| self.0.get(name).filter(|value| !value.is_empty()).cloned();
        let time = member("timestamp").map(|time| match time.get(..SECONDS) {
            Some(seconds) if time.ends_with('Z') => format!("{seconds}Z"),
            _ => time,
        });
        let sources = ["source", "user_source"].into_iter().filter_map(member);
        let member = |name| member(name).unwrap_or_else(|| "-".to_owned());
        vec![
            time.unwrap_or_else(|| "-".to_owned()),
            member("event"),
            member("outcome"),
            member("grant"),
            member("client_id"),
            output::list(sources),
            member("reason"),
        ]
    }
}

/// Formats lines as a table.
pub fn table(lines: &[Line], since: u64) -> String {
    if lines.is_empty() {
        return format!("No lines in the last {}. Go back further with --since.", output::duration(since));
    }
    output::table(&HEADING, lines.iter().map(Line::row))
}
