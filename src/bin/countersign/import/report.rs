//! What an import did, or would do.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::records::Became;
use crate::output;

#[derive(Default)]
pub struct Report {
    /// Lines that held something.
    pub lines: u64,
    /// By scheme, what became of its lines.
    schemes: BTreeMap<&'static str, Counts>,
    /// The lines that are no records, and why.
    pub bad: Vec<(u64, String)>,
    /// Why it ended before the file did.
    pub stopped_by: Option<String>,
}

#[derive(Default)]
struct Counts {
    new: u64,
    replaced: u64,
    was_there: u64,
}

impl Report {
    pub fn count(&mut self, scheme: &'static str, became: Became) {
        let counts = self.schemes.entry(scheme).or_default();
        match became {
            Became::New => counts.new += 1,
            Became::Replaced => counts.replaced += 1,
            Became::WasThere => counts.was_there += 1,
        }
    }

    /// The reasons of bad lines, with how many there are of each.
    fn faults(&self) -> BTreeMap<&str, u64> {
        let mut faults = BTreeMap::new();
        for (_, reason) in &self.bad {
            // What stands in brackets is of one line alone.
            *faults.entry(reason.split(" (").next().unwrap_or_default()).or_default() += 1;
        }
        faults
    }

    pub fn to_json(&self, dry_run: bool) -> Value {
        let schemes = self.schemes.iter().map(|(scheme, counts)| {
            let Counts { new, replaced, was_there } = counts;
            ((*scheme).to_owned(), json!({"new": new, "replaced": replaced, "was_there": was_there}))
        });
        let bad = self.bad.iter().map(|(line, reason)| json!({"line": line, "reason": reason}));
        json!({
            "dry_run": dry_run,
            "lines": self.lines,
            "schemes": schemes.collect::<serde_json::Map<_, _>>(),
            "bad": bad.collect::<Vec<_>>(),
            "stopped_by": self.stopped_by,
        })
    }

    pub fn in_words(&self, dry_run: bool) -> String {
        let rows = self.schemes.iter().map(|(scheme, counts)| {
            let numbers = [counts.new, counts.replaced, counts.was_there].map(|number| number.to_string());
            std::iter::once((*scheme).to_owned()).chain(numbers).collect()
        });
        let mut text = output::table(&["SCHEME", "NEW", "REPLACED", "WERE THERE"], rows);
        if !self.bad.is_empty() {
            let faults = self.faults();
            let rows = faults.iter().map(|(reason, count)| vec![count.to_string(), (*reason).to_owned()]);
            text = format!("{text}\n\n{}", output::table(&["LINES", "FAULT"], rows));
        }
        let (lines, bad) = (self.lines, self.bad.len());
        let plural = if lines == 1 { "" } else { "s" };
        let end = if dry_run { "; nothing was written" } else { "" };
        format!("{text}\n\n{lines} line{plural}, {bad} bad{end}")
    }
}
