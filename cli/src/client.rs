//! `countersign client`: manages applications, services and their secrets.

use std::collections::HashSet;

use clap::Subcommand;
use countersign::client::Client;
use countersign::clock::Clock;
use countersign::store::{StoreError, Stored};

use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::{Outcome, input, output};

mod advice;
mod cert;
mod create;
mod delete;
mod key;
mod list;
mod retire_secret;
mod rotate_secret;
mod settings;
mod trust;
mod update;
mod view;

pub use advice::advice;
pub use create::{check_new_id, check_owner, make};
use settings::Settings;
pub use trust::check_issuer;
use view::{View, show};

const SHOWN_ONCE: &str = "the secret is not shown again; store it now";

#[derive(Subcommand)]
pub enum Command {
    /// Create a client, and print its id and, unless it is public, its secret, which is not shown again
    #[command(after_help = "Examples:
  countersign client create billing-cron --name 'Billing cron job' \\
    --grant-type client_credentials --scope 'billing:*' \\
    --default-scope billing:read
  countersign client create shop \\
    --grant-type password --grant-type refresh_token \\
    --scope orders:read --scope orders:write --system '{\"id\":7}'
  countersign client create web-app --public --refresh-token-cookie \\
    --allowed-origin https://app.example \\
    --grant-type password --grant-type refresh_token \\
    --scope orders:read --user-address source
  countersign client create report --no-secret --auth-method private_key_jwt \\
    --grant-type client_credentials --scope reports:write")]
    Create {
        /// The id of the client: letters, digits, - and _
        #[arg(value_parser = check_new_id)]
        client_id: String,
        #[command(flatten)]
        settings: Box<Settings>,
        /// Create no secret: the client will authenticate by a key, or by the token of its platform
        #[arg(long)]
        no_secret: bool,
    },
    /// List all clients
    List,
    /// Show a client and the state of its secrets
    Show {
        /// The id of the client
        client_id: String,
    },
    /// Change the given attributes of a client
    #[command(after_help = "Examples:
  countersign client update billing-cron \\
    --add-scope invoices:read --access-token-ttl 1h
  countersign client update billing-cron --unset audience")]
    Update(Box<update::Options>),
    /// Add a second secret to a client, and let the first one expire
    #[command(after_help = "Both secrets are valid until then. Deploy the new secret before the old one expires.

Example:
  countersign client rotate-secret billing-cron --expires-in 7d")]
    RotateSecret {
        /// The id of the client
        client_id: String,
        /// The time until the old secret expires (seconds, or 30m, 24h, 7d)
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = input::duration)]
        expires_in: u64,
    },
    /// Retire a secret of a client immediately
    RetireSecret(retire_secret::Options),
    /// Manage the public keys with which a client's assertions are verified (`private_key_jwt`)
    #[command(subcommand)]
    Key(key::Command),
    /// Manage the certificate with which a client authenticates (mutual TLS)
    #[command(subcommand)]
    Cert(cert::Command),
    /// Manage the workloads of other issuers that authenticate as the client, without a secret
    #[command(subcommand)]
    Trust(trust::Command),
    /// Disable a client: token requests fail as if the client were unknown
    Disable {
        /// The id of the client
        client_id: String,
    },
    /// Enable a disabled client
    Enable {
        /// The id of the client
        client_id: String,
    },
    /// Delete a client and its secrets
    Delete {
        /// The id of the client
        client_id: String,
        /// Do not prompt for confirmation
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(target: &Target, json: bool, command: Command) -> Result<Outcome, Error> {
    let deployment = target.find().await?;
    match command {
        Command::Create { client_id, settings, no_secret } => {
            create::run(&deployment, json, (client_id, no_secret), &settings).await?;
        }
        Command::List => return list::run(&deployment, json).await,
        Command::Show { client_id } => print(json, &read(&deployment, &client_id).await?.record)?,
        Command::Update(options) => update::run(&deployment, json, *options).await?,
        Command::RotateSecret { client_id, expires_in } => {
            rotate_secret::run(&deployment, json, &client_id, expires_in).await?;
        }
        Command::RetireSecret(options) => retire_secret::run(&deployment, json, &options).await?,
        Command::Key(command) => key::run(&deployment, json, command).await?,
        Command::Cert(command) => cert::run(&deployment, json, command).await?,
        Command::Trust(command) => return trust::run(&deployment, json, command).await,
        Command::Disable { client_id } => enable(&deployment, json, &client_id, false).await?,
        Command::Enable { client_id } => enable(&deployment, json, &client_id, true).await?,
        Command::Delete { client_id, yes } => delete::run(&deployment, json, &client_id, yes).await?,
    }
    Ok(Outcome::Done)
}

async fn enable(deployment: &Deployment, json: bool, client_id: &str, enabled: bool) -> Result<(), Error> {
    let stored = read(deployment, client_id).await?;
    if stored.record.enabled == enabled {
        return print(json, &stored.record);
    }
    let set = |client: &mut Client, _| {
        client.enabled = enabled;
        Ok(None)
    };
    print(json, &change(deployment, stored, set).await?)
}

/// A question before a write: true if `--yes` was given, and the text.
type Question = (bool, String);

/// Changes a client that was read: checks the rules between its attributes, announces the write, prompts for confirmation if
/// `change` returns a question, and writes. `change` gets the client and the time. Returns the changed client.
async fn change(
    deployment: &Deployment,
    mut stored: Stored<Client>,
    change: impl FnOnce(&mut Client, u64) -> Result<Option<Question>, Error>,
) -> Result<Client, Error> {
    let now = Clock::System.now();
    let question = change(&mut stored.record, now)?;
    stored.record.check()?;
    stored.record.updated_at = Some(now);
    deployment.announce().await?;
    if let Some((yes, question)) = question {
        input::confirm(yes, &question)?;
    }
    deployment.store.replace(&stored).await?;
    Ok(stored.record)
}

/// Reads a client, or returns the error that it does not exist.
async fn read(deployment: &Deployment, client_id: &str) -> Result<Stored<Client>, Error> {
    let stored = deployment.store.stored(client_id).await?;
    stored.ok_or_else(|| not_found(client_id))
}

/// Reads a client that can have these credentials: any client that is not public.
async fn read_confidential(
    deployment: &Deployment,
    client_id: &str,
    credentials: &str,
) -> Result<Stored<Client>, Error> {
    let stored = read(deployment, client_id).await?;
    if stored.record.is_public() {
        return Err(Error::new(format!(
            "{client_id} is a public client, which has no {credentials}; for a client with {credentials}: \
             `countersign client update {client_id} --unset token-endpoint-auth-method`"
        )));
    }
    Ok(stored)
}

/// Returns a reminder for a client that has no credential.
pub fn reminder(client: &Client) -> Option<String> {
    let id = &client.client_id;
    (!client.is_public() && !client.has_credential(Clock::System.now())).then(|| {
        format!(
            "{id} gets no tokens without a credential; add one with `countersign client key add` or `countersign \
             client trust add`"
        )
    })
}

/// Returns the question before a client that has lost its last active credential is written.
fn question_of_last_credential(client: &Client, now: u64, yes: bool) -> Option<Question> {
    let id = &client.client_id;
    let text = || format!("Retire the last active credential of {id}? The client will get no tokens.");
    (!client.has_credential(now)).then(|| (yes, text()))
}

fn not_found(client_id: &str) -> Error {
    Error::new(format!("client {client_id} not found; list clients with `countersign client list`"))
}

fn print(json: bool, client: &Client) -> Result<(), Error> {
    let view = View::new(client, Clock::System.now());
    output::result(json, &view, || show(&view))
}

/// Returns the ids of all clients. Scans the table.
pub async fn ids(deployment: &Deployment) -> Result<HashSet<String>, Error> {
    let mut ids = HashSet::new();
    let visit = |client_id, _: Result<Stored<Client>, StoreError>| {
        ids.insert(client_id);
        Ok::<_, Error>(())
    };
    deployment.store.scan(visit).await?;
    Ok(ids)
}
