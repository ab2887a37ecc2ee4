//! `countersign doctor`: checks the health of a deployment. Each check returns a finding with a level and a fix, even
//! if the check could not run. Changes nothing.

use clap::Args;
use countersign::clock::Clock;
use serde::Serialize;

use crate::deployment::{Stack, Target};
use crate::error::Error;
use crate::output::counted;
use crate::{Outcome, output};

mod clients;
mod endpoint;
mod keys;
mod tables;
mod tally;
mod trusted_issuers;
mod users;

/// The maximum number of records that a finding names.
const NAMED: usize = 5;

#[derive(Args)]
#[command(after_help = "Examples:
  countersign --stack countersign doctor
  countersign --stack countersign --json doctor --no-users \\
    | jq '.findings[] | select(.level != \"ok\")'

Changes nothing. Exit codes: 0 the deployment is healthy; 3 there are warnings; 1 there are errors.")]
pub struct Options {
    /// Skip the check of the users, which scans the table
    #[arg(long)]
    no_users: bool,
}

/// The severity of a finding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing to do.
    Ok,
    /// Works, but needs attention.
    Warning,
    /// Does not work.
    Error,
}

/// The result of a check, and how to fix a problem.
#[derive(Serialize)]
pub struct Finding {
    level: Level,
    check: &'static str,
    #[serde(rename = "finding")]
    description: String,
    fix: Option<String>,
}

#[derive(Serialize)]
struct Report<'a> {
    worst: Level,
    findings: &'a [Finding],
}

pub async fn run(target: &Target, json: bool, Options { no_users }: Options) -> Result<Outcome, Error> {
    let deployment = target.find().await?;
    let now = Clock::System.now();
    let mut findings: Vec<_> = deployment.stack.as_ref().map(stack).into_iter().collect();
    // Boxed, as everywhere: the futures of so many SDK calls in one are too deep for the compiler.
    findings.extend(Box::pin(endpoint::check(&deployment)).await);
    findings.extend(Box::pin(keys::check(&deployment, now)).await);
    findings.extend(Box::pin(tables::check(&deployment)).await);
    let (of_clients, clients) = Box::pin(clients::check(&deployment, now)).await;
    findings.extend(of_clients);
    findings.extend(Box::pin(trusted_issuers::check(&deployment, &clients.issuers)).await);
    if !no_users {
        findings.extend(Box::pin(users::check(&deployment, &clients.ids)).await);
    }
    conclude(json, &findings)
}

fn conclude(json: bool, findings: &[Finding]) -> Result<Outcome, Error> {
    let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    output::result(json, &Report { worst, findings }, || {
        findings.iter().map(Finding::text).collect::<Vec<_>>().join("\n")
    })?;
    match worst {
        Level::Ok => Ok(Outcome::Done),
        Level::Warning => Ok(Outcome::NeedsAttention),
        Level::Error => {
            let errors = findings.iter().filter(|finding| finding.level == Level::Error).count();
            Err(Error::new(format!("{}; each finding says how to fix it", counted(errors, "error"))))
        }
    }
}

/// Checks the status of the stack.
fn stack(stack: &Stack) -> Finding {
    const CHECK: &str = "stack";
    let found = format!("{} is {}", stack.name, stack.status);
    match stack.status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => Finding::ok(CHECK, found),
        "UPDATE_ROLLBACK_COMPLETE" => Finding::warning(
            CHECK,
            format!("{found}: the last deployment failed and was rolled back"),
            format!(
                "see `aws cloudformation describe-stack-events --stack-name {}` for the cause; deploy again",
                stack.name
            ),
        ),
        status if status.ends_with("_IN_PROGRESS") => {
            Finding::warning(CHECK, found, "wait until it has finished, and run doctor again")
        }
        _ => Finding::error(
            CHECK,
            found,
            format!("see `aws cloudformation describe-stack-events --stack-name {}` for the cause", stack.name),
        ),
    }
}

impl Finding {
    fn ok(check: &'static str, description: impl Into<String>) -> Self {
        Self { level: Level::Ok, check, description: description.into(), fix: None }
    }

    fn warning(check: &'static str, description: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Warning, check, description: description.into(), fix: Some(fix.into()) }
    }

    fn error(check: &'static str, description: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Error, check, description: description.into(), fix: Some(fix.into()) }
    }

    /// Reports a check that could not run. The last part of an error message says what to do.
    fn not_run(level: Level, check: &'static str, error: Error) -> Self {
        let message = error.message();
        let (description, fix) =
            message.rsplit_once("; ").map_or((message.as_str(), None), |(description, fix)| (description, Some(fix)));
        Self { level, check, description: description.to_owned(), fix: fix.map(ToOwned::to_owned) }
    }

    fn text(&self) -> String {
        let (style, level) = match self.level {
            Level::Ok => (output::GOOD, "ok"),
            Level::Warning => (output::WARNING, "warning"),
            Level::Error => (output::BAD, "error"),
        };
        let line = format!("{style}{level:<7}{style:#}  {:<14}  {}", self.check, self.description);
        match &self.fix {
            Some(fix) => format!("{line}\n{:25}-> {fix}", ""),
            None => line,
        }
    }
}

/// Returns the first names of a list, and the number of the others.
fn named(names: &[String]) -> String {
    let first: Vec<_> = names.iter().take(NAMED).map(String::as_str).collect();
    match names.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
