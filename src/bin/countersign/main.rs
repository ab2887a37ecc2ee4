//! The operators' command line: clients, users, keys and tokens of a deployment, and whether it is well. Whoever may
//! write the deployment's tables may use it: IAM decides.
//!
//! | room | what it decides |
//! |---|---|
//! | `deployment` | which deployment a command is about |
//! | `client`, `user`, `import`, `key`, `token`, `doctor`, `plan` | one command each |
//! | `api` | which URLs of the API are called |
//! | `spec` | what a client is to be, as flags, files and tables say it |
//! | `input`, `output`, `fault` | questions and secrets; tables and JSON; what went wrong, in one line |
//! | `retry` | retries of calls that AWS throttles |

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

mod api;
mod client;
mod deployment;
mod doctor;
mod fault;
mod import;
mod input;
mod key;
mod output;
mod plan;
mod retry;
mod spec;
mod token;
mod user;

use deployment::Target;
use fault::Fault;

/// Clients, users, keys and tokens of a countersign deployment.
#[derive(Parser)]
#[command(
    name = "countersign",
    version,
    after_help = "Examples:
  countersign --stack countersign client create cron --grant-type client_credentials --scope 'a:*'
  countersign --stack countersign import users users.jsonl --dry-run
  countersign --stack countersign doctor

--stack says which deployment it is about, or else the environment variables of its function do
(CLIENTS_TABLE, USERS_TABLE, GRANTS_TABLE, SIGNING_SECRET_ID, ISSUER). Credentials and region are
those of the AWS command line.

Exit codes:
  0    done
  1    failed, and no record is half written; doctor: there are faults
  2    the command line is wrong
  3    done, but look at what it says: a warning, a bad line, a difference
  130  stopped by Ctrl-C"
)]
struct Options {
    #[command(flatten)]
    target: Target,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Manage clients: applications and services that may request tokens
    #[command(subcommand)]
    Client(client::Command),
    /// Manage users, who log in through an application
    #[command(subcommand)]
    User(user::Command),
    /// Import users and clients from another system, with their password hashes
    #[command(subcommand)]
    Import(import::Command),
    /// List and rotate the keys that sign tokens
    #[command(subcommand)]
    Key(key::Command),
    /// Request and inspect access tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Check a deployment, and print how to fix each finding
    Doctor(doctor::Options),
    /// Show what `apply` would change
    Plan(plan::Options),
    /// Create and change clients as a file describes them
    Apply(plan::ApplyOptions),
    /// Print a script that completes this command line in a shell
    #[command(after_help = "Example:
  countersign completions bash > ~/.local/share/bash-completion/completions/countersign")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All is well.
    Done,
    /// There is something to look at.
    LookCloser,
    /// Somebody pressed Ctrl-C.
    Stopped,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return misspelt(&error),
    };
    match run(options).await {
        Ok(Outcome::Done) | Err(Fault::NobodyReads) => ExitCode::SUCCESS,
        Ok(Outcome::LookCloser) => ExitCode::from(3),
        Ok(Outcome::Stopped) => ExitCode::from(130),
        Err(Fault::Told(message)) => {
            output::complain(&message);
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong with the command line, but not a word that is too many: it may be a secret that somebody took for
/// an argument.
fn misspelt(error: &clap::Error) -> ExitCode {
    let extra = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => !argument.starts_with('-'),
        _ => false,
    };
    if error.kind() == ErrorKind::UnknownArgument && extra {
        output::complain(
            "there is a word too many; secrets, passwords and tokens are asked for, or taken from the input. \
             --help says what there is",
        );
    } else {
        // Nobody who would hear of it is left.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

async fn run(Options { target, json, command }: Options) -> Result<Outcome, Fault> {
    match command {
        Command::Client(command) => client::run(&target, json, command).await,
        Command::User(command) => user::run(&target, json, command).await,
        Command::Import(command) => import::run(&target, json, command).await,
        Command::Key(command) => key::run(&target, json, command).await,
        Command::Token(command) => token::run(&target, json, command).await,
        Command::Doctor(options) => doctor::run(&target, json, options).await,
        Command::Plan(options) => plan::run(&target, json, options).await,
        Command::Apply(options) => plan::apply(&target, json, options).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Options::command(), "countersign", &mut script);
            io::stdout().write_all(&script)?;
            Ok(Outcome::Done)
        }
    }
}
