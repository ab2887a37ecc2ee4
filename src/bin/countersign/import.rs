//! `countersign import`: users and clients from elsewhere. Each record is one conditional write of its own, so that an
//! import that was interrupted, at whatever point, is completed by the same command again.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, Subcommand};
use countersign::store::{Store, StoreError, Stored};
use countersign::user::User;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::task::JoinSet;

mod hashes;
mod lines;
mod records;
mod report;

use crate::deployment::{Deployment, Target};
use crate::fault::Fault;
use crate::{Outcome, output, user};
use lines::{Format, lines};
use records::{Became, Failed, Import, ImportedClient, ImportedUser};
use report::Report;

/// How many writes are under way at once.
const AT_ONCE: usize = 64;
/// How often a write is tried again that AWS does not take, after the SDK's own tries; each time it waits twice as long.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

#[derive(Subcommand)]
pub enum Command {
    /// Brings users over, with their password hashes
    #[command(after_help = "A line of JSON Lines (a CSV has the same names in its heading):
  {\"username\":\"john@example.com\",\"user_id\":\"42\",\"password_hash\":\"$2y$10$..\",
   \"scopes\":[\"legacy:*\"],\"dealer\":{\"id\":7},\"enabled\":true}
All but the username may be absent. Hashes are argon2, bcrypt, PBKDF2, scrypt and phpass, in the forms
that docs/operators.md lists. The first login replaces each by argon2id.

A user that is there already stays as it is, so that the same command completes an import that was
stopped.

Examples:
  countersign import users users.jsonl --dry-run
  countersign import users - --format csv < users.csv")]
    Users(Options),
    /// Brings clients over, with their secrets or the hashes of those
    #[command(after_help = "A line of JSON Lines (a CSV has the same names in its heading; lists by spaces):
  {\"client_id\":\"billing-cron\",\"secret\":\"..\",\"grant_types\":[\"client_credentials\"],
   \"scopes\":[\"billing:*\"],\"default_scopes\":[\"billing:read\"]}
A `secret` in the clear is hashed on its way in; `secret_hash` takes the hashes that users have.
Secrets from elsewhere need a slow hash at each token; `client rotate-secret` makes quick ones.

Example:
  countersign import clients clients.csv")]
    Clients(Options),
    /// Counts by scheme how many users still wait for their first login; reads the whole table
    Status,
}

#[derive(Args)]
pub struct Options {
    /// The file, or - for the input
    file: PathBuf,
    /// How it is written, if its name does not tell
    #[arg(long)]
    format: Option<Format>,
    /// Writes nothing, and reports what would be
    #[arg(long)]
    dry_run: bool,
    /// Writes over records that are there; ids stay, and what the line does not say of password, secret and enabled
    #[arg(long)]
    overwrite: bool,
}

pub async fn run(target: &Target, json: bool, command: Command) -> Result<Outcome, Fault> {
    let deployment = target.find().await?;
    match command {
        Command::Users(options) => import::<ImportedUser>(deployment, json, &options).await,
        Command::Clients(options) => import::<ImportedClient>(deployment, json, &options).await,
        Command::Status => status(&deployment, json).await,
    }
}

async fn import<R: Import>(deployment: Deployment, json: bool, options: &Options) -> Result<Outcome, Fault> {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{wide_bar} {bytes} {bytes_per_sec} {eta} left");
    bar.set_style(style.map_err(|error| Fault::new(error.to_string()))?);
    let lines = lines(&options.file, options.format, R::COLUMNS, &bar)?;
    if !options.dry_run {
        deployment.announce().await?;
    }
    let hasher = deployment.hasher()?;
    let owners = if R::COLUMNS.contains(&"user_id") { user::owners(&deployment).await? } else { HashMap::new() };
    let stopped = stopped_by_ctrl_c();
    let mut run = Run { store: Arc::new(deployment.store), tasks: JoinSet::new(), report: Report::default(), bar };
    let mut seen = Seen { owners, ..Seen::default() };
    for line in lines {
        if stopped.load(Ordering::Relaxed) {
            run.report.stopped_by = Some("Ctrl-C".to_owned());
        }
        if run.report.stopped_by.is_some() {
            break;
        }
        let (number, line) = match line {
            Ok(line) => line,
            Err(fault) => {
                run.report.stopped_by = Some(fault.words());
                break;
            }
        };
        run.report.lines += 1;
        let record = line.and_then(|line| R::read(line, &hasher)).and_then(|record| seen.take(number, record));
        match record {
            Ok(record) => run.take(number, record, options).await,
            Err(reason) => run.refuse(number, reason),
        }
    }
    while run.settle_one().await {}
    run.bar.finish_and_clear();
    let mut report = run.report;
    report.bad.sort();
    output::result(json, &report.to_json(options.dry_run), || report.in_words(options.dry_run))?;
    if report.lines == 0 && report.stopped_by.is_none() {
        output::remark("there are no lines; is it the right file?");
        return Ok(Outcome::LookCloser);
    }
    match &report.stopped_by {
        None if report.bad.is_empty() => Ok(Outcome::Done),
        None => Ok(Outcome::LookCloser),
        Some(cause) if stopped.load(Ordering::Relaxed) => {
            output::remark(&format!("stopped by {cause}; the same command goes on where this one ended"));
            Ok(Outcome::Stopped)
        }
        Some(cause) => {
            Err(Fault::new(format!("the import stopped: {cause}. The same command goes on where this one ended")))
        }
    }
}

/// What an import has seen: the second of two that are one would silently count for nothing.
#[derive(Default)]
struct Seen {
    lines: HashMap<String, u64>,
    /// Whose each `user_id` is, in the table and in the lines so far.
    owners: HashMap<String, String>,
}

impl Seen {
    fn take<R: Import>(&mut self, number: u64, record: R) -> Result<R, String> {
        if let Some(first) = self.lines.insert(record.key().to_owned(), number) {
            return Err(format!("it is the same one as in a line before (line {first})"));
        }
        if let Some(user_id) = record.user_id() {
            let owner = self.owners.entry(user_id.to_owned()).or_insert_with(|| record.key().to_owned());
            if owner != record.key() {
                return Err(format!("the user_id is that of another user, for ever ({owner})"));
            }
        }
        Ok(record)
    }
}

/// Becomes true when somebody presses Ctrl-C.
fn stopped_by_ctrl_c() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = stopped.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            flag.store(true, Ordering::Relaxed);
            output::remark("stopping; Ctrl-C again does not wait for what is under way");
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            // Whoever writes the input may never end it. What is under way is one write each, done or not.
            #[expect(clippy::exit, reason = "nobody is left to return to: a read that waits holds the thread")]
            std::process::exit(130);
        }
    });
    stopped
}

/// An import under way.
struct Run {
    store: Arc<Store>,
    tasks: JoinSet<(u64, &'static str, Result<Became, Failed>)>,
    report: Report,
    bar: ProgressBar,
}

impl Run {
    /// Begins to write a record, when there is room for another.
    async fn take<R: Import>(&mut self, number: u64, record: R, options: &Options) {
        while self.tasks.len() >= AT_ONCE {
            self.settle_one().await;
        }
        let (store, dry_run, overwrite) = (self.store.clone(), options.dry_run, options.overwrite);
        self.tasks.spawn(async move {
            let became = patiently(|| async {
                if dry_run { record.rehearse(&store, overwrite).await } else { record.write(&store, overwrite).await }
            });
            (number, record.scheme(), became.await)
        });
    }

    /// Waits for one of the writes under way; whether there was one.
    async fn settle_one(&mut self) -> bool {
        match self.tasks.join_next().await {
            None => return false,
            Some(Ok((_, scheme, Ok(became)))) => self.report.count(scheme, became),
            Some(Ok((number, _, Err(Failed::Bad(reason))))) => self.refuse(number, reason),
            Some(Ok((number, _, Err(Failed::Store(error))))) => {
                let cause = Fault::from(error).words();
                self.report.stopped_by.get_or_insert(format!("line {number}: {cause}"));
            }
            Some(Err(error)) => {
                self.report.stopped_by.get_or_insert(error.to_string());
            }
        }
        true
    }

    fn refuse(&mut self, number: u64, reason: String) {
        self.bar.suspend(|| output::remark(&format!("line {number}: {reason}")));
        self.report.bad.push((number, reason));
    }
}

/// Does it again when AWS is too busy, or somebody else was quicker, with a pause that grows.
async fn patiently<F: Future<Output = Result<Became, Failed>>>(
    mut attempt: impl FnMut() -> F,
) -> Result<Became, Failed> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match attempt().await {
            Err(Failed::Store(
                StoreError::Throttled { .. } | StoreError::Unavailable { .. } | StoreError::Conflict { .. },
            )) => tokio::time::sleep(pause).await,
            done => return done,
        }
        pause *= 2;
    }
    attempt().await
}

async fn status(deployment: &Deployment, json: bool) -> Result<Outcome, Fault> {
    let hasher = deployment.hasher()?;
    let (mut schemes, mut users, mut malformed) = (BTreeMap::<&str, u64>::new(), 0_u64, 0_u64);
    let see = |_, stored: Result<Stored<User>, StoreError>| {
        users += 1;
        match stored.map(|stored| stored.record.password_hash) {
            Ok(Some(hash)) if !hasher.is_current(&hash) => *schemes.entry(hash.scheme()).or_default() += 1,
            Ok(_) => {}
            Err(_) => malformed += 1,
        }
        Ok::<_, Fault>(())
    };
    deployment.store.each(see).await?;
    let waiting: u64 = schemes.values().sum();
    let value = json!({"users": users, "waiting": waiting, "waiting_by_scheme": schemes, "malformed": malformed});
    output::result(json, &value, || {
        let total = format!("{waiting} of {users} users wait for their first login");
        if waiting == 0 {
            return total;
        }
        let rows = schemes.iter().map(|(scheme, count)| vec![(*scheme).to_owned(), count.to_string()]);
        format!("{}\n\n{total}", output::table(&["SCHEME", "WAITING"], rows))
    })?;
    if malformed > 0 {
        output::remark(&format!("{malformed} records are malformed; `countersign doctor` says which"));
        return Ok(Outcome::LookCloser);
    }
    Ok(Outcome::Done)
}
