//! `countersign client`: manages applications, services and their secrets.

use std::collections::{HashMap, HashSet};

use clap::{Args, Subcommand, ValueEnum};
use countersign::client::{Client, MAX_ACTIVE_SECRETS, Secret};
use countersign::clock::Clock;
use countersign::grant::GrantType;
use countersign::store::{Created, StoreError, Stored};
use serde_json::json;

use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::spec::{Spec, check_new_id};
use crate::{Outcome, input, output, user};

mod view;

use view::{View, show};

#[derive(Subcommand)]
pub enum Command {
    /// Create a client, and print its id and its secret, which is not shown again
    #[command(after_help = "Examples:
  countersign client create billing-cron --name 'Billing cron job' \\
    --grant-type client_credentials --scope 'billing:*' --default-scope billing:read
  countersign client create shop --grant-type password --grant-type refresh_token \\
    --scope orders:read --scope orders:write --system '{\"id\":7}'")]
    Create {
        /// The id of the client: letters, digits, - and _
        #[arg(value_parser = check_new_id)]
        client_id: String,
        #[command(flatten)]
        settings: Settings,
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
  countersign client update billing-cron --add-scope invoices:read --access-token-ttl 1h
  countersign client update billing-cron --unset audience")]
    Update {
        /// The id of the client
        client_id: String,
        #[command(flatten)]
        settings: Settings,
        /// Allow one more scope (repeatable)
        #[arg(long, value_name = "SCOPE", conflicts_with = "scope")]
        add_scope: Vec<String>,
        /// Remove an allowed scope (repeatable)
        #[arg(long, value_name = "SCOPE", conflicts_with = "scope")]
        remove_scope: Vec<String>,
        /// Remove an attribute, so that the deployment's default applies (repeatable)
        #[arg(long, value_name = "ATTRIBUTE")]
        unset: Vec<Attribute>,
    },
    /// Add a second secret to a client, and let the first one expire
    #[command(after_help = "Both secrets are valid until then. Deploy the new secret before the old one expires.

Example:
  countersign client rotate-secret billing-cron --expires-in 7d")]
    RotateSecret {
        /// The id of the client
        client_id: String,
        /// The time until the old secret expires (seconds, or 30m, 24h, 7d)
        #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = input::span)]
        expires_in: u64,
    },
    /// Retire a secret of a client immediately
    RetireSecret {
        /// The id of the client
        client_id: String,
        /// The id of the secret, from `client show`
        secret_id: String,
        /// Do not ask for confirmation, even if it is the last active secret
        #[arg(long)]
        yes: bool,
    },
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
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

/// The attributes of a client, as flags.
#[derive(Args)]
pub struct Settings {
    /// A descriptive name
    #[arg(long)]
    name: Option<String>,
    /// An allowed grant type (repeatable)
    #[arg(long = "grant-type", value_name = "GRANT", value_parser = GrantType::ALL.map(GrantType::as_str))]
    grant_types: Vec<String>,
    /// An allowed scope, exact or ending in * (repeatable)
    #[arg(id = "scope", long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A scope that a token gets if the request has no scope (repeatable)
    #[arg(long = "default-scope", value_name = "SCOPE")]
    default_scopes: Vec<String>,
    /// The audience of tokens of version 2, if it is not the issuer
    #[arg(long)]
    audience: Option<String>,
    /// The lifetime of access tokens (seconds, or 30m, 12h)
    #[arg(long, value_name = "SPAN", value_parser = ttl)]
    access_token_ttl: Option<u32>,
    /// The idle lifetime of refresh tokens (seconds, or 12h, 30d)
    #[arg(long, value_name = "SPAN", value_parser = ttl)]
    refresh_token_ttl: Option<u32>,
    /// A browser origin whose pages may read token responses, as a browser sends it (repeatable)
    #[arg(long = "allowed-origin", value_name = "ORIGIN")]
    allowed_origins: Vec<String>,
    /// The `system` claim of tokens of version 1
    #[arg(long, value_name = "JSON", value_parser = input::object)]
    system: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Attribute {
    Name,
    GrantTypes,
    Scopes,
    DefaultScopes,
    Audience,
    AccessTokenTtl,
    RefreshTokenTtl,
    AllowedOrigins,
    System,
}

fn ttl(text: &str) -> Result<u32, String> {
    input::span(text)?.try_into().map_err(|_| "the duration is too long".to_owned())
}

impl Settings {
    /// Copies the attributes that were given to a spec.
    fn write_to(self, spec: &mut Spec) {
        fn set<T>(named: Option<T>, attribute: &mut Option<T>) {
            if named.is_some() {
                *attribute = named;
            }
        }
        set(self.name, &mut spec.name);
        set(self.audience, &mut spec.audience);
        set(self.access_token_ttl, &mut spec.access_token_ttl);
        set(self.refresh_token_ttl, &mut spec.refresh_token_ttl);
        set(self.system, &mut spec.system);
        for (named, attribute) in [
            (self.grant_types, &mut spec.grant_types),
            (self.scopes, &mut spec.scopes),
            (self.default_scopes, &mut spec.default_scopes),
            (self.allowed_origins, &mut spec.allowed_origins),
        ] {
            if !named.is_empty() {
                *attribute = named.into_iter().collect();
            }
        }
    }
}

impl Attribute {
    fn unset(self, spec: &mut Spec) {
        match self {
            Self::Name => spec.name = None,
            Self::GrantTypes => spec.grant_types.clear(),
            Self::Scopes => spec.scopes.clear(),
            Self::DefaultScopes => spec.default_scopes.clear(),
            Self::Audience => spec.audience = None,
            Self::AccessTokenTtl => spec.access_token_ttl = None,
            Self::RefreshTokenTtl => spec.refresh_token_ttl = None,
            Self::AllowedOrigins => spec.allowed_origins.clear(),
            Self::System => spec.system = None,
        }
    }
}

const SHOWN_ONCE: &str = "the secret is not shown again; store it now";

pub async fn run(target: &Target, json: bool, command: Command) -> Result<Outcome, Error> {
    let deployment = target.find().await?;
    let now = Clock::System.now();
    match command {
        Command::Create { client_id, settings } => create(&deployment, json, client_id, settings).await?,
        Command::List => return list(&deployment, json).await,
        Command::Show { client_id } => {
            let client = read(&deployment, &client_id).await?.record;
            output::result(json, &View::new(&client, now), || show(&client, now))?;
        }
        Command::Update { client_id, settings, add_scope, remove_scope, unset } => {
            let mut stored = read(&deployment, &client_id).await?;
            let mut spec = Spec::from(&stored.record);
            settings.write_to(&mut spec);
            spec.scopes.extend(add_scope);
            if let Some(unknown) = remove_scope.iter().find(|scope| !spec.scopes.remove(*scope)) {
                return Err(Error::new(format!("{client_id} has no scope {unknown:?}; see `countersign client show`")));
            }
            for attribute in unset {
                attribute.unset(&mut spec);
            }
            if spec == Spec::from(&stored.record) {
                output::remark("no changes; nothing was written");
            } else {
                spec.write_to(&mut stored.record, now).map_err(Error::new)?;
                deployment.announce().await?;
            }
            write(&deployment, json, stored).await?;
        }
        Command::RotateSecret { client_id, expires_in } => {
            rotate_secret(&deployment, json, &client_id, expires_in).await?;
        }
        Command::RetireSecret { client_id, secret_id, yes } => {
            retire_secret(&deployment, json, &client_id, &secret_id, yes).await?;
        }
        Command::Disable { client_id } => enable(&deployment, json, &client_id, false).await?,
        Command::Enable { client_id } => enable(&deployment, json, &client_id, true).await?,
        Command::Delete { client_id, yes } => delete(&deployment, json, &client_id, yes).await?,
    }
    Ok(Outcome::Done)
}

/// Reads a client, or returns the error that it does not exist.
async fn read(deployment: &Deployment, client_id: &str) -> Result<Stored<Client>, Error> {
    let stored = deployment.store.stored(client_id).await?;
    stored.ok_or_else(|| not_found(client_id))
}

fn not_found(client_id: &str) -> Error {
    Error::new(format!("client {client_id} not found; list clients with `countersign client list`"))
}

/// Writes a changed client, and prints it.
async fn write(deployment: &Deployment, json: bool, stored: Stored<Client>) -> Result<(), Error> {
    deployment.store.replace(&stored).await?;
    let now = Clock::System.now();
    output::result(json, &View::new(&stored.record, now), || show(&stored.record, now))
}

async fn create(deployment: &Deployment, json: bool, client_id: String, settings: Settings) -> Result<(), Error> {
    let now = Clock::System.now();
    let mut client = Client::new(client_id, now);
    let mut spec = Spec::default();
    settings.write_to(&mut spec);
    spec.write_to(&mut client, now).map_err(Error::new)?;
    check_owner(&user::owners(deployment).await?, &client.client_id)?;
    deployment.announce().await?;
    let client_id = client.client_id.clone();
    output::secret(json, &client_id, &make(deployment, client).await?)?;
    output::remark(SHOWN_ONCE);
    Ok(())
}

/// Returns the ids of all clients. Scans the table.
pub async fn ids(deployment: &Deployment) -> Result<HashSet<String>, Error> {
    let mut ids = HashSet::new();
    let see = |client_id, _: Result<Stored<Client>, StoreError>| {
        ids.insert(client_id);
        Ok::<_, Error>(())
    };
    deployment.store.scan(see).await?;
    Ok(ids)
}

/// Rejects the id of a new client if it is the `user_id` of a user: tokens of both would have the same `sub`.
pub fn check_owner(owners: &HashMap<String, String>, client_id: &str) -> Result<(), Error> {
    match owners.get(client_id) {
        Some(username) => {
            Err(Error::new(format!("the id {client_id} is the user_id of the user {username}; choose another id")))
        }
        None => Ok(()),
    }
}

/// Creates a client with a new secret. Returns the secret.
pub async fn make(deployment: &Deployment, mut client: Client) -> Result<String, Error> {
    let now = Clock::System.now();
    let (secret, record) = Secret::generate(now)?;
    client.secrets = vec![record];
    match deployment.store.create(&client).await? {
        Created::New | Created::Same => Ok(secret),
        Created::Taken(_) => Err(Error::new(format!(
            "client {} already exists; choose another id, or change the client with `countersign client update`",
            client.client_id
        ))),
    }
}

async fn list(deployment: &Deployment, json: bool) -> Result<Outcome, Error> {
    let now = Clock::System.now();
    let (mut views, mut rows, mut outcome) = (Vec::new(), Vec::new(), Outcome::Done);
    let see = |client_id: String, stored: Result<Stored<Client>, _>| {
        let Ok(Stored { record, .. }) = stored else {
            output::remark(&format!("the record of client {client_id} is malformed; see `countersign doctor`"));
            outcome = Outcome::LookCloser;
            return Ok::<_, Error>(());
        };
        let active = record.active_secrets(now).count();
        let state = if record.enabled { "enabled" } else { "disabled" };
        let view = View::new(&record, now);
        let grants = output::list(&view.spec.grant_types);
        let name = view.spec.name.clone().unwrap_or_default();
        rows.push(vec![client_id, state.to_owned(), grants, format!("{active} of {MAX_ACTIVE_SECRETS}"), name]);
        views.push(view);
        Ok(())
    };
    deployment.store.scan(see).await?;
    views.sort_by(|one, other| one.client_id.cmp(&other.client_id));
    rows.sort();
    output::result(json, &views, || {
        if rows.is_empty() {
            return "No clients. Create one with `countersign client create`.".to_owned();
        }
        output::table(&["CLIENT", "STATE", "GRANTS", "SECRETS", "NAME"], rows)
    })?;
    Ok(outcome)
}

async fn rotate_secret(deployment: &Deployment, json: bool, client_id: &str, expires_in: u64) -> Result<(), Error> {
    let now = Clock::System.now();
    let mut stored = read(deployment, client_id).await?;
    let (secret, record) = Secret::generate(now)?;
    let active: Vec<_> = stored.record.active_secrets(now).map(Secret::name).collect();
    if !stored.record.take_secret(record, now, now.saturating_add(expires_in)) {
        return Err(Error::new(format!(
            "{client_id} has {MAX_ACTIVE_SECRETS} active secrets ({}); retire one with `countersign client retire-secret`",
            active.join(", ")
        )));
    }
    stored.record.updated_at = Some(now);
    deployment.announce().await?;
    deployment.store.replace(&stored).await?;
    output::secret(json, client_id, &secret)?;
    output::remark(SHOWN_ONCE);
    for (name, expires_at) in stored.record.secrets.iter().filter_map(|one| Some((one.name(), one.expires_at?))) {
        output::remark(&format!("the secret {name} expires at {}", output::time(expires_at)));
    }
    Ok(())
}

async fn retire_secret(
    deployment: &Deployment,
    json: bool,
    client_id: &str,
    secret_id: &str,
    yes: bool,
) -> Result<(), Error> {
    let now = Clock::System.now();
    let mut stored = read(deployment, client_id).await?;
    let before = stored.record.secrets.len();
    stored.record.secrets.retain(|secret| secret.name() != secret_id);
    if stored.record.secrets.len() == before {
        // The id is not quoted, because it may be a secret.
        return Err(Error::new(format!("{client_id} has no secret with this id; see `countersign client show`")));
    }
    deployment.announce().await?;
    if stored.record.active_secrets(now).next().is_none() {
        let question = format!("Retire the last active secret of {client_id}? The client will get no tokens.");
        input::confirm(yes, &question)?;
    }
    stored.record.updated_at = Some(now);
    write(deployment, json, stored).await
}

async fn enable(deployment: &Deployment, json: bool, client_id: &str, enabled: bool) -> Result<(), Error> {
    let mut stored = read(deployment, client_id).await?;
    if stored.record.enabled != enabled {
        stored.record.enabled = enabled;
        stored.record.updated_at = Some(Clock::System.now());
    }
    deployment.announce().await?;
    write(deployment, json, stored).await
}

async fn delete(deployment: &Deployment, json: bool, client_id: &str, yes: bool) -> Result<(), Error> {
    // A malformed record can be deleted, too.
    if deployment.store.stored::<Client>(client_id).await.is_ok_and(|stored| stored.is_none()) {
        return Err(not_found(client_id));
    }
    deployment.announce().await?;
    input::confirm(yes, &format!("Delete the client {client_id}? It will get no more tokens."))?;
    deployment.store.delete::<Client>(client_id).await?;
    output::result(json, &json!({"deleted": client_id}), || format!("deleted client {client_id}"))
}
