//! `countersign plan` and `countersign apply`: clients as code, in a file without secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use countersign::client::Client;
use countersign::clock::Clock;
use countersign::store::Stored;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::spec::{Spec, check_new_id};
use crate::{Outcome, client, input, output, user};

const EXAMPLE: &str = "The file:
  [clients.billing-cron]
  name = \"Billing cron job\"
  grant_types = [\"client_credentials\"]
  scopes = [\"billing:*\"]
  default_scopes = [\"billing:read\"]

Further attributes: audience, access_token_ttl, refresh_token_ttl (in seconds), allowed_origins,
enabled, [clients.ID.system]. An attribute that is not in the file is removed from the client, except
enabled. Clients that are not in the file are not changed, except with --prune. A new client gets a
secret, which is printed once.

Examples:
  countersign plan clients.toml            exit code 3 if there are changes
  countersign apply clients.toml --yes";

#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct Options {
    /// The file
    #[arg(default_value = "clients.toml")]
    file: PathBuf,
    /// Delete clients that are not in the file
    #[arg(long)]
    prune: bool,
}

#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct ApplyOptions {
    #[command(flatten)]
    plan: Options,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    clients: BTreeMap<String, Spec>,
}

/// One change of a plan.
enum Step {
    Create(Box<Client>),
    Update(Box<Stored<Client>>, Vec<Difference>),
    Delete(String),
}

/// An attribute that changes.
#[derive(Serialize)]
struct Difference {
    attribute: String,
    from: Option<Value>,
    to: Option<Value>,
}

pub async fn run(target: &Target, json: bool, options: Options) -> Result<Outcome, Error> {
    let wanted = read(&options.file)?;
    let deployment = target.find().await?;
    let steps = steps(&deployment, wanted, options.prune).await?;
    show(json, &steps)?;
    Ok(if steps.is_empty() { Outcome::Done } else { Outcome::LookCloser })
}

pub async fn apply(target: &Target, json: bool, ApplyOptions { plan, yes }: ApplyOptions) -> Result<Outcome, Error> {
    let wanted = read(&plan.file)?;
    if json && !yes {
        return Err(Error::new("--json does not show the changes; check them with `countersign plan`, and add --yes"));
    }
    let deployment = target.find().await?;
    let steps = steps(&deployment, wanted, plan.prune).await?;
    if steps.is_empty() || !json {
        show(json, &steps)?;
    }
    if steps.is_empty() {
        return Ok(Outcome::Done);
    }
    deployment.announce().await?;
    input::confirm(yes, "Apply these changes?")?;
    let mut done = Vec::new();
    let count = steps.len();
    let mut failed = None;
    for step in steps {
        let client_id = step.client_id().to_owned();
        match take(&deployment, step).await {
            Ok(secret) => {
                if let (false, Some(secret)) = (json, &secret) {
                    // Printed immediately, because a later step may fail.
                    output::secret(false, &client_id, secret)?;
                }
                done.push(json!({"client_id": client_id, "client_secret": secret}));
            }
            Err(error) => {
                failed = Some(format!("{client_id}: {}", error.message()));
                break;
            }
        }
    }
    if json {
        let unread =
            |_| Error::new("applied, but cannot print the secrets; get others with `countersign client rotate-secret`");
        output::result(true, &done, String::new).map_err(unread)?;
    }
    let secrets = done.iter().any(|one| one.get("client_secret").is_some_and(Value::is_string));
    let done = done.len();
    if let Some(failed) = failed {
        return Err(Error::new(format!("{failed} ({done} of {count} changes applied; apply again for the others)")));
    }
    let once = if secrets { "; secrets are not shown again" } else { "" };
    output::remark(&format!("{done} applied{once}"));
    Ok(Outcome::Done)
}

/// Applies one step. Returns the secret of a new client.
async fn take(deployment: &Deployment, step: Step) -> Result<Option<String>, Error> {
    match step {
        Step::Create(new) => client::make(deployment, *new).await.map(Some),
        Step::Update(stored, _) => {
            deployment.store.replace(&stored).await?;
            Ok(None)
        }
        Step::Delete(client_id) => {
            deployment.store.delete::<Client>(&client_id).await?;
            Ok(None)
        }
    }
}

/// Reads the file and checks every client in it.
fn read(file: &Path) -> Result<Vec<(Client, Spec)>, Error> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| Error::new(format!("cannot read {name}: {error}")))?;
    let parsed: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| text.get(..span.start).unwrap_or_default().lines().count().max(1));
        let hint = if error.message().contains("`secret") { "; secrets are not allowed in the file" } else { "" };
        // A value is in quotes, and may be a secret.
        let message = error.message().split('"').next().unwrap_or_default().trim_end();
        Error::new(format!("{name}, line {line}: {message}{hint}"))
    })?;
    let now = Clock::System.now();
    let check = |(client_id, spec): (String, Spec)| {
        let error = |error: String| Error::new(format!("{name}, client {client_id}: {error}"));
        let spec = Spec { system: spec.system.map(plain).transpose().map_err(error)?, ..spec };
        let mut client = Client::new(client_id.clone(), now);
        spec.clone().write_to(&mut client, now).map_err(error)?;
        Ok((client, spec))
    };
    parsed.clients.into_iter().map(check).collect()
}

/// Converts a TOML table to JSON in the form that the store returns: whole numbers without a point. Rejects dates.
fn plain(table: Map<String, Value>) -> Result<Map<String, Value>, String> {
    fn plain_value(value: Value) -> Result<Value, String> {
        Ok(match value {
            Value::Number(number) => {
                let whole = number.as_f64().filter(|_| number.is_f64()).map(|float| format!("{float}"));
                whole.and_then(|whole| whole.parse::<i64>().ok()).map_or(Value::Number(number), Value::from)
            }
            // TOML has no null: this was nan or inf.
            Value::Null => return Err("system has a number that JSON cannot express (nan, inf); remove it".to_owned()),
            Value::Array(values) => values.into_iter().map(plain_value).collect::<Result<_, _>>()?,
            Value::Object(members) => Value::Object(plain(members)?),
            other => other,
        })
    }
    if table.keys().any(|name| name.starts_with("$__toml_private")) {
        return Err("system has a date, which JSON cannot express; write it in quotes".to_owned());
    }
    table.into_iter().map(|(name, member)| Ok((name, plain_value(member)?))).collect()
}

/// Compares the file with the stored clients. Returns the steps that remove the differences.
async fn steps(deployment: &Deployment, wanted: Vec<(Client, Spec)>, prune: bool) -> Result<Vec<Step>, Error> {
    if prune && wanted.is_empty() {
        return Err(Error::new("the file has no clients, and --prune would delete all clients; check the file"));
    }
    let mut stored = BTreeMap::new();
    let see = |client_id, client: Result<Stored<Client>, _>| {
        stored.insert(client_id, client);
        Ok::<_, Error>(())
    };
    deployment.store.scan(see).await?;
    let ids = wanted.iter().map(|(client, _)| client.client_id.as_str());
    check_new_ids(deployment, ids.filter(|id| !stored.contains_key(*id)).collect()).await?;
    let mut steps = Vec::new();
    let now = Clock::System.now();
    for (client, spec) in wanted {
        let Some(found) = stored.remove(&client.client_id) else {
            check_new_id(&client.client_id).map_err(|error| Error::new(format!("{}: {error}", client.client_id)))?;
            steps.push(Step::Create(Box::new(client)));
            continue;
        };
        let mut found =
            found.map_err(|error| Error::new(format!("{}: {}", client.client_id, Error::from(error).message())))?;
        let differences = differences(&Spec::from(&found.record), &spec);
        if !differences.is_empty() {
            spec.write_to(&mut found.record, now).map_err(Error::new)?;
            steps.push(Step::Update(Box::new(found), differences));
        }
    }
    if prune {
        steps.extend(stored.into_keys().map(Step::Delete));
    } else if !stored.is_empty() {
        let ids: Vec<_> = stored.into_keys().collect();
        output::remark(&format!("not in the file, not changed: {}", ids.join(", ")));
    }
    Ok(steps)
}

/// Rejects new ids that are the `user_id` of a user. Scans the users only if there is a new id.
async fn check_new_ids(deployment: &Deployment, ids: Vec<&str>) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let owners = user::owners(deployment).await?;
    ids.into_iter().try_for_each(|id| client::check_owner(&owners, id))
}

fn differences(from: &Spec, to: &Spec) -> Vec<Difference> {
    // An absent `enabled` is not a difference.
    let to = &Spec { enabled: to.enabled.or(from.enabled), ..to.clone() };
    let (from, to) = (from.attributes(), to.attributes());
    let names: BTreeSet<_> = from.keys().chain(to.keys()).collect();
    names
        .into_iter()
        .filter(|name| from.get(*name) != to.get(*name))
        .map(|name| Difference { attribute: name.clone(), from: from.get(name).cloned(), to: to.get(name).cloned() })
        .collect()
}

impl Step {
    fn client_id(&self) -> &str {
        match self {
            Self::Create(client) => &client.client_id,
            Self::Update(stored, _) => &stored.record.client_id,
            Self::Delete(client_id) => client_id,
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Create(client) => {
                json!({"client_id": client.client_id, "step": "create", "client": Spec::from(&**client)})
            }
            Self::Update(stored, differences) => {
                json!({"client_id": stored.record.client_id, "step": "update", "differences": differences})
            }
            Self::Delete(client_id) => json!({"client_id": client_id, "step": "delete"}),
        }
    }

    fn in_words(&self) -> String {
        let (good, bad, warning) = (output::GOOD, output::BAD, output::WARNING);
        match self {
            Self::Create(client) => {
                let attributes = differences(&Spec::default(), &Spec::from(&**client));
                let lines = attributes.iter().map(|one| format!("    {}: {}", one.attribute, words(one.to.as_ref())));
                format!("{good}+ {}{good:#}\n{}", client.client_id, lines.collect::<Vec<_>>().join("\n"))
            }
            Self::Update(stored, differences) => {
                let lines = differences.iter().map(|one| {
                    format!("    {}: {} -> {}", one.attribute, words(one.from.as_ref()), words(one.to.as_ref()))
                });
                format!("{warning}~ {}{warning:#}\n{}", stored.record.client_id, lines.collect::<Vec<_>>().join("\n"))
            }
            Self::Delete(client_id) => format!("{bad}- {client_id}{bad:#}"),
        }
    }
}

fn words(value: Option<&Value>) -> String {
    value.map_or_else(|| "none".to_owned(), Value::to_string)
}

fn show(json: bool, steps: &[Step]) -> Result<(), Error> {
    let value: Vec<_> = steps.iter().map(Step::to_json).collect();
    output::result(json, &value, || {
        if steps.is_empty() {
            return "No changes.".to_owned();
        }
        steps.iter().map(Step::in_words).collect::<Vec<_>>().join("\n")
    })
}
