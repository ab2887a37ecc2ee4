//! `countersign plan`: compares a file with the stored clients.

use std::path::PathBuf;

use clap::Args;
use countersign::client::ATTRIBUTES;

use crate::deployment::Target;
use crate::error::Error;
use crate::{Outcome, output};

mod file;
mod steps;

pub use file::{Wanted, read};
pub use steps::{Step, steps};

#[derive(Args)]
#[command(after_help = help())]
pub struct Options {
    /// The file
    #[arg(default_value = "clients.toml")]
    pub file: PathBuf,
    /// Delete clients that are not in the file
    #[arg(long)]
    pub prune: bool,
}

/// Returns the help of `plan` and `apply` about the file.
pub fn help() -> String {
    let attributes = ATTRIBUTES.map(|attribute| attribute.name).join(", ");
    format!(
        "The file:
  [clients.billing-cron]
  name = \"Billing cron job\"
  grant_types = [\"client_credentials\"]
  scopes = [\"billing:*\"]
  default_scopes = [\"billing:read\"]

  [scopes.\"billing:read\"]
  en = \"See your bills\"

Attributes: {attributes}.
Lifetimes are in seconds, or like \"15m\" and \"30d\". An attribute that is not in the file is removed
from the client, except enabled. Clients and texts of scopes that are not in the file are not
changed, except with --prune; texts only if the file has a table of scopes. A new client gets a
secret, which is printed once, unless it is public (token_endpoint_auth_method = \"none\").

Examples:
  countersign plan clients.toml  # exit code 3 if there are changes
  countersign apply clients.toml --yes"
    )
}

pub async fn run(target: &Target, json: bool, options: Options) -> Result<Outcome, Error> {
    let wanted = read(&options.file)?;
    let deployment = target.find().await?;
    let steps = steps(&deployment, wanted, options.prune).await?;
    show(json, &steps)?;
    Ok(if steps.is_empty() { Outcome::Done } else { Outcome::NeedsAttention })
}

/// Prints the changes.
pub fn show(json: bool, steps: &[Step]) -> Result<(), Error> {
    let value: Vec<_> = steps.iter().map(Step::to_json).collect();
    output::result(json, &value, || {
        if steps.is_empty() {
            return "No changes.".to_owned();
        }
        steps.iter().map(Step::text).collect::<Vec<_>>().join("\n")
    })
}
