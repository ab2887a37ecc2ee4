//! `countersign apply`: makes clients and texts of scopes equal to a file.

use clap::Args;
use countersign::client::Client;
use serde_json::{Value, json};

use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::plan::{self, Step, steps};
use crate::{Outcome, client, input, output};

#[derive(Args)]
#[command(after_help = plan::help())]
pub struct ApplyOptions {
    #[command(flatten)]
    plan: plan::Options,
    /// Do not prompt for confirmation
    #[arg(long)]
    yes: bool,
}

pub async fn run(target: &Target, json: bool, ApplyOptions { plan, yes }: ApplyOptions) -> Result<Outcome, Error> {
    let wanted = plan::read(&plan.file)?;
    if json && !yes {
        return Err(Error::new("--json does not show the changes; check them with `countersign plan`, and add --yes"));
    }
    let deployment = target.find().await?;
    let steps = steps(&deployment, wanted, plan.prune).await?;
    if steps.is_empty() || !json {
        plan::show(json, &steps)?;
    }
    if steps.is_empty() {
        return Ok(Outcome::Done);
    }
    deployment.announce().await?;
    input::confirm(yes, "Apply these changes?")?;
    let count = steps.len();
    let (applied, failed) = apply_all(&deployment, json, steps).await?;
    if json {
        let unprinted =
            |_| Error::new("applied, but cannot print the secrets; get others with `countersign client rotate-secret`");
        output::result(true, &applied, String::new).map_err(unprinted)?;
    }
    let secrets = applied.iter().any(|one| one.get("client_secret").is_some_and(Value::is_string));
    let applied = applied.len();
    if let Some(failed) = failed {
        return Err(Error::new(format!("{failed} ({applied} of {count} changes applied; apply again for the others)")));
    }
    let once = if secrets { "; secrets are not shown again" } else { "" };
    output::remark(&format!("{applied} applied{once}"));
    Ok(Outcome::Done)
}

/// Applies the steps until one fails. Returns the applied ones as JSON, and the error.
async fn apply_all(
    deployment: &Deployment,
    json: bool,
    steps: Vec<Step>,
) -> Result<(Vec<Value>, Option<String>), Error> {
    let mut applied = Vec::new();
    for step in steps {
        let client_id = step.client_id().map(ToOwned::to_owned);
        match apply(deployment, step).await {
            Ok(secret) => {
                if let (false, Some(client_id), Some(secret)) = (json, &client_id, &secret) {
                    // Printed immediately, because a later step may fail.
                    output::secret(false, client_id, secret)?;
                }
                applied.push(client_id.map_or_else(
                    || json!({"step": "describe"}),
                    |client_id| json!({"client_id": client_id, "client_secret": secret}),
                ));
            }
            Err(error) => {
                let name = client_id.as_deref().unwrap_or("texts of scopes");
                return Ok((applied, Some(format!("{name}: {}", error.message()))));
            }
        }
    }
    Ok((applied, None))
}

/// Applies one step. Returns the secret of a new client, unless it is public.
async fn apply(deployment: &Deployment, step: Step) -> Result<Option<String>, Error> {
    match step {
        Step::Create(new) => {
            let needs_secret = new.token_endpoint_auth_method.is_none() && new.federated.is_empty();
            let reminder = client::reminder(&new).filter(|_| !needs_secret);
            let secret = client::make(deployment, *new, needs_secret).await?;
            if let Some(reminder) = reminder {
                output::remark(&reminder);
            }
            return Ok(secret);
        }
        Step::Update(stored, _) => drop(deployment.store.replace(&stored).await?),
        Step::Describe(change, _) => change.write(deployment).await?,
        Step::Delete(client_id) => deployment.store.delete::<Client>(&client_id).await?,
    }
    Ok(None)
}
