//! `countersign user`: manages users, their passwords and their logins.

use std::collections::{BTreeSet, HashMap};

use clap::Subcommand;
use countersign::client::Client;
use countersign::params::{self, Name};
use countersign::password_hash::{Hash, password_form};
use countersign::random::random_id;
use countersign::scope::AllowedScopes;
use countersign::store::{Created, StoreError, Stored};
use countersign::user::{STEP_AFTER_RESTORE, User, Username};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::spec::scope_error;
use crate::{Outcome, input, output};

mod log_out;

/// The minimum length of a password (NIST SP 800-63B section 3.1.1).
const MIN_PASSWORD_CHARACTERS: usize = 8;
/// The number of retries of a change that conflicts with a simultaneous login.
const TRIES: u8 = 3;

#[derive(Subcommand)]
pub enum Command {
    /// Create a user. The password is read from a prompt or from stdin
    #[command(after_help = "Examples:
  countersign user create john.smith@example.com
  countersign user create john.smith@example.com --scope 'legacy:*' --dealer '{\"id\":42}' < password.txt")]
    Create {
        /// The username, which is stored in its RFC 8265 form, in lower case
        username: String,
        /// The `sub` claim of the user's tokens; random by default
        #[arg(long, value_name = "ID")]
        user_id: Option<String>,
        /// An allowed scope of the user's tokens (repeatable); by default all scopes of the client
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// The `dealer` claim of the user's tokens of version 1
        #[arg(long, value_name = "JSON", value_parser = input::object)]
        dealer: Option<Map<String, Value>>,
        /// Create the user without a password
        #[arg(long)]
        no_password: bool,
    },
    /// Set a new password, and end all logins of the user
    #[command(after_help = "Examples:
  countersign user set-password john.smith@example.com
  pass show john | countersign user set-password john.smith@example.com")]
    SetPassword {
        /// The username
        username: String,
    },
    /// Disable a user: logins and refreshes fail
    Disable {
        /// The username
        username: String,
    },
    /// Enable a disabled user
    Enable {
        /// The username
        username: String,
    },
    /// End all logins of a user; access tokens that were issued stay valid until they expire
    #[command(after_help = "Examples:
  countersign user log-out john.smith@example.com
  countersign user log-out --all --after-restore")]
    LogOut {
        /// The username
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        username: Option<String>,
        /// End all logins of all users; scans the table
        #[arg(long)]
        all: bool,
        /// Use after the table of users was restored: also ends logins that had ended since the backup
        #[arg(long)]
        after_restore: bool,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Show a user
    Show {
        /// The username
        username: String,
    },
    /// List all users; with --json, one object per line. Scans the table
    List,
    /// Delete a user
    Delete {
        /// The username
        username: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(target: &Target, json: bool, command: Command) -> Result<Outcome, Error> {
    let deployment = target.find().await?;
    match command {
        Command::Create { username, user_id, scopes, dealer, no_password } => {
            let names_id = user_id.is_some();
            let user = User {
                username: form(&username)?,
                user_id: user_id.unwrap_or_else(random_id),
                password_hash: None,
                scopes: (!scopes.is_empty()).then(|| allowed(scopes.into_iter().collect())).transpose()?,
                dealer,
                enabled: true,
                session_generation: 0,
            };
            create(&deployment, json, user, names_id, no_password).await?;
        }
        Command::SetPassword { username } => set_password(&deployment, json, &username).await?,
        Command::Disable { username } => {
            deployment.announce().await?;
            change(&deployment, json, &username, |user| user.enabled = false).await?;
        }
        Command::Enable { username } => {
            deployment.announce().await?;
            change(&deployment, json, &username, |user| user.enabled = true).await?;
        }
        Command::LogOut { username, all: _, after_restore, yes } => {
            let step = if after_restore { STEP_AFTER_RESTORE } else { 1 };
            deployment.announce().await?;
            match username {
                Some(username) => change(&deployment, json, &username, |user| user.end_sessions(step)).await?,
                None => return log_out::everyone(deployment, json, step, yes).await,
            }
        }
        Command::Show { username } => {
            let user = read(&deployment, &username).await?.record;
            output::result(json, &View::new(&user), || show(&user))?;
        }
        Command::List => list(&deployment, json).await?,
        Command::Delete { username, yes } => delete(&deployment, json, &username, yes).await?,
    }
    Ok(Outcome::Done)
}

/// A user as JSON, with the scheme of the password hash but not the hash.
#[derive(Serialize)]
struct View<'a> {
    username: &'a str,
    user_id: &'a str,
    enabled: bool,
    password_scheme: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<&'a BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dealer: Option<&'a Map<String, Value>>,
    session_generation: u64,
}

impl<'a> View<'a> {
    fn new(user: &'a User) -> Self {
        Self {
            username: &user.username,
            user_id: &user.user_id,
            enabled: user.enabled,
            password_scheme: user.password_hash.as_ref().map(Hash::scheme),
            scopes: user.scopes.as_ref().map(AllowedScopes::tokens),
            dealer: user.dealer.as_ref(),
            session_generation: user.session_generation,
        }
    }
}

fn show(user: &User) -> String {
    let view = View::new(user);
    output::record([
        ("username", Some(view.username.to_owned())),
        ("user_id", Some(view.user_id.to_owned())),
        ("enabled", Some(view.enabled.to_string())),
        ("password", Some(view.password_scheme.map_or_else(|| "none".to_owned(), |scheme| format!("set ({scheme})")))),
        ("scopes", view.scopes.map(output::list)),
        ("dealer", view.dealer.map(|dealer| Value::Object(dealer.clone()).to_string())),
        ("session_generation", (view.session_generation > 0).then(|| view.session_generation.to_string())),
    ])
}

/// Returns a username in its stored form (RFC 8265).
fn form(username: &str) -> Result<String, Error> {
    params::check(Name::Username, username).map_err(|error| Error::new(error.reason()))?;
    let form = Username::parse(username);
    let form = form.ok_or_else(|| Error::new(format!("the username {username:?} is not valid (RFC 8265)")))?;
    Ok(form.as_str().to_owned())
}

fn allowed(scopes: BTreeSet<String>) -> Result<AllowedScopes, Error> {
    AllowedScopes::parse(scopes).map_err(|(token, error)| Error::new(scope_error(&token, error)))
}

/// Reads a new password. Returns it in its form for hashing.
fn new_password() -> Result<String, Error> {
    let password = password_form(&input::new_secret("Password")?);
    params::check(Name::Password, &password).map_err(|error| Error::new(error.reason()))?;
    if password.chars().count() < MIN_PASSWORD_CHARACTERS {
        return Err(Error::new(format!(
            "the password is too short; use at least {MIN_PASSWORD_CHARACTERS} characters"
        )));
    }
    Ok(password)
}

/// Reads a user, or returns the error that it does not exist. Tries the RFC 8265 form first, then the exact name.
async fn read(deployment: &Deployment, username: &str) -> Result<Stored<User>, Error> {
    let form = form(username)?;
    let mut stored = deployment.store.stored(&form).await?;
    if stored.is_none() && form != username {
        stored = deployment.store.stored(username).await?;
    }
    stored.ok_or_else(|| Error::new(format!("user {form} not found; list users with `countersign user list`")))
}

/// Changes a user, and prints the result. Tries again if a login writes simultaneously to replace the hash.
async fn change(deployment: &Deployment, json: bool, username: &str, change: impl Fn(&mut User)) -> Result<(), Error> {
    let mut tries = 0..TRIES;
    loop {
        let mut stored = read(deployment, username).await?;
        change(&mut stored.record);
        match deployment.store.replace(&stored).await {
            Err(StoreError::Conflict { .. }) if tries.next().is_some() => {}
            done => {
                done?;
                return output::result(json, &View::new(&stored.record), || show(&stored.record));
            }
        }
    }
}

/// Returns the username of each `user_id`. Scans the table.
pub async fn owners(deployment: &Deployment) -> Result<HashMap<String, String>, Error> {
    let mut owners = HashMap::new();
    let see = |username, stored: Result<Stored<User>, StoreError>| {
        if let Ok(stored) = stored {
            owners.insert(stored.record.user_id, username);
        }
        Ok::<_, Error>(())
    };
    deployment.store.scan(see).await?;
    Ok(owners)
}

/// Rejects an id that another user or a client has, because tokens of both would have the same `sub`. A random id needs
/// no check.
async fn check_id(deployment: &Deployment, user_id: &str) -> Result<(), Error> {
    if let Some(other) = owners(deployment).await?.get(user_id) {
        return Err(Error::new(format!("the user_id {user_id} belongs to the user {other}; choose another id")));
    }
    match deployment.store.stored::<Client>(user_id).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) | Err(StoreError::Malformed { .. }) => {
            Err(Error::new(format!("the user_id {user_id} is the id of a client; choose another id")))
        }
        Err(error) => Err(error.into()),
    }
}

async fn create(
    deployment: &Deployment,
    json: bool,
    mut user: User,
    names_id: bool,
    no_password: bool,
) -> Result<(), Error> {
    if user.user_id.is_empty() || user.user_id.contains(char::is_control) {
        return Err(Error::new("the user_id is empty or has control characters; choose another id"));
    }
    let taken =
        |user: &User| Error::new(format!("user {0} already exists; see `countersign user show {0}`", user.username));
    // Checked before the password is entered.
    if deployment.store.stored::<User>(&user.username).await?.is_some() {
        return Err(taken(&user));
    }
    if names_id {
        check_id(deployment, &user.user_id).await?;
    }
    deployment.announce().await?;
    if !no_password {
        user.password_hash = Some(deployment.hasher()?.hash(&new_password()?)?);
    }
    match deployment.store.create(&user).await? {
        Created::New | Created::Same => output::result(json, &View::new(&user), || show(&user)),
        Created::Taken(_) => Err(taken(&user)),
    }
}

async fn set_password(deployment: &Deployment, json: bool, username: &str) -> Result<(), Error> {
    // Checked before the password is entered.
    read(deployment, username).await?;
    deployment.announce().await?;
    let hash = deployment.hasher()?.hash(&new_password()?)?;
    let set = |user: &mut User| {
        user.password_hash = Some(hash.clone());
        user.end_sessions(1);
    };
    change(deployment, json, username, set).await
}

async fn list(deployment: &Deployment, json: bool) -> Result<(), Error> {
    let mut rows = Vec::new();
    let see = |username: String, stored: Result<Stored<User>, _>| {
        let Ok(Stored { record: user, .. }) = stored else {
            output::remark(&format!("the record of user {username} is malformed; see `countersign doctor`"));
            return Ok(());
        };
        if json {
            // One object per line, because there may be millions of users.
            let line = serde_json::to_string(&View::new(&user)).map_err(|error| Error::new(error.to_string()))?;
            return output::line(&line);
        }
        let state = if user.enabled { "enabled" } else { "disabled" };
        let scheme = user.password_hash.as_ref().map_or("no password", Hash::scheme);
        rows.push(vec![username, state.to_owned(), scheme.to_owned(), user.user_id]);
        Ok::<_, Error>(())
    };
    deployment.store.scan(see).await?;
    match (json, rows.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => output::line("No users. Create one with `countersign user create`."),
        (false, false) => output::line(&output::table(&["USERNAME", "STATE", "PASSWORD", "USER_ID"], rows)),
    }
}

async fn delete(deployment: &Deployment, json: bool, username: &str, yes: bool) -> Result<(), Error> {
    // A malformed record can be deleted, too.
    let username = match read(deployment, username).await {
        Ok(stored) => stored.record.username,
        Err(_) if deployment.store.stored::<User>(username).await.is_err() => username.to_owned(),
        Err(error) => return Err(error),
    };
    deployment.announce().await?;
    input::confirm(yes, &format!("Delete the user {username}? Do not use the user_id for another user."))?;
    deployment.store.delete::<User>(&username).await?;
    output::result(json, &json!({"deleted": username}), || format!("deleted user {username}"))
}
