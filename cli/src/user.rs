//! `countersign user`: manages users, their passwords and their logins.

use std::collections::HashMap;

use clap::Subcommand;
use countersign::login::USERNAME;
use countersign::store::{StoreError, Stored};
use countersign::throttle::Subject;
use countersign::user::{STEP_AFTER_RESTORE, User, Username};

use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::{Outcome, output};

mod consent;
mod create;
mod delete;
mod list;
mod log_out;
mod password;
mod set_claim;
mod set_password;
mod show;
mod unlock;
mod view;

pub use password::is_weak;
use view::{View, rows};

/// The number of retries of a change that conflicts with a simultaneous login.
const RETRIES: u8 = 3;

#[derive(Subcommand)]
pub enum Command {
    /// Create a user. The password is read from a prompt or from stdin
    #[command(after_help = "Examples:
  countersign user create john.smith@example.com
  countersign user create jane.doe@example.com --scope 'legacy:*' \\
    --dealer '{\"id\":42}' < password.txt")]
    Create(create::Options),
    /// Set a new password, and end all logins of the user
    #[command(after_help = "Examples:
  countersign user set-password john.smith@example.com
  pass show john | countersign user set-password john.smith@example.com")]
    SetPassword {
        /// The username
        username: String,
        /// Accept a password that is easy to guess
        #[arg(long)]
        accept_weak_password: bool,
    },
    /// Set claims about a user for OpenID Connect, such as the email address
    #[command(after_help = "Examples:
  countersign user set-claim john.smith@example.com \\
    name='John Smith' email_verified=true
  countersign user set-claim john.smith@example.com --unset nickname")]
    SetClaim(set_claim::Options),
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
        /// Do not prompt for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Show a user, the last login, the failed guesses at the password, and the consents
    #[command(
        after_help = "Browser sessions are not shown, because the table has no index of them: `user log-out` ends all of
them. A consent is what the user allowed a client: `user consent remove` removes it."
    )]
    Show {
        /// The username
        username: String,
    },
    /// Let a user log in immediately: deletes the failed guesses at the password, and the known networks
    Unlock {
        /// The username
        username: String,
    },
    /// Manage the consents of a user: what each client may do for the user
    #[command(subcommand)]
    Consent(consent::Command),
    /// List all users; with --json, one object per line. Scans the table
    List,
    /// Delete a user
    Delete {
        /// The username
        username: String,
        /// Do not prompt for confirmation
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(target: &Target, json: bool, command: Command) -> Result<Outcome, Error> {
    let deployment = target.find().await?;
    match command {
        Command::Create(options) => create::run(&deployment, json, options).await?,
        Command::SetPassword { username, accept_weak_password } => {
            set_password::run(&deployment, json, &username, accept_weak_password).await?;
        }
        Command::SetClaim(options) => set_claim::run(&deployment, json, &options).await?,
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
                Some(username) => log_out::one(&deployment, json, &username, step).await?,
                None => return log_out::all(deployment, json, step, yes).await,
            }
        }
        Command::Show { username } => return show::run(&deployment, json, &username).await,
        Command::Unlock { username } => unlock::run(&deployment, json, &username).await?,
        Command::Consent(command) => consent::run(&deployment, json, command).await?,
        Command::List => return list::run(&deployment, json).await,
        Command::Delete { username, yes } => delete::run(&deployment, json, &username, yes).await?,
    }
    Ok(Outcome::Done)
}

fn print(json: bool, user: &User) -> Result<(), Error> {
    let view = View::new(user);
    output::result(json, &view, || output::record(rows(&view)))
}

/// Parses a username: its stored form is that of RFC 8265.
pub fn parse(username: &str) -> Result<Username, Error> {
    USERNAME.check(username).map_err(|error| Error::new(error.reason()))?;
    Username::parse(username).ok_or_else(|| Error::new(format!("the username {username:?} is not valid (RFC 8265)")))
}

/// Returns the subject of guesses at a user's password.
fn subject(username: &str) -> Result<Subject, Error> {
    Ok(Subject::account(parse(username)?.as_str()))
}

/// Reads a user, or returns the error that it does not exist. Tries the RFC 8265 form first, then the exact name.
async fn read(deployment: &Deployment, username: &str) -> Result<Stored<User>, Error> {
    let form = parse(username)?;
    let form = form.as_str();
    let mut stored = deployment.store.stored(form).await?;
    if stored.is_none() && form != username {
        stored = deployment.store.stored(username).await?;
    }
    stored.ok_or_else(|| Error::new(format!("user {form} not found; list users with `countersign user list`")))
}

/// Changes a user, and prints the result. Tries again if a login writes simultaneously to replace the hash.
async fn change(deployment: &Deployment, json: bool, username: &str, change: impl Fn(&mut User)) -> Result<(), Error> {
    let mut retries = 0..RETRIES;
    loop {
        let mut stored = read(deployment, username).await?;
        change(&mut stored.record);
        match deployment.store.replace(&stored).await {
            Err(StoreError::Conflict { .. }) if retries.next().is_some() => {}
            result => {
                result?;
                return print(json, &stored.record);
            }
        }
    }
}

/// Returns the username of each `user_id`. Scans the table.
pub async fn owners(deployment: &Deployment) -> Result<HashMap<String, String>, Error> {
    let mut owners = HashMap::new();
    let visit = |username, stored: Result<Stored<User>, StoreError>| {
        if let Ok(stored) = stored {
            owners.insert(stored.record.user_id, username);
        }
        Ok::<_, Error>(())
    };
    deployment.store.scan(visit).await?;
    Ok(owners)
}
