//! The report of an import or of a dry run.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::records::Change;
use crate::output;

#[derive(Default)]
pub struct Report {
    /// The number of lines that are not blank.
    pub lines: u64,
    /// The results by scheme.
    schemes: BTreeMap<&'static str, Counts>,
    /// The rejected lines, with the reason.
    pub rejected: Vec<(u64, String)>,
    /// The number of lines whose id is used by a user and a client.
    pub shared_ids: u64,
    /// The reason why the import stopped before the end of the file.
    pub stopped_by: Option<String>,
}

#[derive(Default)]
struct Counts {
    new: u64,
    replaced: u64,
    existing: u64,
}

impl Report {
    pub fn count(&mut self, scheme: &'static str, change: Change) {
        let counts = self.schemes.entry(scheme).or_default();
        match change {
            Change::New => counts.new += 1,
            Change::Replaced => counts.replaced += 1,
            Change::Existing => counts.existing += 1,
        }
    }

    /// Counts the rejected lines by reason.
    fn reasons(&self) -> BTreeMap<&str, u64> {
        let mut reasons = BTreeMap::new();
        for (_, reason) in &self.rejected {
            // The text in brackets differs from line to line.
            *reasons.entry(reason.split(" (").next().unwrap_or_default()).or_default() += 1;
        }
        reasons
    }

    pub fn to_json(&self, dry_run: bool) -> Value {
        let schemes = self.schemes.iter().map(|(scheme, counts)| {
            let Counts { new, replaced, existing } = counts;
            ((*scheme).to_owned(), json!({"new": new, "replaced": replaced, "existing": existing}))
        });
        let rejected = self.rejected.iter().map(|(line, reason)| json!({"line": line, "reason": reason}));
        json!({
            "dry_run": dry_run,
            "lines": self.lines,
            "schemes": schemes.collect::<serde_json::Map<_, _>>(),
            "rejected": rejected.collect::<Vec<_>>(),
            "shared_ids": self.shared_ids,
            "stopped_by": self.stopped_by,
        })
    }

    pub fn text(&self, dry_run: bool) -> String {
        let rows = self.schemes.iter().map(|(scheme, counts)| {
            let numbers = [counts.new, counts.replaced, counts.existing].map(|number| number.to_string());
            std::iter::once((*scheme).to_owned()).chain(numbers).collect()
        });
        let mut text = output::table(&["SCHEME", "NEW", "REPLACED", "UNCHANGED"], rows);
        if !self.rejected.is_empty() {
            let reasons = self.reasons();
            let rows = reasons.iter().map(|(reason, count)| vec![count.to_string(), (*reason).to_owned()]);
            text = format!("{text}\n\n{}", output::table(&["COUNT", "REASON"], rows));
        }
        let (lines, rejected) = (self.lines, self.rejected.len());
        let plural = if lines == 1 { "" } else { "s" };
        let end = if dry_run { "; nothing was written" } else { "" };
        format!("{text}\n\n{lines} line{plural}, {rejected} rejected{end}")
    }
}
