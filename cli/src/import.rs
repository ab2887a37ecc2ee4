//! `countersign import`: users and clients of another system. Each record is one conditional write, so the same command
//! completes an import that was interrupted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};
use countersign::store::{Store, StoreError, Stored};
use countersign::user::User;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::task::JoinSet;

mod clients;
mod hashes;
mod ids;
mod lines;
mod records;
mod report;
mod users;
mod values;

use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::retry::with_retries;
use crate::{Outcome, output};
use clients::ImportedClient;
use ids::Ids;
use lines::{Format, lines};
use records::{Change, Failed, Import, dry_run_write, write};
use report::Report;
use users::ImportedUser;

/// The number of writes that run concurrently.
const CONCURRENT_WRITES: usize = 64;

#[derive(Subcommand)]
pub enum Command {
    /// Import users with their password hashes
    #[command(after_help = "A line of JSON Lines (a CSV names the same members in its header):
  {\"username\":\"john@example.com\",\"user_id\":\"42\",\"password_hash\":\"$2y$10$..\",
   \"scopes\":[\"legacy:*\"],\"dealer\":{\"id\":7},\"enabled\":true}
All members except username are optional. Hashes are argon2, bcrypt, PBKDF2, scrypt and phpass, in
the forms that docs/cli.md lists. The first login replaces each by argon2id. A hash that begins
with ! is a user without a password. enabled is true, 1, t, yes or false, 0, f, no.

A user without scopes may have all that the client may have. If the file has scopes, each line must
list some; write * for all. In a CSV, an empty cell, NULL and \\N mean absent.

Users that exist are not changed, so the same command completes an interrupted import. With
--overwrite, only what the line names is changed; a new password_hash ends the user's logins.

Examples:
  countersign import users users.jsonl --dry-run
  countersign import users - --format csv < users.csv
  jq -c '.[]' users.json | countersign import users - --format jsonl")]
    Users(Options),
    /// Import clients with their secrets, or the hashes of their secrets
    #[command(after_help = "A line of JSON Lines (a CSV names the same members in its header, with spaces between the
elements of a list):
  {\"client_id\":\"billing-cron\",\"secret\":\"..\",\"grant_types\":[\"client_credentials\"],
   \"scopes\":[\"billing:*\"],\"default_scopes\":[\"billing:read\"]}
A `secret` in the clear is hashed when it is imported; `secret_hash` takes the same hashes as users.
An imported secret needs a slow hash for each token; `client rotate-secret` makes a fast one.

Example:
  countersign import clients clients.csv")]
    Clients(Options),
    /// Count the users whose imported hash is not replaced yet, by scheme; scans the table
    Status,
}

#[derive(Args)]
pub struct Options {
    /// The file, or - for stdin
    file: PathBuf,
    /// The format, if the file name does not end in .jsonl, .ndjson, .json or .csv
    #[arg(long)]
    format: Option<Format>,
    /// Write nothing, and report what would be written
    #[arg(long)]
    dry_run: bool,
    /// Change records that exist: what the line names, and never an id
    #[arg(long)]
    overwrite: bool,
    /// Accept users whose `user_id` is a client id, and clients whose id is a `user_id`
    #[arg(long)]
    allow_shared_ids: bool,
}

pub async fn run(target: &Target, json: bool, command: Command) -> Result<Outcome, Error> {
    let deployment = target.find().await?;
    match command {
        Command::Users(options) => import::<ImportedUser>(deployment, json, &options).await,
        Command::Clients(options) => import::<ImportedClient>(deployment, json, &options).await,
        Command::Status => status(&deployment, json).await,
    }
}

async fn import<R: Import>(deployment: Deployment, json: bool, options: &Options) -> Result<Outcome, Error> {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{wide_bar} {bytes} {bytes_per_sec} {eta} left");
    bar.set_style(style.map_err(|error| Error::new(error.to_string()))?);
    let lines = lines(&options.file, options.format, &R::columns(), &bar)?;
    if !options.dry_run {
        deployment.announce().await?;
    }
    let hasher = deployment.hasher()?;
    let mut ids = Ids::read(&deployment, options.allow_shared_ids).await?;
    let stopped = stopped_by_ctrl_c();
    let mut run = Run { store: Arc::new(deployment.store), tasks: JoinSet::new(), report: Report::default(), bar };
    for line in lines {
        if stopped.load(Ordering::Relaxed) {
            run.report.stopped_by = Some("Ctrl-C".to_owned());
        }
        if run.report.stopped_by.is_some() {
            break;
        }
        let (number, line) = match line {
            Ok(line) => line,
            Err(error) => {
                run.report.stopped_by = Some(error.message());
                break;
            }
        };
        run.report.lines += 1;
        let record = line.and_then(|line| R::read(line, &hasher)).and_then(|record| ids.check(number, record));
        match record {
            Ok(record) => run.start_write(number, record, options).await,
            Err(reason) => run.reject(number, reason),
        }
    }
    while run.finish_one().await {}
    run.bar.finish_and_clear();
    let mut report = run.report;
    report.rejected.sort();
    report.shared_ids = ids.shared();
    conclude(json, &report, options.dry_run, stopped.load(Ordering::Relaxed))
}

/// Prints the report.
fn conclude(json: bool, report: &Report, dry_run: bool, interrupted: bool) -> Result<Outcome, Error> {
    if report.shared_ids > 0 {
        output::remark(&format!(
            "{} of the imported ids belong to a user and to a client, whose tokens have the same sub; \
             see docs/verifying.md for how an API tells them apart",
            report.shared_ids
        ));
    }
    output::result(json, &report.to_json(dry_run), || report.text(dry_run))?;
    match &report.stopped_by {
        None if report.lines == 0 => {
            output::remark("the file has no lines; check the file");
            Ok(Outcome::NeedsAttention)
        }
        None if report.rejected.is_empty() => Ok(Outcome::Done),
        None => Ok(Outcome::NeedsAttention),
        Some(cause) if interrupted => {
            output::remark(&format!("stopped by {cause}; run the same command again to continue"));
            Ok(Outcome::Stopped)
        }
        Some(cause) => Err(Error::new(format!("the import stopped: {cause}. Run the same command again to continue"))),
    }
}

/// Returns a flag that becomes true when Ctrl-C is pressed.
fn stopped_by_ctrl_c() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = stopped.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            flag.store(true, Ordering::Relaxed);
            output::remark("stopping after the running writes; press Ctrl-C again to stop immediately");
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            // A read of stdin blocks the main thread, and stdin may never end. Each running write is atomic.
            #[expect(clippy::exit, reason = "the main thread cannot be interrupted")]
            std::process::exit(130);
        }
    });
    stopped
}

/// A running import.
struct Run {
    store: Arc<Store>,
    tasks: JoinSet<(u64, &'static str, Result<Change, Failed>)>,
    report: Report,
    bar: ProgressBar,
}

impl Run {
    /// Starts to write a record. Waits while [`CONCURRENT_WRITES`] writes run.
    async fn start_write<R: Import>(&mut self, number: u64, record: R, options: &Options) {
        while self.tasks.len() >= CONCURRENT_WRITES {
            self.finish_one().await;
        }
        let (store, dry_run, overwrite) = (self.store.clone(), options.dry_run, options.overwrite);
        self.tasks.spawn(async move {
            let change = with_retries(Failed::is_transient, || async {
                if dry_run {
                    dry_run_write(&record, &store, overwrite).await
                } else {
                    write(&record, &store, overwrite).await
                }
            });
            (number, record.scheme(), change.await)
        });
    }

    /// Waits for one of the running writes. Returns false if no write runs.
    async fn finish_one(&mut self) -> bool {
        match self.tasks.join_next().await {
            None => return false,
            Some(Ok((_, scheme, Ok(change)))) => self.report.count(scheme, change),
            Some(Ok((number, _, Err(Failed::Rejected(reason))))) => self.reject(number, reason),
            Some(Ok((number, _, Err(Failed::Store(error))))) => {
                let cause = Error::from(error).message();
                self.report.stopped_by.get_or_insert(format!("line {number}: {cause}"));
            }
            Some(Err(error)) => {
                self.report.stopped_by.get_or_insert(error.to_string());
            }
        }
        true
    }

    fn reject(&mut self, number: u64, reason: String) {
        self.bar.suspend(|| output::remark(&format!("line {number}: {reason}")));
        self.report.rejected.push((number, reason));
    }
}

async fn status(deployment: &Deployment, json: bool) -> Result<Outcome, Error> {
    let hasher = deployment.hasher()?;
    let (mut schemes, mut users, mut malformed) = (BTreeMap::<&str, u64>::new(), 0_u64, 0_u64);
    let visit = |_, stored: Result<Stored<User>, StoreError>| {
        users += 1;
        match stored.map(|stored| stored.record.password_hash) {
            Ok(Some(hash)) if !hasher.is_current(&hash) => *schemes.entry(hash.scheme()).or_default() += 1,
            Ok(_) => {}
            Err(_) => malformed += 1,
        }
        Ok::<_, Error>(())
    };
    deployment.store.scan(visit).await?;
    let waiting: u64 = schemes.values().sum();
    let value = json!({"users": users, "waiting": waiting, "waiting_by_scheme": schemes, "malformed": malformed});
    output::result(json, &value, || {
        let total = format!("{waiting} of {users} users have a hash that their next login replaces");
        if waiting == 0 {
            return total;
        }
        let rows = schemes.iter().map(|(scheme, count)| vec![(*scheme).to_owned(), count.to_string()]);
        format!("{}\n\n{total}", output::table(&["SCHEME", "WAITING"], rows))
    })?;
    if malformed > 0 {
        output::remark(&format!("{malformed} records are malformed; list them with `countersign doctor`"));
        return Ok(Outcome::NeedsAttention);
    }
    Ok(Outcome::Done)
}
