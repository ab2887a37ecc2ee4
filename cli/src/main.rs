//! The operators' command line: manages the clients, users, keys and tokens of a deployment, and checks its health. IAM
//! permissions on the deployment's tables and secret decide who can use it.
//!
//! | module | responsibility |
//! |---|---|
//! | `deployment` | finds the deployment that a command acts on |
//! | `client`, `user`, `scope`, `import`, `key`, `token`, `audit`, `doctor`, `plan`, `apply` | one command each |
//! | `api` | requests to the API, and the check of its URLs |
//! | `input`, `output`, `error` | prompts and secrets; tables and JSON; error messages |
//! | `forms` | the types of values in files |
//! | `retry` | retries of calls that AWS throttles |

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

mod api;
mod apply;
mod audit;
mod client;
mod deployment;
mod doctor;
mod error;
mod forms;
mod import;
mod input;
mod key;
mod output;
mod plan;
mod retry;
mod scope;
mod token;
mod user;

use deployment::Target;
use error::Error;

/// Manage the clients, users, keys and tokens of a countersign deployment.
#[derive(Parser)]
#[command(
    name = "countersign",
    version,
    after_help = "Examples:
  countersign --stack countersign client create cron \\
    --grant-type client_credentials --scope 'a:*'
  countersign --stack countersign import users users.jsonl --dry-run
  countersign --stack countersign doctor

--stack selects the deployment. Without it, the environment variables of the function do
(CLIENTS_TABLE, USERS_TABLE, GRANTS_TABLE, SIGNING_SECRET_ID, ISSUER). Credentials and region are
those of the AWS command line.

Exit codes:
  0    success
  1    failed, and no record is half written; doctor: errors were found
  2    invalid arguments
  3    completed, but read the output: a warning, a rejected line, a difference, nothing found
  130  stopped by Ctrl-C"
)]
struct Options {
    // Before the target, whose heading is that of all options after it.
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Manage clients: applications and services that request tokens
    #[command(subcommand)]
    Client(client::Command),
    /// Manage users, who log in through an application
    #[command(subcommand)]
    User(user::Command),
    /// Manage the texts by which a consent page explains scopes
    #[command(subcommand)]
    Scope(scope::Command),
    /// Import users and clients from another system, with their password hashes
    #[command(subcommand)]
    Import(import::Command),
    /// List and rotate the signing keys
    #[command(subcommand)]
    Key(key::Command),
    /// Get, inspect and revoke tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Search the audit log of a deployment
    Audit(audit::Options),
    /// Check the health of a deployment, and show how to fix problems
    Doctor(doctor::Options),
    /// Show what `apply` would change
    Plan(plan::Options),
    /// Create and update clients from a file
    Apply(apply::ApplyOptions),
    /// Print a shell completion script
    #[command(after_help = "Example:
  countersign completions bash \\
    > ~/.local/share/bash-completion/completions/countersign")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// The result of a command that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing needs attention.
    Done,
    /// The output contains a warning, a rejected line or a difference.
    NeedsAttention,
    /// Ctrl-C was pressed.
    Stopped,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return usage_error(&error),
    };
    match run(options).await {
        Ok(Outcome::Done) | Err(Error::StdoutClosed) => ExitCode::SUCCESS,
        Ok(Outcome::NeedsAttention) => ExitCode::from(3),
        Ok(Outcome::Stopped) => ExitCode::from(130),
        Err(Error::Message(message)) => {
            output::error(&message);
            ExitCode::FAILURE
        }
    }
}

/// Prints the error in the arguments. Does not print an unexpected argument, because it may be a secret.
fn usage_error(error: &clap::Error) -> ExitCode {
    let is_extra = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => !argument.starts_with('-'),
        _ => false,
    };
    if error.kind() == ErrorKind::UnknownArgument && is_extra {
        output::error(
            "unexpected argument (not shown, because it may be a secret); enter secrets, passwords and tokens at the \
             prompt or on stdin, and see --help for the arguments",
        );
    } else {
        // If stderr is closed, there is no place to report it.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

async fn run(Options { target, json, command }: Options) -> Result<Outcome, Error> {
    match command {
        Command::Client(command) => client::run(&target, json, command).await,
        Command::User(command) => user::run(&target, json, command).await,
        Command::Scope(command) => scope::run(&target, json, command).await,
        Command::Import(command) => import::run(&target, json, command).await,
        Command::Key(command) => key::run(&target, json, command).await,
        Command::Token(command) => token::run(&target, json, command).await,
        Command::Audit(options) => audit::run(&target, json, options).await,
        Command::Doctor(options) => doctor::run(&target, json, options).await,
        Command::Plan(options) => plan::run(&target, json, options).await,
        Command::Apply(options) => apply::run(&target, json, options).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Options::command(), "countersign", &mut script);
            io::stdout().write_all(&script)?;
            Ok(Outcome::Done)
        }
    }
}
