//! Groups the problems of records, so that each problem becomes one finding.

use std::collections::BTreeMap;

use countersign::store::StoreError;

use super::{Finding, Level, named};

/// A problem: its level, a description and a fix.
type Problem = (Level, String, &'static str);

/// The names of the records by problem.
#[derive(Default)]
pub struct Tally(BTreeMap<Problem, Vec<String>>);

impl Tally {
    /// Adds the problem of a record.
    pub fn add(&mut self, problem: Problem, name: &str) {
        self.0.entry(problem).or_default().push(name.to_owned());
    }

    pub fn findings(self, check: &'static str) -> Vec<Finding> {
        let finding = |((level, description, fix), mut names): (Problem, Vec<String>)| {
            names.sort();
            Finding {
                level,
                check,
                description: format!("{}: {description}", named(&names)),
                fix: Some(fix.to_owned()),
            }
        };
        self.0.into_iter().map(finding).collect()
    }
}

/// Returns the problem of a malformed record.
pub fn malformed(error: &StoreError, fix: &'static str) -> Problem {
    let description = match error {
        StoreError::Malformed { problem, .. } => format!("malformed ({problem})"),
        other => other.to_string(),
    };
    (Level::Error, description, fix)
}
