//! The changes of a plan.

use std::collections::{BTreeMap, BTreeSet};

use countersign::client::{Client, ClientMetadata};
use countersign::clock::Clock;
use countersign::scope::Sentences;
use countersign::store::Stored;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Wanted;
use crate::client::check_new_id;
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{client, output, scope, user};

/// One change of a plan.
pub enum Step {
    Create(Box<Client>),
    Update(Box<Stored<Client>>, Vec<Difference>),
    Delete(String),
    /// Changes the texts of scopes. A difference is that of a scope.
    Describe(Box<scope::Change>, Vec<Difference>),
}

/// An attribute that changes.
#[derive(Serialize)]
pub struct Difference {
    attribute: String,
    from: Option<Value>,
    to: Option<Value>,
}

/// Compares the file with the stored clients. Returns the steps that remove the differences.
pub async fn steps(
    deployment: &Deployment,
    Wanted { clients: wanted, scopes }: Wanted,
    prune: bool,
) -> Result<Vec<Step>, Error> {
    if prune && wanted.is_empty() {
        return Err(Error::new("the file has no clients, and --prune would delete all clients; check the file"));
    }
    let mut stored = BTreeMap::new();
    let visit = |client_id, client: Result<Stored<Client>, _>| {
        stored.insert(client_id, client);
        Ok::<_, Error>(())
    };
    deployment.store.scan(visit).await?;
    let ids = wanted.iter().map(|(client, _)| client.client_id.as_str());
    check_new_ids(deployment, ids.filter(|id| !stored.contains_key(*id)).collect()).await?;
    let mut steps = Vec::new();
    let now = Clock::System.now();
    for (client, metadata) in wanted {
        let Some(found) = stored.remove(&client.client_id) else {
            check_new_id(&client.client_id).map_err(|error| Error::new(format!("{}: {error}", client.client_id)))?;
            steps.push(Step::Create(Box::new(client)));
            continue;
        };
        let mut found =
            found.map_err(|error| Error::new(format!("{}: {}", client.client_id, Error::from(error).message())))?;
        let differences = differences(&ClientMetadata::of(&found.record), &metadata);
        if !differences.is_empty() {
            metadata.write_to(&mut found.record, now)?;
            steps.push(Step::Update(Box::new(found), differences));
        }
    }
    if prune {
        steps.extend(stored.into_keys().map(Step::Delete));
    } else if !stored.is_empty() {
        let ids: Vec<_> = stored.into_keys().collect();
        output::remark(&format!("not in the file, not changed: {}", ids.join(", ")));
    }
    for client in steps.iter().filter_map(Step::client) {
        let own_issuer = &deployment.config.issuer;
        let checked = client.federated.iter().try_for_each(|trust| client::check_issuer(own_issuer, trust));
        checked.map_err(|error| Error::new(format!("{}: {}", client.client_id, error.message())))?;
        for warning in client::advice(client, deployment) {
            output::remark(&warning);
        }
    }
    if let Some(scopes) = scopes {
        steps.extend(describe(deployment, scopes, prune).await?);
    }
    Ok(steps)
}

/// Compares the texts of the file with the stored ones. Returns the step that removes the differences, if there are any.
async fn describe(
    deployment: &Deployment,
    wanted: BTreeMap<String, Sentences>,
    prune: bool,
) -> Result<Option<Step>, Error> {
    let mut change = scope::Change::read(deployment).await?;
    let before = change.texts().entries().clone();
    let mut after = if prune { BTreeMap::new() } else { before.clone() };
    after.extend(wanted);
    after.retain(|_, sentences| !sentences.is_empty());
    let object = |entries: &BTreeMap<String, Sentences>| {
        entries.iter().map(|(scope, sentences)| (scope.clone(), json!(sentences))).collect()
    };
    let differences = different(&object(&before), &object(&after));
    change.replace(after)?;
    Ok((!differences.is_empty()).then(|| Step::Describe(Box::new(change), differences)))
}

/// Rejects new ids that are the `user_id` of a user. Scans the users only if there is a new id.
async fn check_new_ids(deployment: &Deployment, ids: Vec<&str>) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let owners = user::owners(deployment).await?;
    ids.into_iter().try_for_each(|id| client::check_owner(&owners, id))
}

fn differences(from: &ClientMetadata, to: &ClientMetadata) -> Vec<Difference> {
    let (from, mut to) = (from.attributes(), to.attributes());
    // An absent `enabled` is not a difference.
    if let Some(enabled) = from.get("enabled") {
        to.entry("enabled").or_insert_with(|| enabled.clone());
    }
    different(&from, &to)
}

/// Returns the members that differ between two objects.
fn different(from: &Map<String, Value>, to: &Map<String, Value>) -> Vec<Difference> {
    let names: BTreeSet<_> = from.keys().chain(to.keys()).collect();
    names
        .into_iter()
        .filter(|name| from.get(*name) != to.get(*name))
        .map(|name| Difference { attribute: name.clone(), from: from.get(name).cloned(), to: to.get(name).cloned() })
        .collect()
}

impl Step {
    /// Returns the id of the client, if the step changes a client.
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Self::Create(client) => Some(&client.client_id),
            Self::Update(stored, _) => Some(&stored.record.client_id),
            Self::Delete(client_id) => Some(client_id),
            Self::Describe(..) => None,
        }
    }

    /// Returns the client that the step writes.
    fn client(&self) -> Option<&Client> {
        match self {
            Self::Create(client) => Some(client),
            Self::Update(stored, _) => Some(&stored.record),
            Self::Delete(_) | Self::Describe(..) => None,
        }
    }

    pub fn to_json(&self) -> Value {
        match self {
            Self::Create(client) => {
                json!({"client_id": client.client_id, "step": "create", "client": ClientMetadata::of(client).attributes()})
            }
            Self::Update(stored, differences) => {
                json!({"client_id": stored.record.client_id, "step": "update", "differences": differences})
            }
            Self::Delete(client_id) => json!({"client_id": client_id, "step": "delete"}),
            Self::Describe(_, differences) => json!({"step": "describe", "differences": differences}),
        }
    }

    pub fn text(&self) -> String {
        let (good, bad, warning) = (output::GOOD, output::BAD, output::WARNING);
        match self {
            Self::Create(client) => {
                let attributes = differences(&ClientMetadata::default(), &ClientMetadata::of(client));
                let lines =
                    attributes.iter().map(|one| format!("    {}: {}", one.attribute, value_text(one.to.as_ref())));
                format!("{good}+ {}{good:#}\n{}", client.client_id, lines.collect::<Vec<_>>().join("\n"))
            }
            Self::Update(stored, differences) => {
                format!("{warning}~ {}{warning:#}\n{}", stored.record.client_id, changes(differences))
            }
            Self::Describe(_, differences) => {
                format!("{warning}~ texts of scopes{warning:#}\n{}", changes(differences))
            }
            Self::Delete(client_id) => format!("{bad}- {client_id}{bad:#}"),
        }
    }
}

fn changes(differences: &[Difference]) -> String {
    let lines = differences.iter().map(|one| {
        let (from, to) = (value_text(one.from.as_ref()), value_text(one.to.as_ref()));
        format!("    {}: {from} -> {to}", one.attribute)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn value_text(value: Option<&Value>) -> String {
    value.map_or_else(|| "none".to_owned(), Value::to_string)
}
