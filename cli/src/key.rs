//! `countersign key`: lists the signing keys, and rotates them with the code of the rotation function.

use clap::Subcommand;
use countersign::clock::Clock;
use countersign::keys::{KeyStatus, Keys, RotationReport, RotationRequest, Stage};

use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::{Outcome, output};

mod emergency;

/// Names the current key without its kid.
const CURRENT: &str = "current";

#[derive(Subcommand)]
pub enum Command {
    /// List the keys with their stage, age and next stage
    List,
    /// Promote the next signing key, once verifiers have had time to fetch it
    #[command(after_help = "Examples:
  countersign key rotate
  countersign key rotate --emergency     # removes the current key
  countersign key rotate --emergency=VDo0id-sVYG4pCwieEgWoGvsCuJcwHvrUhdhZaoP8rU

An emergency removes the key from the secret immediately. The output says until when execution
environments may still sign with it, and until when verifiers may accept its tokens.")]
    Rotate {
        /// Remove a compromised key: this key, or the current key if no KID is given
        #[arg(long, value_name = "KID", num_args = 0..=1, require_equals = true, default_missing_value = CURRENT)]
        emergency: Option<String>,
        /// Do not prompt for confirmation before an emergency
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(target: &Target, json: bool, command: Command) -> Result<Outcome, Error> {
    let deployment = target.find().await?;
    match command {
        Command::List => list(&deployment, json).await,
        Command::Rotate { emergency: None, .. } => {
            let rotation = deployment.rotation()?;
            let before = current(&deployment.keys().await?).map(|key| key.kid.clone());
            deployment.announce().await?;
            let mut report = rotation.run(RotationRequest::Rotate { after: 0 }).await?;
            if report.changed && report.current == before {
                report.reason = Some("the next key had to be published first");
            }
            print(json, &report)
        }
        Command::Rotate { emergency: Some(kid), yes } => emergency::run(&deployment, json, &kid, yes).await,
    }
}

fn current(keys: &Keys) -> Option<&KeyStatus> {
    keys.states.iter().find(|key| key.stage == Stage::Current)
}

fn print(json: bool, report: &RotationReport) -> Result<Outcome, Error> {
    output::result(json, report, || output::record(rows(report)))?;
    // The exit code shows that no key was rotated.
    Ok(if report.reason.is_none() { Outcome::Done } else { Outcome::NeedsAttention })
}

/// Formats the keys after a rotation as rows of a record.
fn rows(report: &RotationReport) -> [(&'static str, Option<String>); 4] {
    [
        ("rotated", Some(report.reason.map_or_else(|| "yes".to_owned(), |reason| format!("no: {reason}")))),
        ("current", report.current.clone()),
        ("next", report.next.clone()),
        ("previous", (!report.previous.is_empty()).then(|| output::list(&report.previous))),
    ]
}

async fn list(deployment: &Deployment, json: bool) -> Result<Outcome, Error> {
    let keys = deployment.keys().await?;
    let now = Clock::System.now();
    output::result(json, &keys.states, || {
        let rows = keys.states.iter().map(|key| {
            let age = key.created_at.map_or_else(|| "-".to_owned(), |at| output::duration(now.saturating_sub(at)));
            let stage = format!("{:?}", key.stage).to_lowercase();
            vec![key.kid.clone(), key.algorithm.name().to_owned(), stage, age, next_change(deployment, &keys, key)]
        });
        output::table(&["KID", "ALGORITHM", "STAGE", "AGE", "UPCOMING"], rows)
    })?;
    Ok(Outcome::Done)
}

/// Describes the next change of a key, and when it happens.
fn next_change(deployment: &Deployment, keys: &Keys, key: &KeyStatus) -> String {
    let public_for = deployment.rotation_config.as_ref().ok().map(|config| u64::from(config.policy.public_for));
    match key.stage {
        _ if !keys.are_rotated => "none: externally managed".to_owned(),
        Stage::Current => match key.signs_since.zip(deployment.signs_for()) {
            Some((since, signs_for)) => format!("retires on {}", output::time(since.saturating_add(signs_for))),
            None => "retires at the next rotation".to_owned(),
        },
        Stage::Next => match (key.public_since, public_for) {
            (Some(since), Some(public_for)) => {
                format!("may sign from {}", output::time(since.saturating_add(public_for)))
            }
            (Some(since), None) => format!("public since {}", output::time(since)),
            (None, _) => "starts at the next rotation".to_owned(),
        },
        Stage::Previous => match key.leaves_at {
            Some(at) => format!("leaves on {}", output::time(at)),
            None => "stays public until the next rotation".to_owned(),
        },
    }
}
