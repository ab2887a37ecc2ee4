//! `countersign client update`: changes only the attributes that are given.

use clap::Args;
use countersign::client::{Client, ClientMetadata};

use super::settings::{Settings, attribute_names};
use super::{advice, change, print, read};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{input, output};

#[derive(Args)]
pub struct Options {
    /// The id of the client
    client_id: String,
    #[command(flatten)]
    settings: Settings,
    /// Allow one more scope (repeatable)
    #[arg(long, value_name = "SCOPE", conflicts_with = "scope", value_delimiter = ' ', value_parser = input::scope("--add-scope"))]
    add_scope: Vec<String>,
    /// Remove an allowed scope (repeatable)
    #[arg(long, value_name = "SCOPE", conflicts_with = "scope", value_delimiter = ' ')]
    remove_scope: Vec<String>,
    /// Allow one more resource (repeatable)
    #[arg(long, value_name = "URI", conflicts_with = "resource")]
    add_resource: Vec<String>,
    /// Remove an allowed resource (repeatable)
    #[arg(long, value_name = "URI", conflicts_with = "resource")]
    remove_resource: Vec<String>,
    /// Remove an attribute, so that the deployment's default applies (repeatable)
    #[arg(long, value_name = "ATTRIBUTE", value_parser = attribute_names())]
    unset: Vec<String>,
}

pub async fn run(deployment: &Deployment, json: bool, options: Options) -> Result<(), Error> {
    let stored = read(deployment, &options.client_id).await?;
    let before = ClientMetadata::of(&stored.record);
    let after = options.change(&stored.record)?;
    let client = if after.attributes() == before.attributes() {
        output::remark("no changes; nothing was written");
        stored.record
    } else {
        let set = |client: &mut Client, now| {
            after.write_to(client, now)?;
            Ok(None)
        };
        change(deployment, stored, set).await?
    };
    print(json, &client)?;
    for warning in advice(&client, deployment) {
        output::remark(&warning);
    }
    Ok(())
}

impl Options {
    /// Returns the attributes of the client with the changes.
    fn change(&self, client: &Client) -> Result<ClientMetadata, Error> {
        let mut metadata = ClientMetadata::of(client);
        metadata.extend(self.settings.metadata()?);
        let (scopes, resources) = (client.scopes.tokens(), client.resources.entries());
        for (name, members, added, removed) in [
            ("scope", scopes, &self.add_scope, &self.remove_scope),
            ("resource", resources, &self.add_resource, &self.remove_resource),
        ] {
            let mut members = members.clone();
            members.extend(added.iter().cloned());
            if let Some(unknown) = removed.iter().find(|member| !members.remove(*member)) {
                let client_id = &client.client_id;
                return Err(Error::new(format!(
                    "{client_id} has no {name} {unknown:?}; see `countersign client show`"
                )));
            }
            if !(added.is_empty() && removed.is_empty()) {
                metadata.set_list(&format!("{name}s"), &members);
            }
        }
        for name in &self.unset {
            metadata.remove(&name.replace('-', "_"));
        }
        Ok(metadata)
    }
}
