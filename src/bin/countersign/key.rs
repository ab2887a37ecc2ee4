//! `countersign key`: where the signing keys stand, and their rotation by the same code as the function's.

use clap::Subcommand;
use countersign::clock::Clock;
use countersign::keys::{KeyState, Stage};
use countersign::rotation::{Keys, Report, Request};

use crate::deployment::{Deployment, Target};
use crate::fault::Fault;
use crate::{Outcome, input, output};

/// The key that signs, in place of its kid.
const CURRENT: &str = "current";

#[derive(Subcommand)]
pub enum Command {
    /// Lists the keys: what each does, since when, and until when
    List,
    /// Has the next key sign, if every verifier can have seen it
    #[command(after_help = "Examples:
  countersign key rotate
  countersign key rotate --emergency            drops the key that signs
  countersign key rotate --emergency KID        drops that one

An emergency drops the key at once: what it signed is refused as soon as verifiers look again.")]
    Rotate {
        /// Drops a compromised key: this one, or the one that signs
        #[arg(long, value_name = "KID", num_args = 0..=1, default_missing_value = CURRENT)]
        emergency: Option<String>,
        /// Does not ask before an emergency
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(target: &Target, json: bool, command: Command) -> Result<Outcome, Fault> {
    let deployment = target.find().await?;
    match command {
        Command::List => list(&deployment, json).await,
        Command::Rotate { emergency: None, .. } => {
            deployment.announce().await?;
            let report = deployment.rotation()?.run(Request::Rotate { after: 0 }).await?;
            tell(json, &report)
        }
        Command::Rotate { emergency: Some(kid), yes } => emergency(&deployment, json, &kid, yes).await,
    }
}

async fn emergency(deployment: &Deployment, json: bool, kid: &str, yes: bool) -> Result<Outcome, Fault> {
    let rotation = deployment.rotation()?;
    let Keys { states, are_rotated, .. } = rotation.keys().await?;
    if !are_rotated {
        return Err(Fault::new("the secret is a key of your own: put another one there"));
    }
    let is_meant = |key: &&KeyState| key.kid == kid || (kid == CURRENT && key.stage == Stage::Current);
    let Some(KeyState { kid, .. }) = states.iter().find(is_meant) else {
        return Err(Fault::new(format!("there is no key {kid}; `countersign key list` shows all")));
    };
    deployment.announce().await?;
    input::confirm(yes, &format!("Drop the key {kid}? All tokens that it signed are refused from then on."))?;
    let report = rotation.run(Request::Emergency(kid)).await?;
    tell(json, &report)
}

fn tell(json: bool, report: &Report) -> Result<Outcome, Fault> {
    output::result(json, report, || {
        output::record([
            ("changed", Some(report.reason.map_or_else(|| "yes".to_owned(), |reason| format!("no: {reason}")))),
            ("current", report.current.clone()),
            ("next", report.next.clone()),
            ("previous", (!report.previous.is_empty()).then(|| output::list(&report.previous))),
        ])
    })?;
    // Whoever asked for a rotation is to notice that there was none.
    Ok(if report.changed { Outcome::Done } else { Outcome::LookCloser })
}

async fn list(deployment: &Deployment, json: bool) -> Result<Outcome, Fault> {
    let keys = deployment.rotation()?.keys().await?;
    let now = Clock::System.now();
    output::result(json, &keys.states, || {
        let rows = keys.states.iter().map(|key| {
            let age = key.created_at.map_or_else(|| "-".to_owned(), |at| output::span(now.saturating_sub(at)));
            let stage = format!("{:?}", key.stage).to_lowercase();
            vec![key.kid.clone(), key.algorithm.clone(), stage, age, what_comes(deployment, &keys, key)]
        });
        output::table(&["KID", "ALGORITHM", "STAGE", "AGE", "WHAT COMES"], rows)
    })?;
    Ok(Outcome::Done)
}

/// What becomes of a key, and when.
fn what_comes(deployment: &Deployment, keys: &Keys, key: &KeyState) -> String {
    let day = 24 * 60 * 60;
    let days = deployment.stack.as_ref().and_then(|stack| stack.value("RotationDays")?.parse::<u64>().ok());
    match key.stage {
        _ if !keys.are_rotated => "signs for as long as it is there: it is a key of your own".to_owned(),
        Stage::Current => match (key.signs_since, days) {
            (Some(since), Some(days)) => format!("retires on {}", output::time(since.saturating_add(days * day))),
            _ => "retires at the next rotation".to_owned(),
        },
        Stage::Next => match key.public_since {
            Some(since) => {
                let from = since.saturating_add(deployment.rotation_config.key_public_for.into());
                format!("may sign from {}", output::time(from))
            }
            None => "waits for a rotation to see it".to_owned(),
        },
        Stage::Previous => match key.leaves_at {
            Some(at) => format!("leaves on {}", output::time(at)),
            None => "stays public until the next rotation".to_owned(),
        },
    }
}
